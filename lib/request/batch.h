/*
 * batch.h: entries become records: ids made, sorted by key, those of one contact folded (E1).
 */
#ifndef BB_BATCH_H
#define BB_BATCH_H

#include "request/body.h"

/* Where generated ids come from. */
typedef struct bb_id_source {
    int64_t chatbot_id;
    bb_slice idempotency_key; /* null: ids are random */
    bb_random_fn random;
    void *random_ctx;
} bb_id_source;

typedef struct bb_batch {
    bb_allocator allocator;
    bb_entry *entries; /* as sent */
    size_t entry_count;
    uint32_t *order;            /* entries sorted by key, those of one key in the order sent */
    uint32_t *first;            /* for each record, where its entries begin in `order`, and one
                                   end */
    uint32_t *record_of;        /* for each entry, its record */
    uint8_t *outcomes;          /* for each entry, once its record is stored (E6) */
    bb_record *records;         /* the folded entries */
    const bb_record **pointers; /* to the records, as storage wants them */
    size_t record_count;
} bb_batch;

/* Everything lives in the arena. BB_OK, BB_ERR_NOMEM, or BB_ERR_INTERNAL if no id could be made. */
int32_t bb_batch_make(bb_body *body, const bb_id_source *ids, bb_arena *arena, bb_batch *batch);

/*
 * Works out what became of each entry of a record (E6), as if they had been applied one by one.
 * `outcome` is the record's, `before` the contact as it was, or NULL if there was none. BB_OK, or
 * BB_ERR_NOMEM.
 */
int32_t bb_batch_set_outcomes(bb_batch *batch, size_t record, int32_t outcome,
                              const bb_contact *before);

#endif
