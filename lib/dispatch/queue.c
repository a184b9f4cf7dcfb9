/*
 * queue.c: the jobs that wait for a worker, bounded, and fair between chatbots.
 */
#include "dispatch/queue.h"

#include <string.h>

#include "util/alloc.h"

enum { FEWEST_BUCKETS = 64 };

/* ------------------------------------------------------------------------------------- lines */

static bb_flow **bucket_of_flow(const bb_queue *queue, int64_t chatbot_id)
{
    uint8_t digest[crypto_shorthash_BYTES];
    uint64_t hash;

    crypto_shorthash(digest, (const unsigned char *)&chatbot_id, sizeof chatbot_id,
                     queue->keys.seed);
    memcpy(&hash, digest, sizeof hash);
    return &queue->flows[hash & (queue->bucket_count - 1)];
}

static bb_flow *find_flow(const bb_queue *queue, int64_t chatbot_id)
{
    bb_flow *flow = *bucket_of_flow(queue, chatbot_id);

    while (flow != NULL && flow->chatbot_id != chatbot_id)
        flow = flow->next_in_bucket;
    return flow;
}

/* A line for a chatbot that has none; its turn comes after all others'. */
static bb_flow *add_flow(bb_queue *queue, int64_t chatbot_id)
{
    bb_flow **bucket = bucket_of_flow(queue, chatbot_id);
    bb_flow *flow = queue->spare;

    if (flow != NULL)
        queue->spare = flow->next;
    else
        flow = bb_alloc(&queue->allocator, sizeof *flow);
    if (flow == NULL)
        return NULL;
    memset(flow, 0, sizeof *flow);
    flow->chatbot_id = chatbot_id;
    flow->next_in_bucket = *bucket;
    *bucket = flow;
    if (queue->turn == NULL) {
        flow->next = flow;
        flow->previous = flow;
        queue->turn = flow;
    } else {
        flow->next = queue->turn;
        flow->previous = queue->turn->previous;
        flow->next->previous = flow;
        flow->previous->next = flow;
    }
    return flow;
}

/* Takes an empty line out of the ring, and keeps it for another chatbot. */
static void remove_flow(bb_queue *queue, bb_flow *flow)
{
    bb_flow **link = bucket_of_flow(queue, flow->chatbot_id);

    while (*link != flow)
        link = &(*link)->next_in_bucket;
    *link = flow->next_in_bucket;
    if (queue->turn == flow)
        queue->turn = flow->next == flow ? NULL : flow->next;
    flow->next->previous = flow->previous;
    flow->previous->next = flow->next;
    flow->next = queue->spare;
    queue->spare = flow;
}

/* ----------------------------------------------------------------------------------- the queue */

int32_t bb_queue_init(bb_queue *queue, const bb_allocator *allocator,
                      const uint8_t seed[crypto_shorthash_KEYBYTES], const bb_queue_limits *limits)
{
    size_t buckets = FEWEST_BUCKETS;

    while (buckets < limits->max_queued)
        buckets *= 2;
    memset(queue, 0, sizeof *queue);
    queue->allocator = *allocator;
    queue->limits = *limits;
    queue->bucket_count = buckets;
    queue->flows = bb_zalloc(allocator, buckets * sizeof(bb_flow *));
    queue->tickets = bb_zalloc(allocator, buckets * sizeof(bb_job *));
    if (queue->flows != NULL && queue->tickets != NULL &&
        bb_key_set_init(&queue->keys, allocator, seed, limits->max_group_contacts) == BB_OK)
        return BB_OK;
    bb_queue_free(queue);
    return BB_ERR_NOMEM;
}

void bb_queue_free(bb_queue *queue)
{
    while (queue->spare != NULL) {
        bb_flow *flow = queue->spare;
        queue->spare = flow->next;
        bb_free(&queue->allocator, flow);
    }
    if (queue->keys.slots != NULL)
        bb_key_set_free(&queue->keys);
    bb_free(&queue->allocator, queue->tickets);
    bb_free(&queue->allocator, queue->flows);
}

static int has_room(const bb_queue *queue, const bb_flow *flow, size_t bytes)
{
    size_t free_places = queue->limits.max_queued - queue->count;
    size_t free_bytes = queue->limits.max_queued_bytes - queue->bytes;

    if (free_places == 0 || bytes > free_bytes)
        return 0;
    if (flow == NULL)
        return 1;
    return flow->count < free_places && flow->bytes <= free_bytes - bytes;
}

int32_t bb_queue_push(bb_queue *queue, bb_job *job)
{
    bb_flow *flow = find_flow(queue, job->access.chatbot_id);
    bb_job **bucket;

    if (!has_room(queue, flow, job->bytes))
        return BB_ERR_BUSY;
    if (flow == NULL)
        flow = add_flow(queue, job->access.chatbot_id);
    if (flow == NULL)
        return BB_ERR_NOMEM;
    job->flow = flow;
    job->next = NULL;
    job->previous = flow->last;
    if (flow->last != NULL)
        flow->last->next = job;
    else
        flow->first = job;
    flow->last = job;
    flow->count++;
    flow->bytes += job->bytes;
    queue->count++;
    queue->bytes += job->bytes;
    queue->contacts += bb_job_contacts(job);
    job->ticket = ++queue->last_ticket;
    bucket = &queue->tickets[job->ticket & (queue->bucket_count - 1)];
    job->next_ticket = *bucket;
    *bucket = job;
    return BB_OK;
}

bb_job *bb_queue_find(const bb_queue *queue, uint64_t ticket)
{
    bb_job *job = queue->tickets[ticket & (queue->bucket_count - 1)];

    while (job != NULL && job->ticket != ticket)
        job = job->next_ticket;
    return job;
}

void bb_queue_remove(bb_queue *queue, bb_job *job)
{
    bb_flow *flow = job->flow;
    bb_job **link = &queue->tickets[job->ticket & (queue->bucket_count - 1)];

    while (*link != job)
        link = &(*link)->next_ticket;
    *link = job->next_ticket;
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        flow->first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        flow->last = job->previous;
    flow->count--;
    flow->bytes -= job->bytes;
    queue->count--;
    queue->bytes -= job->bytes;
    queue->contacts -= bb_job_contacts(job);
    job->flow = NULL;
    if (flow->first == NULL)
        remove_flow(queue, flow);
}

bb_job *bb_queue_next(const bb_queue *queue, const bb_job *job)
{
    if (job == NULL)
        return queue->turn == NULL ? NULL : queue->turn->first;
    if (job->next != NULL)
        return job->next;
    return job->flow->next == queue->turn ? NULL : job->flow->next->first;
}

/* -------------------------------------------------------------------------------------- groups */

/* A group that is being taken. */
typedef struct group {
    bb_job **jobs;
    size_t count;
    size_t contacts;
    size_t bytes;
    int64_t from;       /* the earliest deadline that may be in it */
    size_t passed_over; /* lines whose first job does not fit in */
    bb_flow *first_passed_over;
} group;

static int is_groupable(const group *g, const bb_job *job)
{
    return job->batch != NULL && job->access.deadline >= g->from;
}

/* Whether a job fits in. One that was passed over is the first of the next group, so that it comes
 * in whatever its size. */
static int fits(bb_queue *queue, const group *g, const bb_job *job)
{
    const bb_queue_limits *limits = &queue->limits;

    if (g->count == 0)
        return 1;
    if (!is_groupable(g, job))
        return 0;
    if (g->contacts >= limits->max_group_contacts || g->bytes >= limits->max_group_bytes)
        return 0;
    return job->batch->record_count <= limits->max_group_contacts - g->contacts &&
           job->bytes <= limits->max_group_bytes - g->bytes;
}

/* Takes the first job of a line into the group, if it may come in. */
static int take_first(bb_queue *queue, group *g, bb_flow *flow)
{
    bb_job *job = flow->first;

    if (flow->is_passed_over || !fits(queue, g, job))
        return 0;
    if (job->batch != NULL) {
        /* for want of room in the set the first alone can fail, and no other fits beside it then */
        if (!queue->limits.is_ordered && !bb_key_set_add(&queue->keys, job) && g->count > 0)
            return 0;
        g->contacts += job->batch->record_count;
    }
    g->bytes += job->bytes;
    g->jobs[g->count++] = job;
    bb_queue_remove(queue, job);
    return 1;
}

static void pass_over(group *g, bb_flow *flow)
{
    if (flow->is_passed_over)
        return;
    flow->is_passed_over = 1;
    if (g->passed_over++ == 0)
        g->first_passed_over = flow;
}

/* Whose turn it is after the group: the first that was passed over, so that nobody is for ever, or
 * else `after`. Those that were passed over are close behind that. */
static void end_turn(bb_queue *queue, group *g, bb_flow *after)
{
    bb_flow *flow = after;

    if (queue->turn == NULL)
        return;
    queue->turn = g->first_passed_over != NULL ? g->first_passed_over : after;
    while (g->passed_over > 0) {
        flow = flow->previous;
        if (flow->is_passed_over) {
            flow->is_passed_over = 0;
            g->passed_over--;
        }
    }
}

size_t bb_queue_take(bb_queue *queue, int64_t group_from, bb_job **jobs)
{
    group g = {.jobs = jobs, .from = group_from};
    bb_flow *flow = queue->turn;
    bb_flow *stop = NULL; /* where a whole turn without another job ends */
    int goes_alone = !is_groupable(&g, flow->first);

    bb_key_set_clear(&queue->keys);
    while (queue->turn != NULL && g.count < queue->limits.max_group_requests && flow != stop) {
        bb_flow *next = flow->next;
        int is_last_of_line = flow->first->next == NULL;
        if (take_first(queue, &g, flow)) {
            stop = NULL;
            if (is_last_of_line && next == flow)
                break; /* that was the last line */
        } else {
            pass_over(&g, flow);
            if (stop == NULL)
                stop = flow;
        }
        flow = next;
        if (goes_alone)
            break;
    }
    end_turn(queue, &g, flow);
    return g.count;
}
