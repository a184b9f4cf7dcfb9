/*
 * queue.h: the jobs that wait for a worker, bounded, and fair between chatbots.
 *
 * Each chatbot with waiting jobs has a line of its own, and the lines take turns. Jobs that were
 * not done in their share of time come back into quarantine: suspects, which were tried together
 * with others, so that nobody knows which of them took the time; and slow jobs, which were tried
 * alone. The chatbot of a slow job is itself slow: its line takes turns with those of other slow
 * chatbots, and shares no group with any. It is slow until one of its jobs is done and none of its
 * slow ones is left. If these only ran out of time, it is remembered as slow, since what they
 * waited for may still be there.
 *
 * Nothing here is locked: callers with several threads lock the queue.
 */
#ifndef BB_QUEUE_H
#define BB_QUEUE_H

#include "dispatch/key_set.h"

/* Jobs, one after the other. */
typedef struct bb_job_list {
    bb_job *first;
    bb_job *last;
} bb_job_list;

/* What the queue knows of a chatbot. */
typedef struct bb_flow {
    int64_t chatbot_id;
    bb_job_list line;
    size_t count;         /* jobs in its line */
    size_t contacts;      /* that these write */
    size_t bytes;         /* of these, and of waiting slow jobs */
    size_t slow;          /* slow jobs, including those being tried */
    int is_slow;          /* it has slow jobs, or is remembered as slow */
    int is_passed_over;   /* the group that is being taken has passed it over */
    struct bb_flow *next; /* the ring that its line is in, if not empty */
    struct bb_flow *previous;
    struct bb_flow *newer; /* among those that are remembered */
    struct bb_flow *older;
    struct bb_flow *next_in_bucket;
} bb_flow;

/* What may be in the queue, and what in a group. */
typedef struct bb_queue_limits {
    size_t max_queued;
    size_t max_queued_bytes;
    size_t max_group_requests;
    size_t max_group_contacts;
    size_t max_group_bytes;
    int is_ordered;   /* one contact may be named more than once in a group */
    int is_unbounded; /* max_queued only sizes the table; max_queued_bytes is not used */
} bb_queue_limits;

typedef struct bb_queue {
    bb_allocator allocator;
    bb_queue_limits limits;
    size_t count; /* jobs that wait, wherever */
    size_t bytes; /* of them */
    size_t ready; /* jobs in the lines that take turns, those of slow chatbots left out */
    size_t ready_contacts;
    bb_flow *turn;        /* whose turn it is; NULL if nothing is ready */
    bb_flow *slow_turn;   /* likewise among slow chatbots */
    size_t slow_chatbots; /* with slow jobs; with empty lines, too */
    size_t remembered;    /* slow ones without slow jobs */
    bb_flow *oldest_remembered;
    bb_flow *newest_remembered;
    bb_job_list suspects;
    bb_job_list slow;
    size_t slow_count;
    bb_flow *spare;  /* flows that are not in use, by `next` */
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
                      const uint8_t seed[BB_HASH_SEED_SIZE], const bb_queue_limits *limits);

/* Frees the queue, which must be empty. */
void bb_queue_free(bb_queue *queue);

/*
 * Queues a job and gives it a ticket, not 0. BB_ERR_QUEUE_FULL if it is, or if its chatbot
 * has as much in it as is still free: so one chatbot alone can fill half of it, two a third each,
 * and there is always room for a new one. BB_ERR_NOMEM.
 */
int32_t bb_queue_push(bb_queue *queue, bb_job *job);

/* The job that waits with this ticket, or NULL. */
bb_job *bb_queue_find(const bb_queue *queue, uint64_t ticket);

/* Takes out a job that is in the queue. */
void bb_queue_remove(bb_queue *queue, bb_job *job);

/* Takes out the jobs whose deadlines are not after `now`, and returns them as a list by `next`.
 * Writes the earliest deadline of the others to `*next_deadline`; INT64_MAX if there are none. */
bb_job *bb_queue_take_expired(bb_queue *queue, int64_t now, int64_t *next_deadline);

/*
 * Takes out jobs that may be written as one group, up to the limits, from all lines in turn.
 * Returns how many: at least one, since one must be ready. `jobs` has room for max_group_requests.
 * A job that can share no group comes alone: one without a batch, a dry run, a suspect, or one
 * whose deadline is before `group_from`, since a group has the earliest deadline of its jobs.
 */
size_t bb_queue_take(bb_queue *queue, int64_t group_from, bb_job **jobs);

/* ---------------------------------------------------------------------------------- quarantine */

/* Puts back a job that was taken (or counts as taken) and was not done in its share of time: among
 * the slow ones if `is_slow`, otherwise among the suspects. It keeps its ticket, and is never
 * refused, since it was let in already. */
void bb_queue_quarantine(bb_queue *queue, bb_job *job);

/* The most chatbots that are remembered as slow; then the oldest is forgotten for a new one. */
enum { BB_MOST_REMEMBERED = 1000 };

/* Whether a chatbot is slow. */
int bb_queue_is_slow(const bb_queue *queue, int64_t chatbot_id);

/* Call it when a chatbot's jobs were done without waiting: it is slow no longer, unless it has slow
 * jobs. */
void bb_queue_forget_slow(bb_queue *queue, int64_t chatbot_id);

/* Takes out the suspect that came back first; NULL if there is none. Suspects whose chatbot has
 * turned out to be slow go to the head of its line, and are taken from there, each alone. */
bb_job *bb_queue_take_suspect(bb_queue *queue);

/* Takes out the slow job that has waited longest; NULL if there is none. Afterwards either put the
 * job back into quarantine, or call bb_queue_end_slow() with the job's `flow`, which may be NULL,
 * and whether it is done: if the last slow job of a chatbot is not, the chatbot is remembered. */
bb_job *bb_queue_take_slow(bb_queue *queue);
void bb_queue_end_slow(bb_queue *queue, bb_flow *flow, int is_done);

/* Like bb_queue_take(), from the line of a slow chatbot, in turn with others; 0 if all of them are
 * empty. */
size_t bb_queue_take_of_slow(bb_queue *queue, int64_t group_from, bb_job **jobs);

#endif
