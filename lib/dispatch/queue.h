/*
 * queue.h: the jobs that wait for a worker, bounded, and fair between chatbots.
 *
 * Each chatbot that has jobs waiting has a line of its own, and the lines take turns. Nothing here
 * is locked: who uses a queue from several threads does that.
 */
#ifndef BB_QUEUE_H
#define BB_QUEUE_H

#include "dispatch/key_set.h"

/* One chatbot's line. */
typedef struct bb_flow {
    int64_t chatbot_id;
    bb_job *first;
    bb_job *last;
    size_t count;
    size_t bytes;
    int is_passed_over;   /* by the group that is being taken */
    struct bb_flow *next; /* the ring of lines */
    struct bb_flow *previous;
    struct bb_flow *next_in_bucket;
} bb_flow;

/* What may be in the queue, and what in a group. */
typedef struct bb_queue_limits {
    size_t max_queued;
    size_t max_queued_bytes;
    size_t max_group_requests;
    size_t max_group_contacts;
    size_t max_group_bytes;
    int is_ordered; /* one contact may be named more than once in a group */
} bb_queue_limits;

typedef struct bb_queue {
    bb_allocator allocator;
    bb_queue_limits limits;
    size_t count;
    size_t bytes;
    size_t contacts;
    bb_flow *turn;   /* whose turn it is; NULL if nothing waits */
    bb_flow *spare;  /* lines that are not in use, by `next` */
    bb_flow **flows; /* by a hash of the chatbot */
    bb_job **tickets;
    size_t bucket_count; /* of both; a power of two */
    uint64_t last_ticket;
    bb_key_set keys; /* of the group that is being taken */
} bb_queue;

/* How many contacts a job writes. */
static inline size_t bb_job_contacts(const bb_job *job)
{
    return job->batch != NULL ? job->batch->record_count : 0;
}

/* BB_OK, or BB_ERR_NOMEM. `seed` keeps clients from choosing what falls into one bucket. */
int32_t bb_queue_init(bb_queue *queue, const bb_allocator *allocator,
                      const uint8_t seed[crypto_shorthash_KEYBYTES], const bb_queue_limits *limits);

/* Frees the queue, which must be empty. */
void bb_queue_free(bb_queue *queue);

/*
 * Lets a job wait, and gives it a ticket, not 0. BB_ERR_BUSY if the queue is full, or the chatbot
 * has as much in it as is still free: so one alone can fill half of it, two a third each, and there
 * is always room for one that comes anew. BB_ERR_NOMEM.
 */
int32_t bb_queue_push(bb_queue *queue, bb_job *job);

/* The job that waits with this ticket, or NULL. */
bb_job *bb_queue_find(const bb_queue *queue, uint64_t ticket);

/* Takes a job out that is in it. */
void bb_queue_remove(bb_queue *queue, bb_job *job);

/* The job that is after `job` in some order that has them all, the first one if it is NULL; NULL if
 * there is none left. */
bb_job *bb_queue_next(const bb_queue *queue, const bb_job *job);

/*
 * Takes out jobs that may be written as one group, up to the limits, from all lines in turn;
 * returns how many, at least one, as the queue must not be empty. `jobs` has room for
 * max_group_requests. A job that can share no group comes alone: one that has no batch, or whose
 * deadline is before `group_from`, since that of a group is the earliest of its jobs'.
 */
size_t bb_queue_take(bb_queue *queue, int64_t group_from, bb_job **jobs);

#endif
