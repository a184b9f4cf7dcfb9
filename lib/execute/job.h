/*
 * job.h: a request that is ready for the store: what is to be asked or written, and who is told.
 */
#ifndef BB_JOB_H
#define BB_JOB_H

#include "request/batch.h"

struct bb_flow;

typedef struct bb_job {
    bb_access access; /* who, where, when, and until when */
    bb_batch *batch;  /* what is to be written; NULL: only the access is asked about */
    bb_arena *arena;  /* lives as long as the job */
    size_t bytes;     /* of the body */

    /* Does the job by itself and returns its answer, never NULL. */
    bb_result *(*run)(bb_contacts *contacts, struct bb_job *job);

    /* Told the answer, which becomes the callee's, once, when the job was taken by another thread.
     * The job may be gone when it returns. */
    void (*done)(struct bb_job *job, bb_result *result);
    void *done_ctx;

    /* while it is in a queue; see queue.c */
    uint64_t ticket;
    struct bb_flow *flow;
    struct bb_job *next; /* in its flow */
    struct bb_job *previous;
    struct bb_job *next_ticket; /* in the same bucket */
} bb_job;

#endif
