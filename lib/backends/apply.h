/*
 * apply.h: applies a record to a stored contact, for backends that compare in C.
 */
#ifndef BB_BACKENDS_APPLY_H
#define BB_BACKENDS_APPLY_H

#include "bb_contacts/storage.h"

/* The contact that a record makes of `before`. If that is NULL, the new contact, without id and
 * times. Its strings are those of the record and of `before`. */
bb_contact bb_record_apply(const bb_record *record, const bb_contact *before);

/*
 * For a record with BB_RECORD_MERGE, after bb_record_apply() on a contact that was there: merges
 * its custom_attributes (D2). Their text may lie at `*memory`, which the caller frees with
 * `allocator`; it is NULL if there is none. `max_bytes` is the write's limit: BB_ERR_OVERSIZED if
 * they grow past it (D3). Otherwise the codes are those of bb_json_merge().
 */
int32_t bb_record_merge(const bb_allocator *allocator, const bb_record *record,
                        const bb_contact *before, size_t max_bytes, bb_contact *after,
                        void **memory);

/* Whether a record leaves `before` as it is (E5), where `after` is what bb_record_apply() made.
 * `allocator` is for bb_json_equal(), whose codes it returns. */
int32_t bb_record_is_unchanged(const bb_allocator *allocator, const bb_record *record,
                               const bb_contact *before, const bb_contact *after,
                               int32_t *unchanged);

#endif
