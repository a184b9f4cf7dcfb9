/*
 * job.h: a request that is ready for the store: what to ask or write, and whom to tell.
 */
#ifndef BB_JOB_H
#define BB_JOB_H

#include "execute/executor.h"
#include "execute/share.h"
#include "request/batch.h"

struct bb_flow;
struct bb_job_list;

typedef struct bb_job {
    bb_access access; /* who, where, when, and until when */
    bb_batch *batch;  /* what to write; NULL: the job only asks about the access */
    bb_arena *arena;  /* lives as long as the job */
    size_t bytes;     /* of the body */
    int64_t began_us; /* when the request came, of the monotonic clock */
    char request_id[BB_MAX_REQUEST_ID + 1]; /* the host's; "": none */

    /* Does the job by itself and returns its answer; or NULL if the share is over and its own time
     * is not: then it can be executed again. */
    bb_result *(*execute)(bb_executor *executor, struct bb_job *job, bb_share share);

    /* Is called once with the answer, which it then owns, if another thread took the job. The job
     * may be gone when it returns. */
    void (*done)(struct bb_job *job, bb_result *result);
    void *done_ctx;
    const void *recipient; /* who takes the answer, if they take those of other jobs, too */
    int is_followed;       /* their next answer comes at once, so this one need not wake them */

    /* its attempts so far; see conclude.h and retry.h */
    unsigned attempts; /* that failed */
    bb_error cause;    /* why the first of them did */
    int is_slow;       /* it was alone, and still not done in its share of time */

    /* while it is in a queue; see queue.c */
    uint64_t ticket;
    struct bb_flow *flow;
    struct bb_job_list *list;
    struct bb_job *next; /* in its list */
    struct bb_job *previous;
    int is_suspect;             /* it came back from a group, and goes alone from now on */
    struct bb_job *next_ticket; /* in the same bucket */
} bb_job;

#endif
