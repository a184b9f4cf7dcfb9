/*
 * queue.c: the jobs that wait for a worker, bounded, and fair between chatbots.
 */
#include "dispatch/queue.h"

#include <string.h>

#include "util/alloc.h"

enum { FEWEST_BUCKETS = 64 };

/* ------------------------------------------------------------------------------------- flows */

static bb_flow **bucket_of_flow(const bb_queue *queue, int64_t chatbot_id)
{
    uint64_t hash = bb_hash_seeded(queue->keys.seed, &chatbot_id, sizeof chatbot_id);

    return &queue->flows[hash & (queue->bucket_count - 1)];
}

static bb_flow *find_flow(const bb_queue *queue, int64_t chatbot_id)
{
    bb_flow *flow = *bucket_of_flow(queue, chatbot_id);

    while (flow != NULL && flow->chatbot_id != chatbot_id)
        flow = flow->next_in_bucket;
    return flow;
}

/* Makes one for a chatbot that has none; its line is empty, and so in no ring. */
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
    return flow;
}

/* Keeps an empty flow for another chatbot. */
static void remove_flow(bb_queue *queue, bb_flow *flow)
{
    bb_flow **link = bucket_of_flow(queue, flow->chatbot_id);

    while (*link != flow)
        link = &(*link)->next_in_bucket;
    *link = flow->next_in_bucket;
    flow->next = queue->spare;
    queue->spare = flow;
}

/* -------------------------------------------------------------------------------------- rings */

static bb_flow **ring_of(bb_queue *queue, const bb_flow *flow)
{
    return flow->is_slow ? &queue->slow_turn : &queue->turn;
}

/* For a line that is no longer empty; its turn comes after all others'. */
static void enter_ring(bb_queue *queue, bb_flow *flow)
{
    bb_flow **turn = ring_of(queue, flow);

    if (*turn == NULL) {
        flow->next = flow;
        flow->previous = flow;
        *turn = flow;
    } else {
        flow->next = *turn;
        flow->previous = (*turn)->previous;
        flow->next->previous = flow;
        flow->previous->next = flow;
    }
    if (!flow->is_slow) {
        queue->ready += flow->count;
        queue->ready_contacts += flow->contacts;
    }
}

static void leave_ring(bb_queue *queue, bb_flow *flow)
{
    bb_flow **turn = ring_of(queue, flow);

    if (*turn == flow)
        *turn = flow->next == flow ? NULL : flow->next;
    flow->next->previous = flow->previous;
    flow->previous->next = flow->next;
    if (!flow->is_slow) {
        queue->ready -= flow->count;
        queue->ready_contacts -= flow->contacts;
    }
}

/* -------------------------------------------------------------------------------- slow chatbots */

/* Moves its line from one ring to the other, or drops it if there is nothing more to know of it. */
static void set_slow(bb_queue *queue, bb_flow *flow, int is_slow)
{
    int has_line = flow->line.first != NULL;

    if (has_line)
        leave_ring(queue, flow);
    flow->is_slow = is_slow;
    if (has_line)
        enter_ring(queue, flow);
    else if (!is_slow)
        remove_flow(queue, flow);
}

static void take_from_remembered(bb_queue *queue, bb_flow *flow)
{
    if (flow->older != NULL)
        flow->older->newer = flow->newer;
    else
        queue->oldest_remembered = flow->newer;
    if (flow->newer != NULL)
        flow->newer->older = flow->older;
    else
        queue->newest_remembered = flow->older;
    queue->remembered--;
}

static void forget(bb_queue *queue, bb_flow *flow)
{
    take_from_remembered(queue, flow);
    set_slow(queue, flow, 0);
}

static void remember(bb_queue *queue, bb_flow *flow)
{
    flow->older = queue->newest_remembered;
    flow->newer = NULL;
    if (flow->older != NULL)
        flow->older->newer = flow;
    else
        queue->oldest_remembered = flow;
    queue->newest_remembered = flow;
    if (++queue->remembered > BB_MOST_REMEMBERED)
        forget(queue, queue->oldest_remembered);
}

/* One of the chatbot's jobs is slow. */
static void begin_slow(bb_queue *queue, bb_flow *flow)
{
    if (flow->slow++ > 0)
        return;
    queue->slow_chatbots++;
    if (flow->is_slow)
        take_from_remembered(queue, flow);
    else
        set_slow(queue, flow, 1);
}

void bb_queue_end_slow(bb_queue *queue, bb_flow *flow, int is_done)
{
    if (flow == NULL || --flow->slow > 0)
        return;
    queue->slow_chatbots--;
    if (is_done)
        set_slow(queue, flow, 0);
    else
        remember(queue, flow);
}

/* NULL if it is not slow. */
static bb_flow *find_slow(const bb_queue *queue, int64_t chatbot_id)
{
    bb_flow *flow;

    if (queue->slow_chatbots + queue->remembered == 0)
        return NULL;
    flow = find_flow(queue, chatbot_id);
    return flow != NULL && flow->is_slow ? flow : NULL;
}

int bb_queue_is_slow(const bb_queue *queue, int64_t chatbot_id)
{
    return find_slow(queue, chatbot_id) != NULL;
}

void bb_queue_forget_slow(bb_queue *queue, int64_t chatbot_id)
{
    bb_flow *flow = find_slow(queue, chatbot_id);

    if (flow != NULL && flow->slow == 0)
        forget(queue, flow);
}

/* ----------------------------------------------------------------------------------- the queue */

int32_t bb_queue_init(bb_queue *queue, const bb_allocator *allocator,
                      const uint8_t seed[BB_HASH_SEED_SIZE], const bb_queue_limits *limits)
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
    while (queue->oldest_remembered != NULL)
        forget(queue, queue->oldest_remembered);
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
    size_t free_places;
    size_t free_bytes;

    if (queue->limits.is_unbounded)
        return 1;
    /* jobs that came back may exceed the limits */
    if (queue->count >= queue->limits.max_queued || queue->bytes > queue->limits.max_queued_bytes)
        return 0;
    free_places = queue->limits.max_queued - queue->count;
    free_bytes = queue->limits.max_queued_bytes - queue->bytes;
    if (bytes > free_bytes)
        return 0;
    if (flow == NULL)
        return 1;
    return flow->count + flow->slow < free_places && flow->bytes <= free_bytes - bytes;
}

/* Inserts a job, with its ticket, into a list behind another job, or at the front if that is
 * NULL. */
static void insert(bb_queue *queue, bb_job_list *list, bb_job *job, bb_job *behind)
{
    bb_job **bucket = &queue->tickets[job->ticket & (queue->bucket_count - 1)];

    job->list = list;
    job->previous = behind;
    job->next = behind != NULL ? behind->next : list->first;
    if (job->next != NULL)
        job->next->previous = job;
    else
        list->last = job;
    if (behind != NULL)
        behind->next = job;
    else
        list->first = job;
    queue->count++;
    queue->bytes += job->bytes;
    job->next_ticket = *bucket;
    *bucket = job;
}

/* Takes a job out of its list and out of the tickets. */
static void take_out(bb_queue *queue, bb_job *job)
{
    bb_job **link = &queue->tickets[job->ticket & (queue->bucket_count - 1)];

    while (*link != job)
        link = &(*link)->next_ticket;
    *link = job->next_ticket;
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        job->list->first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        job->list->last = job->previous;
    job->list = NULL;
    queue->count--;
    queue->bytes -= job->bytes;
}

static void insert_into_line(bb_queue *queue, bb_flow *flow, bb_job *job, bb_job *behind)
{
    job->flow = flow;
    insert(queue, &flow->line, job, behind);
    flow->count++;
    flow->contacts += bb_job_contacts(job);
    flow->bytes += job->bytes;
    if (flow->count == 1) {
        enter_ring(queue, flow);
    } else if (!flow->is_slow) {
        queue->ready++;
        queue->ready_contacts += bb_job_contacts(job);
    }
}

int32_t bb_queue_push(bb_queue *queue, bb_job *job)
{
    bb_flow *flow = find_flow(queue, job->access.chatbot_id);

    if (!has_room(queue, flow, job->bytes))
        return BB_ERR_QUEUE_FULL;
    if (flow == NULL)
        flow = add_flow(queue, job->access.chatbot_id);
    if (flow == NULL)
        return BB_ERR_NOMEM;
    job->ticket = ++queue->last_ticket;
    insert_into_line(queue, flow, job, flow->line.last);
    return BB_OK;
}

bb_job *bb_queue_find(const bb_queue *queue, uint64_t ticket)
{
    bb_job *job = queue->tickets[ticket & (queue->bucket_count - 1)];

    while (job != NULL && job->ticket != ticket)
        job = job->next_ticket;
    return job;
}

static void remove_from_line(bb_queue *queue, bb_flow *flow, bb_job *job)
{
    take_out(queue, job);
    job->flow = NULL;
    flow->count--;
    flow->contacts -= bb_job_contacts(job);
    flow->bytes -= job->bytes;
    if (!flow->is_slow) {
        queue->ready--;
        queue->ready_contacts -= bb_job_contacts(job);
    }
    if (flow->line.first != NULL)
        return;
    leave_ring(queue, flow);
    if (!flow->is_slow)
        remove_flow(queue, flow);
}

/* Its chatbot stays slow. */
static void remove_from_slow(bb_queue *queue, bb_job *job)
{
    take_out(queue, job);
    queue->slow_count--;
    if (job->flow != NULL)
        job->flow->bytes -= job->bytes;
}

void bb_queue_remove(bb_queue *queue, bb_job *job)
{
    bb_flow *flow = job->flow;

    if (job->list == &queue->suspects) {
        take_out(queue, job);
    } else if (job->list == &queue->slow) {
        remove_from_slow(queue, job);
        job->flow = NULL;
        bb_queue_end_slow(queue, flow, 0);
    } else {
        remove_from_line(queue, flow, job);
    }
}

/* ---------------------------------------------------------------------------------- quarantine */

/* Without memory for a flow, its chatbot is not known to be slow; no more than that. */
static void put_among_slow(bb_queue *queue, bb_job *job)
{
    if (job->flow == NULL) { /* it was not slow before */
        job->flow = find_flow(queue, job->access.chatbot_id);
        if (job->flow == NULL)
            job->flow = add_flow(queue, job->access.chatbot_id);
        if (job->flow != NULL)
            begin_slow(queue, job->flow);
    }
    if (job->flow != NULL)
        job->flow->bytes += job->bytes;
    queue->slow_count++;
    insert(queue, &queue->slow, job, queue->slow.last);
}

void bb_queue_quarantine(bb_queue *queue, bb_job *job)
{
    if (job->ticket == 0)
        job->ticket = ++queue->last_ticket;
    if (job->is_slow) {
        put_among_slow(queue, job);
    } else {
        job->is_suspect = 1;
        insert(queue, &queue->suspects, job, queue->suspects.last);
    }
}

bb_job *bb_queue_take_suspect(bb_queue *queue)
{
    bb_job *job;

    while ((job = queue->suspects.first) != NULL) {
        bb_flow *slow = find_slow(queue, job->access.chatbot_id);
        take_out(queue, job);
        if (slow == NULL)
            break;
        insert_into_line(queue, slow, job, NULL);
    }
    return job;
}

bb_job *bb_queue_take_slow(bb_queue *queue)
{
    bb_job *job = queue->slow.first;

    if (job != NULL)
        remove_from_slow(queue, job);
    return job;
}

/* ----------------------------------------------------------------------------------- deadlines */

/* What has expired so far, and the earliest deadline of the rest. */
typedef struct expiry {
    int64_t now;
    bb_job *expired;
    int64_t next_deadline;
} expiry;

static void expire_list(bb_queue *queue, const bb_job_list *list, expiry *e)
{
    bb_job *next;

    for (bb_job *job = list->first; job != NULL; job = next) {
        next = job->next;
        if (job->access.deadline <= e->now) {
            bb_queue_remove(queue, job);
            job->next = e->expired;
            e->expired = job;
        } else if (job->access.deadline < e->next_deadline) {
            e->next_deadline = job->access.deadline;
        }
    }
}

/* A line whose last job expires leaves the ring meanwhile. */
static void expire_ring(bb_queue *queue, bb_flow *turn, expiry *e)
{
    const bb_flow *last = turn == NULL ? NULL : turn->previous;
    bb_flow *next;

    for (bb_flow *flow = turn; flow != NULL; flow = next) {
        next = flow == last ? NULL : flow->next;
        expire_list(queue, &flow->line, e);
    }
}

bb_job *bb_queue_take_expired(bb_queue *queue, int64_t now, int64_t *next_deadline)
{
    expiry e = {.now = now, .next_deadline = INT64_MAX};

    expire_list(queue, &queue->suspects, &e);
    expire_list(queue, &queue->slow, &e); /* comes first, as it may move lines from one ring to the
                                             other */
    expire_ring(queue, queue->slow_turn, &e);
    expire_ring(queue, queue->turn, &e);
    *next_deadline = e.next_deadline;
    return e.expired;
}

/* -------------------------------------------------------------------------------------- groups */

/* A group that is being taken. */
typedef struct group {
    bb_job **jobs;
    size_t count;
    size_t contacts;
    size_t bytes;
    int64_t from;       /* the earliest deadline that may be in it */
    size_t passed_over; /* lines whose first job does not fit */
    bb_flow *first_passed_over;
} group;

static int is_groupable(const group *g, const bb_job *job)
{
    return job->batch != NULL && !job->batch->rules.is_dry_run && job->access.deadline >= g->from &&
           !job->is_suspect;
}

/* Whether a job fits. One that was passed over is the first of the next group, so that it gets in
 * whatever its size. */
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

/* Takes the first job of a line into the group, if it fits. */
static int take_first(bb_queue *queue, group *g, bb_flow *flow)
{
    bb_job *job = flow->line.first;

    if (flow->is_passed_over || !fits(queue, g, job))
        return 0;
    if (job->batch != NULL) {
        /* only the first can fail for want of room in the set, and then no other fits beside it */
        if (!queue->limits.is_ordered && !bb_key_set_add(&queue->keys, job) && g->count > 0)
            return 0;
        g->contacts += job->batch->record_count;
    }
    g->bytes += job->bytes;
    g->jobs[g->count++] = job;
    remove_from_line(queue, flow, job);
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

/* Sets whose turn it is after the group: the first that was passed over, so that none is passed
 * over for ever, or else `after`, with others that were passed over close behind. */
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
    bb_flow *stop = NULL; /* ends a whole round without another job */
    int goes_alone = !is_groupable(&g, flow->line.first);

    bb_key_set_clear(&queue->keys);
    while (queue->turn != NULL && g.count < queue->limits.max_group_requests && flow != stop) {
        bb_flow *next = flow->next;
        int is_last_of_line = flow->line.first->next == NULL;
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

size_t bb_queue_take_of_slow(bb_queue *queue, int64_t group_from, bb_job **jobs)
{
    group g = {.jobs = jobs, .from = group_from};
    bb_flow *flow = queue->slow_turn;
    int goes_alone;

    if (flow == NULL)
        return 0;
    goes_alone = !is_groupable(&g, flow->line.first);
    bb_key_set_clear(&queue->keys);
    queue->slow_turn = flow->next;
    while (g.count < queue->limits.max_group_requests && flow->line.first != NULL &&
           take_first(queue, &g, flow) && !goes_alone)
        continue;
    return g.count;
}
