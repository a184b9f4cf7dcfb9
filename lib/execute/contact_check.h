/*
 * contact_check.h: whether an answer can hold a contact that a backend hands back (A3).
 */
#ifndef BB_CONTACT_CHECK_H
#define BB_CONTACT_CHECK_H

#include "bb_contacts/storage.h"

/*
 * BB_OK, BB_ERR_INTERNAL if its JSON is none or its texts are not UTF-8, or BB_ERR_NOMEM. A host
 * may have written to the tables itself, so what was read there may be anything; what `record`
 * brought was checked with the request, and is not looked at again.
 */
int32_t bb_contact_check(const bb_allocator *allocator, const bb_record *record,
                         const bb_contact *contact);

#endif
