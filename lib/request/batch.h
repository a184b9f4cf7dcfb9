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

/* How entries become records. */
typedef struct bb_batch_rules {
    int is_dry_run;             /* nothing is to be kept (A6) */
    int merges;                 /* custom_attributes are merged, and not replaced (D2) */
    size_t max_attribute_bytes; /* how large merging may make them (D3) */
} bb_batch_rules;

typedef struct bb_batch {
    bb_allocator allocator;
    bb_batch_rules rules;
    const char *root;  /* the array's name */
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
    size_t merge_count; /* records that are merged into what is stored */
    size_t oversized;   /* records whose custom_attributes merging makes too large (D3) */
    int is_minimal;     /* the answer has no contacts (A4) */
} bb_batch;

/* Everything lives in the arena. BB_OK, BB_ERR_NOMEM, or BB_ERR_INTERNAL if no id could be made. */
int32_t bb_batch_make(bb_body *body, const bb_id_source *ids, const bb_batch_rules *rules,
                      bb_arena *arena, bb_batch *batch);

/* Notes that merging makes a record's custom_attributes too large, or forgets all such notes. */
void bb_batch_note_oversized(bb_batch *batch, size_t record);
void bb_batch_forget_oversized(bb_batch *batch);

/* Adds an issue for each record that was noted, at its last entry that sends custom_attributes. */
void bb_batch_add_issues(const bb_batch *batch, bb_issues *issues);

/*
 * Works out what became of each entry of a record (E6), as if they had been applied one by one.
 * `outcome` is the record's, `before` the contact as it was, or NULL if there was none. BB_OK, or
 * BB_ERR_NOMEM.
 */
int32_t bb_batch_set_outcomes(bb_batch *batch, size_t record, int32_t outcome,
                              const bb_contact *before);

#endif
