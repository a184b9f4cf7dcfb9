/*
 * dispatcher.c: many requests at the price of few: the handle's workers write the waiting requests,
 * several in one transaction.
 *
 * A request that finds nothing going on is written at once. While a group is being written,
 * requests gather, and the next group takes what is there: when that one is done, or earlier by a
 * free worker if that is worthwhile, see is_worthwhile(). A caller that waits for its answer anyway
 * does a free worker's work itself, which saves two changes of threads. So `active` counts all
 * threads that write, and the workers write the rest.
 *
 * The store does not say what a write waits for, such as a row that the host has locked. So each
 * write gets a share of its request's time. A request that is not done by then goes into
 * quarantine, to two threads that do nothing else. They write the suspects of a group that took too
 * long one by one, slow requests again and again, and new requests for a slow one's chatbot in
 * groups of their own, as these would make others wait, too. So workers and sessions are soon free
 * again for everyone else.
 *
 * Many locked rows do not add up to what others wait: the more chatbots are known to wait, the
 * smaller a worker's share is, and the first share in quarantine is the least there is. A request
 * that needs longer becomes slow, and gets more time when no suspect waits for that thread.
 */
#include "dispatch/dispatcher.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "execute/conclude.h"
#include "execute/group.h"
#include "request/response.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/condition.h"
#include "util/random.h"

/* A request with less time than this is written alone: a group has the earliest deadline of its
 * requests, so it would take others down with it. */
enum { GROUP_MARGIN_MS = 100 };

/* A group of this many contacts is worthwhile, as its own cost is small beside theirs. */
enum { WORTHWHILE_CONTACTS = 128 };

/* How long, at most, a further group lingers after another has begun. With a store nearby, a group
 * takes about that long. With a distant one, where several at once gain more, it is short beside a
 * round trip. */
enum { LINGER_US = 2000 };

/* Bytes of every thread's stack; platforms' defaults differ from 128 KiB to whatever ulimit says.
 * The most that was measured is 154 KB, for comparing JSON of 512 levels, and less than 512 KiB
 * with AddressSanitizer; the rest is for name services below libpq and the host's callbacks. */
enum { THREAD_STACK = 1 << 20 };

typedef struct worker {
    bb_dispatcher *dispatcher;
    pthread_t thread;
    bb_job **jobs;       /* room for a group */
    bb_job **deferred;   /* room for those jobs of it that are not done */
    bb_job_group *group; /* room for its writes */
} worker;

struct bb_dispatcher {
    bb_allocator allocator;
    bb_executor *executor;
    pthread_mutex_t mutex;         /* guards the rest but the workers */
    pthread_cond_t work;           /* something waits that may be taken */
    pthread_cond_t quarantined;    /* a job was, or waits for a slow chatbot */
    pthread_cond_t expiry_changed; /* `next_expiry` is earlier than it was */
    pthread_cond_t drained;
    bb_queue queue;
    int64_t next_expiry;           /* no waiting job has an earlier deadline */
    uint32_t active;               /* groups that are being written */
    uint32_t active_in_quarantine; /* jobs and groups that the quarantine is writing */
    size_t in_flight;              /* requests in groups of this epoch that are being written */
    uint32_t epoch;          /* ends with the time below: groups that take longer count no more */
    int64_t linger_until_us; /* when any further group may begin; monotonic */
    int has_timer;           /* a worker waits for that */
    uint32_t answering;      /* other threads that are about to answer jobs */
    int is_closing;          /* nothing more comes in */
    int is_over;             /* threads end */
    pthread_t expiry_thread;
    int has_expiry_thread;
    uint32_t worker_count; /* those asked for; the quarantine's come after them */
    uint32_t started;
    worker workers[];
};

/* ------------------------------------------------------------------------------------- workers */

static int has_free_worker(const bb_dispatcher *d)
{
    return d->active < d->worker_count;
}

/*
 * Whether a group of so many requests and contacts should begin. If no other is in flight, or only
 * one that takes long, always. Otherwise a few requests are better off in the next group: two
 * groups at once share the store's processors, and each costs as much as many contacts. So about
 * twice as many must wait as are in flight; beside a lone request, one is enough.
 */
static int is_worthwhile(const bb_dispatcher *d, size_t requests, size_t contacts)
{
    return d->active == 0 || requests + 1 >= 2 * d->in_flight || contacts >= WORTHWHILE_CONTACTS ||
           requests >= d->queue.limits.max_group_requests ||
           contacts >= d->queue.limits.max_group_contacts ||
           bb_monotonic_us() >= d->linger_until_us;
}

static int may_take(const bb_dispatcher *d)
{
    return d->queue.ready > 0 && has_free_worker(d) &&
           is_worthwhile(d, d->queue.ready, d->queue.ready_contacts);
}

/* Whether something lingers that a free worker may take soon, and no worker waits for that time. */
static int needs_timer(const bb_dispatcher *d)
{
    return d->queue.ready > 0 && has_free_worker(d) && !d->has_timer;
}

/* The more chatbots are known to wait, the smaller a worker's share is, as more of them are likely
 * to follow. */
static size_t parts_for_worker(const bb_dispatcher *d)
{
    return BB_FIRST_SHARES * (1 + d->queue.slow_chatbots);
}

/* Call it, with the mutex held, after anything that may give a worker something to do. */
static void wake_worker(bb_dispatcher *d)
{
    if (needs_timer(d) || may_take(d))
        pthread_cond_signal(&d->work);
}

static int is_drained(const bb_dispatcher *d)
{
    return d->active == 0 && d->active_in_quarantine == 0 && d->answering == 0 &&
           d->queue.count == 0;
}

/* Begins a group, with the mutex held. Returns the epoch, for its end. Groups of earlier epochs do
 * not count as in flight, so that one that is stuck keeps nobody waiting twice. */
static uint32_t begin_group(bb_dispatcher *d, size_t requests)
{
    int64_t now = bb_monotonic_us();

    if (now >= d->linger_until_us) {
        d->epoch++;
        d->in_flight = 0;
    }
    d->active++;
    d->in_flight += requests;
    d->linger_until_us = now + LINGER_US;
    return d->epoch;
}

static void tell_if_drained(bb_dispatcher *d)
{
    if (d->is_closing && is_drained(d))
        pthread_cond_signal(&d->drained);
}

/* The worker or caller that wrote the group must then look for more, or wake a worker. */
static void end_group(bb_dispatcher *d, size_t requests, uint32_t epoch)
{
    d->active--;
    if (epoch == d->epoch)
        d->in_flight -= requests;
    tell_if_drained(d);
}

static void end_answering(bb_dispatcher *d)
{
    d->answering--;
    tell_if_drained(d);
}

/* Waits, with the mutex held, until there may be something to take. One of the free workers is the
 * timer: it also waits for the time when a group need linger no more, and stays the timer until
 * then, so that it is not woken for each group. Returns whether it still is. */
static int wait_for_work(bb_dispatcher *d, int is_timer)
{
    int is_early;

    if (!is_timer && !needs_timer(d)) {
        pthread_cond_wait(&d->work, &d->mutex);
        return 0;
    }
    d->has_timer = 1;
    is_early = bb_condition_wait_us(&d->work, &d->mutex, d->linger_until_us);
    d->has_timer = 0;
    return is_early;
}

/* Tells the expiry thread of a deadline, with the mutex held. */
static void note_deadline(bb_dispatcher *d, int64_t deadline)
{
    if (deadline >= d->next_expiry)
        return;
    d->next_expiry = deadline;
    pthread_cond_signal(&d->expiry_changed);
}

/* Call it with the mutex held and before end_group(), so that the dispatcher is not drained in
 * between. */
static void quarantine(bb_dispatcher *d, bb_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bb_queue_quarantine(&d->queue, jobs[i]);
        note_deadline(d, jobs[i]->access.deadline);
    }
    if (count > 0)
        pthread_cond_broadcast(&d->quarantined);
}

static void *work(void *self_)
{
    worker *self = self_;
    bb_dispatcher *d = self->dispatcher;

    pthread_mutex_lock(&d->mutex);
    for (;;) {
        int is_timer = 0;
        uint32_t epoch;
        size_t count;
        size_t parts;
        size_t deferred;
        while (!may_take(d) && !d->is_over)
            is_timer = wait_for_work(d, is_timer);
        if (d->is_over)
            break;
        count = bb_queue_take(&d->queue, bb_deadline_in(GROUP_MARGIN_MS), self->jobs);
        epoch = begin_group(d, count);
        parts = parts_for_worker(d);
        wake_worker(d); /* more may wait than fits into one group */
        pthread_mutex_unlock(&d->mutex);
        deferred = bb_job_group_execute(d->executor, self->group, self->jobs, count, parts,
                                        self->deferred);
        pthread_mutex_lock(&d->mutex);
        quarantine(d, self->deferred, deferred);
        end_group(d, count, epoch);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* ---------------------------------------------------------------------------------- quarantine */

/* One of the two threads stays with slow jobs for long. */
static int prefers_slow(const worker *self)
{
    return self == &self->dispatcher->workers[self->dispatcher->worker_count];
}

/* Does a job by itself, with one of `parts` shares. The mutex is held before and after. */
static void try_alone(bb_dispatcher *d, bb_job *job, size_t parts)
{
    bb_share share = bb_share_alone(d->executor->storage, job->access.deadline, parts);
    bb_flow *flow = job->flow;
    bb_result *result;
    int is_done = 0;

    pthread_mutex_unlock(&d->mutex);
    result = job->execute(d->executor, job, share);
    if (result != NULL) {
        is_done = bb_result_status(result) != BB_STATUS_UNAVAILABLE;
        job->done(job, result);
    }
    pthread_mutex_lock(&d->mutex);
    if (result == NULL)
        quarantine(d, &job, 1);
    else
        bb_queue_end_slow(&d->queue, flow, is_done);
}

/* A long share is the rest of a slow job's time, divided by the number of slow jobs. Only one
 * thread gives it, so that suspects do not wait for the other one. */
static int try_slow(bb_dispatcher *d, const worker *self)
{
    bb_job *job = bb_queue_take_slow(&d->queue);
    size_t parts = 1 + d->queue.slow_count;

    if (job == NULL)
        return 0;
    try_alone(d, job, prefers_slow(self) ? parts : BB_FIRST_SHARES * parts);
    return 1;
}

static int try_suspect(bb_dispatcher *d)
{
    bb_job *job = bb_queue_take_suspect(&d->queue);

    if (job == NULL)
        return 0;
    try_alone(d, job, BB_LEAST_SHARES);
    return 1;
}

static int try_slow_chatbot(bb_dispatcher *d, worker *self)
{
    size_t deferred;
    int64_t chatbot_id;
    size_t count = bb_queue_take_of_slow(&d->queue, bb_deadline_in(GROUP_MARGIN_MS), self->jobs);

    if (count == 0)
        return 0;
    chatbot_id = self->jobs[0]->access.chatbot_id;
    pthread_mutex_unlock(&d->mutex);
    deferred = bb_job_group_execute(d->executor, self->group, self->jobs, count, BB_LEAST_SHARES,
                                    self->deferred);
    pthread_mutex_lock(&d->mutex);
    quarantine(d, self->deferred, deferred);
    if (deferred == 0)
        bb_queue_forget_slow(&d->queue, chatbot_id);
    return 1;
}

/* Does one step of the quarantine's work, if there is any. Suspects come before slow jobs, as most
 * of them are not slow, and they have waited. */
static int step_in_quarantine(bb_dispatcher *d, worker *self)
{
    int has_done;

    d->active_in_quarantine++;
    has_done = try_suspect(d) || (prefers_slow(self) && try_slow(d, self)) ||
               try_slow_chatbot(d, self) || try_slow(d, self);
    d->active_in_quarantine--;
    tell_if_drained(d);
    return has_done;
}

static void *work_in_quarantine(void *self)
{
    bb_dispatcher *d = ((worker *)self)->dispatcher;

    pthread_mutex_lock(&d->mutex);
    while (!d->is_over) {
        if (step_in_quarantine(d, self))
            wake_worker(d); /* a chatbot may not be slow any longer */
        else
            pthread_cond_wait(&d->quarantined, &d->mutex);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* ----------------------------------------------------------------------------------- deadlines */

/* Answers a list by `next`. Jobs that were never tried share a line in the log. */
static void expire(bb_executor *executor, bb_job *job)
{
    int is_told = 0;
    bb_error error;

    bb_error_init(&error);
    bb_error_set(&error, BB_ERR_BUSY, "requests waited for a worker past their deadline");
    while (job != NULL) {
        bb_job *next = job->next;
        if (job->attempts == 0 && !is_told++)
            bb_executor_log(executor, BB_LOG_ERROR, "queue", &error);
        job->done(job, bb_job_expire(executor, job));
        job = next;
    }
}

/* The thread that answers jobs at their deadlines, since all workers may be busy for longer. */
static void *expire_overdue(void *dispatcher)
{
    bb_dispatcher *d = dispatcher;

    pthread_mutex_lock(&d->mutex);
    while (!d->is_over) {
        if (d->next_expiry == INT64_MAX) {
            pthread_cond_wait(&d->expiry_changed, &d->mutex);
        } else if (bb_deadline_left(d->next_expiry) > 0) {
            bb_condition_wait(&d->expiry_changed, &d->mutex, d->next_expiry);
        } else {
            bb_job *expired = bb_queue_take_expired(&d->queue, bb_deadline_in(0), &d->next_expiry);
            d->answering++;
            pthread_mutex_unlock(&d->mutex);
            expire(d->executor, expired);
            pthread_mutex_lock(&d->mutex);
            end_answering(d);
            wake_worker(d); /* a chatbot may not be slow any longer */
        }
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* -------------------------------------------------------------------------------- what comes in */

/* With the mutex held. */
static int32_t enqueue(bb_dispatcher *d, bb_job *job)
{
    int32_t code = d->is_closing ? BB_ERR_CLOSED : bb_queue_push(&d->queue, job);

    if (code != BB_OK)
        return code;
    note_deadline(d, job->access.deadline);
    if (bb_queue_is_slow(&d->queue, job->access.chatbot_id))
        pthread_cond_signal(&d->quarantined);
    else
        wake_worker(d);
    return BB_OK;
}

int32_t bb_dispatcher_submit(bb_dispatcher *d, bb_job *job, uint64_t *ticket)
{
    int32_t code;

    pthread_mutex_lock(&d->mutex);
    code = enqueue(d, job);
    if (code == BB_OK && ticket != NULL)
        *ticket = job->ticket;
    pthread_mutex_unlock(&d->mutex);
    return code;
}

int32_t bb_dispatcher_cancel(bb_dispatcher *d, uint64_t ticket)
{
    bb_job *job;

    pthread_mutex_lock(&d->mutex);
    job = bb_queue_find(&d->queue, ticket);
    if (job != NULL) {
        bb_queue_remove(&d->queue, job);
        d->answering++;
    }
    pthread_mutex_unlock(&d->mutex);
    if (job == NULL)
        return BB_ERR_NOT_FOUND;
    job->done(job, bb_response_plain(BB_FAULT(BB_ERR_CANCELLED)));
    bb_count(&d->executor->counters.cancelled, 1);
    pthread_mutex_lock(&d->mutex);
    end_answering(d);
    wake_worker(d); /* as in expire_overdue() */
    pthread_mutex_unlock(&d->mutex);
    return BB_OK;
}

/* A caller that waits for another thread's answer. A semaphore may be destroyed as soon as the wait
 * for it is over, and the woken thread meets no mutex that the other still holds. */
typedef struct waiter {
    sem_t answered;
    bb_result *result;
} waiter;

static void wake_caller(bb_job *job, bb_result *result)
{
    waiter *w = job->done_ctx;

    w->result = result;
    sem_post(&w->answered);
}

static bb_result *wait_for(waiter *w)
{
    while (sem_wait(&w->answered) != 0) /* a signal of the host's */
        continue;
    return w->result;
}

/* Queues the job and waits for its answer. */
static bb_result *run_queued(bb_dispatcher *d, bb_job *job, waiter *w)
{
    int32_t code = bb_dispatcher_submit(d, job, NULL);

    if (code == BB_OK)
        return wait_for(w);
    return bb_response_plain(BB_FAULT(code));
}

/* Takes a free worker's place, if no job waits for one and that is worthwhile. Writes the epoch to
 * `*epoch`, and to `*parts` the number of shares in the job's time. */
static int take_place(bb_dispatcher *d, const bb_job *job, uint32_t *epoch, size_t *parts)
{
    int is_free;

    pthread_mutex_lock(&d->mutex);
    is_free = d->queue.ready == 0 && has_free_worker(d) &&
              is_worthwhile(d, 1, bb_job_contacts(job)) &&
              !bb_queue_is_slow(&d->queue, job->access.chatbot_id);
    if (is_free) {
        *epoch = begin_group(d, 1);
        *parts = parts_for_worker(d);
    }
    pthread_mutex_unlock(&d->mutex);
    return is_free;
}

/* Does a job in a worker's place, and gives that back when the job's share of time is over. */
static bb_result *run_here(bb_dispatcher *d, bb_job *job, uint32_t epoch, size_t parts, waiter *w)
{
    bb_share share = bb_share_alone(d->executor->storage, job->access.deadline, parts);
    bb_result *result = job->execute(d->executor, job, share);

    pthread_mutex_lock(&d->mutex);
    if (result == NULL)
        quarantine(d, &job, 1);
    end_group(d, 1, epoch);
    wake_worker(d);
    pthread_mutex_unlock(&d->mutex);
    return result != NULL ? result : wait_for(w);
}

bb_result *bb_dispatcher_run(bb_dispatcher *d, bb_job *job)
{
    bb_result *result;
    uint32_t epoch;
    size_t parts;
    waiter w;

    if (sem_init(&w.answered, 0, 0) != 0)
        return bb_response_plain(BB_FAULT(BB_ERR_INTERNAL));
    job->done = wake_caller;
    // cppcheck-suppress autoVariables ; the job has been answered when this function returns
    job->done_ctx = &w;
    result = take_place(d, job, &epoch, &parts) ? run_here(d, job, epoch, parts, &w)
                                                : run_queued(d, job, &w);
    sem_destroy(&w.answered);
    return result;
}

void bb_dispatcher_load(bb_dispatcher *d, size_t *queued, size_t *queued_bytes)
{
    pthread_mutex_lock(&d->mutex);
    *queued = d->queue.count;
    *queued_bytes = d->queue.bytes;
    pthread_mutex_unlock(&d->mutex);
}

/* -------------------------------------------------------------------------- opening and closing */

static int init_conditions(bb_dispatcher *d)
{
    if (bb_condition_init(&d->expiry_changed) != 0)
        return 0;
    if (bb_condition_init(&d->work) != 0) {
        pthread_cond_destroy(&d->expiry_changed);
        return 0;
    }
    pthread_cond_init(&d->quarantined, NULL);
    pthread_cond_init(&d->drained, NULL);
    pthread_mutex_init(&d->mutex, NULL);
    return 1;
}

/* Starts it with all signals blocked: they are for the host's threads. */
static int start_thread(pthread_t *thread, void *(*run)(void *), void *ctx)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int failed;

    if (pthread_attr_init(&attributes) != 0)
        return 0;
    sigfillset(&all);
    failed = pthread_attr_setstacksize(&attributes, THREAD_STACK);
    if (failed == 0)
        failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (failed == 0) {
        failed = pthread_create(thread, &attributes, run, ctx);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return failed == 0;
}

static void free_worker(const bb_allocator *allocator, worker *w)
{
    bb_job_group_free(w->group);
    bb_free(allocator, w->deferred);
    bb_free(allocator, w->jobs);
}

/* Takes a worker's memory before it starts, so that writing never fails for want of it. */
static int32_t start_worker(bb_dispatcher *d)
{
    worker *w = &d->workers[d->started];
    size_t max = d->queue.limits.max_group_requests;
    int32_t code = BB_ERR_NOMEM;

    w->dispatcher = d;
    w->jobs = bb_alloc_array(&d->allocator, max, sizeof(bb_job *));
    w->deferred = bb_alloc_array(&d->allocator, max, sizeof(bb_job *));
    w->group = bb_job_group_new(&d->allocator, max);
    if (w->jobs != NULL && w->deferred != NULL && w->group != NULL) {
        if (start_thread(&w->thread, d->started < d->worker_count ? work : work_in_quarantine, w)) {
            d->started++;
            return BB_OK;
        }
        code = BB_ERR_INTERNAL;
    }
    free_worker(&d->allocator, w);
    return code;
}

static int32_t start(bb_dispatcher *d)
{
    int32_t code = BB_OK;

    if (!start_thread(&d->expiry_thread, expire_overdue, d))
        return BB_ERR_INTERNAL;
    d->has_expiry_thread = 1;
    while (code == BB_OK && d->started < d->worker_count + BB_QUARANTINE_WORKERS)
        code = start_worker(d);
    return code;
}

static int32_t init(bb_dispatcher *d, const bb_queue_limits *limits, bb_random_fn random,
                    void *random_ctx)
{
    uint8_t seed[BB_HASH_SEED_SIZE];
    int32_t code;

    if (bb_random_fill(random, random_ctx, seed, sizeof seed) != 0)
        return BB_ERR_INTERNAL;
    code = bb_queue_init(&d->queue, &d->allocator, seed, limits);
    if (code == BB_OK && !init_conditions(d)) {
        bb_queue_free(&d->queue);
        code = BB_ERR_INTERNAL;
    }
    return code;
}

int32_t bb_dispatcher_open(bb_executor *executor, uint32_t workers, const bb_queue_limits *limits,
                           bb_random_fn random, void *random_ctx, bb_dispatcher **out)
{
    bb_dispatcher *d =
        bb_zalloc(&executor->allocator,
                  sizeof *d + ((size_t)workers + BB_QUARANTINE_WORKERS) * sizeof d->workers[0]);
    int32_t code;

    if (d == NULL)
        return BB_ERR_NOMEM;
    d->allocator = executor->allocator;
    d->executor = executor;
    d->worker_count = workers;
    d->next_expiry = INT64_MAX;
    code = init(d, limits, random, random_ctx);
    if (code != BB_OK) {
        bb_free(&executor->allocator, d);
        return code;
    }
    code = start(d);
    if (code != BB_OK) {
        bb_dispatcher_close(d);
        return code;
    }
    *out = d;
    return BB_OK;
}

/* Waits until nothing is left to do, then tells the threads to end. */
static void drain(bb_dispatcher *d)
{
    pthread_mutex_lock(&d->mutex);
    d->is_closing = 1;
    while (!is_drained(d))
        pthread_cond_wait(&d->drained, &d->mutex);
    d->is_over = 1;
    pthread_cond_broadcast(&d->work);
    pthread_cond_broadcast(&d->quarantined);
    pthread_cond_signal(&d->expiry_changed);
    pthread_mutex_unlock(&d->mutex);
}

void bb_dispatcher_close(bb_dispatcher *d)
{
    bb_allocator allocator;

    if (d == NULL)
        return;
    allocator = d->allocator;
    drain(d);
    if (d->has_expiry_thread)
        pthread_join(d->expiry_thread, NULL);
    for (uint32_t i = 0; i < d->started; i++) {
        pthread_join(d->workers[i].thread, NULL);
        free_worker(&allocator, &d->workers[i]);
    }
    pthread_mutex_destroy(&d->mutex);
    pthread_cond_destroy(&d->drained);
    pthread_cond_destroy(&d->quarantined);
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->expiry_changed);
    bb_queue_free(&d->queue);
    bb_free(&allocator, d);
}

void bb_dispatcher_abandon(bb_dispatcher *d)
{
    bb_allocator allocator;

    if (d == NULL)
        return;
    allocator = d->allocator;
    for (uint32_t i = 0; i < d->started; i++) {
        bb_job_group_free(d->workers[i].group);
        bb_free(&allocator, d->workers[i].jobs);
    }
    bb_free(&allocator, d);
}
