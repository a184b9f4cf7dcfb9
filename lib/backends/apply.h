/*
 * apply.h: applies a record to a stored contact, for backends that compare in C.
 */
#ifndef BB_BACKENDS_APPLY_H
#define BB_BACKENDS_APPLY_H

#include "bb_contacts/storage.h"

/* The contact that a record makes of `before`. If that is NULL, the new contact, without id and
 * times. Its strings are those of the record and of `before`. */
bb_contact bb_record_apply(const bb_record *record, const bb_contact *before);

/* Whether a record leaves `before` as it is (E5), where `after` is what bb_record_apply() made.
 * `allocator` is for bb_json_equal(), whose codes it returns. */
int32_t bb_record_is_unchanged(const bb_allocator *allocator, const bb_record *record,
                               const bb_contact *before, const bb_contact *after,
                               int32_t *unchanged);

#endif
