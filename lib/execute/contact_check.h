/*
 * contact_check.h: whether an answer can hold a contact that a backend hands back (A3).
 */
#ifndef BB_CONTACT_CHECK_H
#define BB_CONTACT_CHECK_H

#include "bb_contacts/storage.h"

/*
 * BB_OK, BB_ERR_INTERNAL if its JSON or its UTF-8 is invalid, or BB_ERR_NOMEM. A host may have
 * written anything to the tables itself. The values of `record` were checked with the request and
 * are not checked again.
 */
int32_t bb_contact_check(const bb_allocator *allocator, const bb_record *record,
                         const bb_contact *contact);

#endif
