/*
 * collector.h: collects what a backend hands back for one write, record by record, and makes the
 * answer.
 */
#ifndef BB_COLLECTOR_H
#define BB_COLLECTOR_H

#include "request/batch.h"
#include "request/response.h"

typedef struct bb_collector {
    bb_access access;
    bb_batch *batch;
    bb_rendered rendered;
    size_t put_count;    /* records that the backend has handed back */
    int32_t put_code;    /* put()'s code for the first record that it could not take */
    int64_t faulty_id;   /* of a stored contact that no answer can hold; or 0 */
    size_t max_bytes;    /* of contacts in the answer (A7) */
    size_t bytes;        /* so far */
    size_t *group_bytes; /* of all writes in its transaction, with the same bound; NULL: it is
                            alone */
    int is_crowded_out;  /* it would have had room alone */
    bb_result *answer;   /* set once all are there */
} bb_collector;

/* The batch must outlive the collector, and so must what the access points to. BB_OK, or
 * BB_ERR_NOMEM. */
int32_t bb_collector_init(bb_collector *collector, const bb_access *access, bb_batch *batch,
                          size_t max_answer_bytes, bb_arena *arena);
void bb_collector_free(bb_collector *collector);

/* Forgets what has been put, and describes the write for another attempt. */
bb_write bb_collector_begin(bb_collector *collector);

/* The code that counts if the backend returned this one: BB_OK counts only if it has handed back
 * all records. */
int32_t bb_collector_check(const bb_collector *collector, int32_t code, bb_error *error);

/* The answer with this status, which the caller owns: for SUCCESS, the collected one. Frees the
 * rest. */
bb_result *bb_collector_finish(bb_collector *collector, int32_t status);

#endif
