/*
 * attributes.h: the custom_attributes of one contact while several entries merge into them, one
 * after the other (D2, E1).
 */
#ifndef BB_ATTRIBUTES_H
#define BB_ATTRIBUTES_H

#include "request/body.h"

/* The entries of one contact in their order. */
typedef struct bb_turns {
    const bb_entry *entries;
    const uint32_t *order; /* which of them */
    size_t count;
} bb_turns;

/*
 * Makes one merge of all: sets custom_attributes of the record, and BB_RECORD_MERGE with
 * removed_attributes, or neither if an entry resets them before. BB_RECORD_TOUCH if one of the
 * entries changes what another did. Texts are in the arena or in the entries. BB_OK, or
 * BB_ERR_NOMEM.
 */
int32_t bb_attributes_fold(const bb_turns *turns, bb_arena *arena, bb_record *record);

/* Sets has_changed[i] to 1 for each entry that changes the attributes, which were `before` when the
 * first one came; leaves the others. BB_OK, or BB_ERR_NOMEM. */
int32_t bb_attributes_compare(const bb_turns *turns, const bb_allocator *allocator, bb_slice before,
                              uint8_t *has_changed);

#endif
