/*
 * dispatcher.c: many requests at the price of few: the handle's workers write the waiting requests,
 * several in one transaction. Without workers, those that wait do the same in turn.
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
 *
 * Without workers there are the same places where groups are written, and a caller works at each:
 * the one whose job is the first of the group, as it waits for that anyway. The heir is the one
 * that will write the next group. It waits as a free worker does. When its own group is written, it
 * returns, and whoever is next is called. In quarantine, too, each caller does its own job, or the
 * group that its own job is the first of. And each watches its own deadline.
 */
#include "dispatch/dispatcher.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "dispatch/waiter.h"
#include "execute/conclude.h"
#include "execute/group.h"
#include "execute/job_log.h"
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

/* The places of callers. More groups at once are smaller ones: on two processors, PostgreSQL took a
 * third more time for each request with eight than with two. But a distant store gains by several,
 * and one group may wait for a lock. Where there is one writer, a second group is ready when the
 * first is committed; more gain nothing. */
enum { GROUPS_OF_CALLERS = 4, GROUPS_FOR_ONE_WRITER = 2, QUARANTINE_OF_CALLERS = 4 };

/* Where jobs are done, a group at a time: by a thread of its own, or by callers in turn. */
typedef struct place {
    bb_dispatcher *dispatcher;
    pthread_t thread;
    bb_job **jobs;       /* room for a group */
    bb_job **deferred;   /* room for those jobs of it that are not done */
    bb_job_group *group; /* room for its writes */
    int is_taken;        /* by a caller */
    size_t count;        /* jobs to do now */
    size_t parts;        /* shares in their time */
    uint32_t epoch;      /* of a group */
    int is_alone;        /* in quarantine: one job, by itself */
} place;

/* A thread that waits for the answer to its job. */
typedef struct caller {
    bb_waiter waiter;
    int is_asleep; /* or on the way there; otherwise it will look around before it is */
    place *place;  /* where jobs are left to it, the first of which is its own; or NULL */
} caller;

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
    uint32_t active_apart;         /* callers that write large requests by themselves */
    uint32_t active_in_quarantine; /* jobs and groups that the quarantine is writing */
    size_t in_flight;              /* requests in groups of this epoch that are being written */
    uint32_t epoch;          /* ends with the time below: groups that take longer count no more */
    int64_t linger_until_us; /* when any further group may begin; monotonic */
    int has_timer;           /* a worker, or the heir, waits for that */
    bb_job *heir;            /* whose caller is to lead the next group; NULL: nobody yet */
    uint32_t answering;      /* other threads that are about to answer jobs */
    int is_closing;          /* nothing more comes in */
    int is_over;             /* threads end */
    pthread_t expiry_thread;
    int has_expiry_thread;
    int has_threads;       /* otherwise callers do all of the work */
    uint32_t most_apart;   /* callers at once that may write large requests by themselves */
    uint32_t group_places; /* for as many groups at once; the quarantine's come after them */
    uint32_t place_count;  /* of both */
    uint32_t ready_places; /* that have their memory, and their thread */
    place *places;
};

/* -------------------------------------------------------------------------------------- workers */

static int has_free_place(const bb_dispatcher *d)
{
    return d->active < d->group_places;
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
    return d->queue.ready > 0 && has_free_place(d) &&
           is_worthwhile(d, d->queue.ready, d->queue.ready_contacts);
}

/* Whether something lingers that a free worker may take soon, and no worker waits for that time. */
static int needs_timer(const bb_dispatcher *d)
{
    return d->queue.ready > 0 && has_free_place(d) && !d->has_timer;
}

/* The more chatbots are known to wait, the smaller a worker's share is, as more of them are likely
 * to follow. */
static size_t parts_for_worker(const bb_dispatcher *d)
{
    return BB_FIRST_SHARES * (1 + d->queue.slow_chatbots);
}

static caller *caller_of(const bb_job *job)
{
    return job->done_ctx;
}

/* Wakes a job's caller, with the mutex held, unless it is about to look around anyway. */
static void call(const bb_job *job)
{
    caller *c = caller_of(job);

    if (!c->is_asleep)
        return;
    c->is_asleep = 0;
    bb_waiter_call(&c->waiter);
}

/* Call it, with the mutex held, after anything that may give a worker something to do. Where
 * callers do the work, the one whose job is next becomes the heir, and looks after the rest. */
static void wake_worker(bb_dispatcher *d)
{
    if (!needs_timer(d) && !may_take(d))
        return;
    if (d->has_threads) {
        pthread_cond_signal(&d->work);
        return;
    }
    if (d->heir == NULL)
        d->heir = d->queue.turn->line.first;
    if (d->heir != NULL)
        call(d->heir);
}

/* These jobs no longer wait to be taken. If one is the heir's, that needs a successor. */
static void drop_heir(bb_dispatcher *d, bb_job *const *jobs, size_t count)
{
    size_t i = 0;

    while (i < count && jobs[i] != d->heir)
        i++;
    if (d->heir == NULL || i == count)
        return;
    d->heir = NULL;
    d->has_timer = 0;
    wake_worker(d);
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
    if (!d->has_threads || deadline >= d->next_expiry)
        return;
    d->next_expiry = deadline;
    pthread_cond_signal(&d->expiry_changed);
}

static void wake_quarantine(bb_dispatcher *d);

/* Call it with the mutex held and before end_group(), so that the dispatcher is not drained in
 * between. While jobs are being written, their callers watch no deadline, so they are called. */
static void quarantine(bb_dispatcher *d, bb_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bb_queue_quarantine(&d->queue, jobs[i]);
        note_deadline(d, jobs[i]->access.deadline);
        if (!d->has_threads)
            call(jobs[i]);
    }
    if (count > 0)
        wake_quarantine(d);
}

/* Gives a place the next group, with the mutex held. */
static void take_group(bb_dispatcher *d, place *p)
{
    p->count = bb_queue_take(&d->queue, bb_deadline_in(GROUP_MARGIN_MS), p->jobs);
    p->epoch = begin_group(d, p->count);
    p->parts = parts_for_worker(d);
    drop_heir(d, p->jobs, p->count);
    wake_worker(d); /* more may wait than fits into one group */
}

/* Does what take_group() took. The mutex is held before and after. */
static void write_group(bb_dispatcher *d, place *p)
{
    size_t deferred;

    pthread_mutex_unlock(&d->mutex);
    deferred =
        bb_job_group_execute(d->executor, p->group, p->jobs, p->count, p->parts, p->deferred);
    pthread_mutex_lock(&d->mutex);
    quarantine(d, p->deferred, deferred);
    end_group(d, p->count, p->epoch);
}

static void *work(void *self_)
{
    place *self = self_;
    bb_dispatcher *d = self->dispatcher;

    pthread_mutex_lock(&d->mutex);
    for (;;) {
        int is_timer = 0;
        while (!may_take(d) && !d->is_over)
            is_timer = wait_for_work(d, is_timer);
        if (d->is_over)
            break;
        take_group(d, self);
        write_group(d, self);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* ----------------------------------------------------------------------------------- quarantine */

/* All but one place stay with slow jobs for long. */
static int prefers_slow(const place *p)
{
    const bb_dispatcher *d = p->dispatcher;

    return p != &d->places[d->place_count - 1];
}

static int take_alone(place *p, bb_job *job, size_t parts)
{
    if (job == NULL)
        return 0;
    p->jobs[0] = job;
    p->count = 1;
    p->parts = parts;
    p->is_alone = 1;
    return 1;
}

static int take_suspect(bb_dispatcher *d, place *p)
{
    return take_alone(p, bb_queue_take_suspect(&d->queue), BB_LEAST_SHARES);
}

/* A long share is the rest of a slow job's time, divided by the number of slow jobs. One place does
 * not give it, so that suspects need not wait for all of them. */
static int take_slow(bb_dispatcher *d, place *p)
{
    bb_job *job = bb_queue_take_slow(&d->queue);
    size_t parts = 1 + d->queue.slow_count;

    return take_alone(p, job, prefers_slow(p) ? parts : BB_FIRST_SHARES * parts);
}

static int take_of_slow_chatbot(bb_dispatcher *d, place *p)
{
    p->count = bb_queue_take_of_slow(&d->queue, bb_deadline_in(GROUP_MARGIN_MS), p->jobs);
    p->parts = BB_LEAST_SHARES;
    p->is_alone = 0;
    drop_heir(d, p->jobs, p->count);
    return p->count > 0;
}

/* Gives a place one step of the quarantine's work, with the mutex held, if there is any. Suspects
 * come before slow jobs, as most of them are not slow, and they have waited. */
static int take_step(bb_dispatcher *d, place *p)
{
    int has_taken = take_suspect(d, p) || (prefers_slow(p) && take_slow(d, p)) ||
                    take_of_slow_chatbot(d, p) || take_slow(d, p);

    if (has_taken)
        d->active_in_quarantine++;
    return has_taken;
}

/* Does a job by itself. The mutex is held before and after, as below. */
static void do_alone(bb_dispatcher *d, bb_job *job, size_t parts)
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

static void do_group_of_slow_chatbot(bb_dispatcher *d, place *p)
{
    int64_t chatbot_id = p->jobs[0]->access.chatbot_id;
    size_t deferred;

    pthread_mutex_unlock(&d->mutex);
    deferred =
        bb_job_group_execute(d->executor, p->group, p->jobs, p->count, p->parts, p->deferred);
    pthread_mutex_lock(&d->mutex);
    quarantine(d, p->deferred, deferred);
    if (deferred == 0)
        bb_queue_forget_slow(&d->queue, chatbot_id);
}

/* Does what take_step() took. */
static void do_step(bb_dispatcher *d, place *p)
{
    if (p->is_alone)
        do_alone(d, p->jobs[0], p->parts);
    else
        do_group_of_slow_chatbot(d, p);
    d->active_in_quarantine--;
    tell_if_drained(d);
}

static void *work_in_quarantine(void *self_)
{
    place *self = self_;
    bb_dispatcher *d = self->dispatcher;

    pthread_mutex_lock(&d->mutex);
    while (!d->is_over) {
        if (!take_step(d, self)) {
            pthread_cond_wait(&d->quarantined, &d->mutex);
            continue;
        }
        do_step(d, self);
        wake_worker(d); /* a chatbot may not be slow any longer */
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

/* Leaves what a place has taken to the caller of its first job. */
static void assign(place *p)
{
    p->is_taken = 1;
    caller_of(p->jobs[0])->place = p;
    call(p->jobs[0]);
}

/* Call it, with the mutex held, after anything that may give the quarantine something to do. */
static void wake_quarantine(bb_dispatcher *d)
{
    if (d->has_threads) {
        pthread_cond_broadcast(&d->quarantined);
        return;
    }
    for (uint32_t i = d->group_places; i < d->place_count; i++) {
        place *p = &d->places[i];
        if (!p->is_taken && take_step(d, p))
            assign(p);
    }
}

/* ------------------------------------------------------------------------------------ deadlines */

/* Tells the log of those jobs of a list by `next` that were never tried, if there are some. */
static void log_untried(const bb_executor *executor, const bb_job *job)
{
    size_t count = 0;
    bb_job_log_all all;
    bb_error error;

    bb_error_init(&error);
    bb_error_set(&error, BB_ERR_BUSY, "requests waited for their turn past their deadline");
    bb_job_log_all_begin(&all, executor, BB_LOG_ERROR, "queue", &error);
    for (; job != NULL; job = job->next) {
        if (job->attempts > 0)
            continue;
        bb_job_log_all_add(&all, job);
        count++;
    }
    if (count > 0)
        bb_job_log_all_end(&all);
}

/* Answers a list by `next`. */
static void expire(bb_executor *executor, bb_job *job)
{
    log_untried(executor, job);
    while (job != NULL) {
        bb_job *next = job->next;
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
        wake_quarantine(d);
    else
        wake_worker(d);
    return BB_OK;
}

int32_t bb_dispatcher_submit(bb_dispatcher *d, bb_job *job, uint64_t *ticket)
{
    int32_t code;

    if (!d->has_threads)
        return BB_ERR_ARGUMENT;
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

    if (!d->has_threads) /* those that wait have no tickets */
        return BB_ERR_NOT_FOUND;
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

/* ------------------------------------------------------------------------------- those who wait */

static void answer_caller(bb_job *job, bb_result *result)
{
    bb_waiter_answer(&caller_of(job)->waiter, result);
}

static place *free_place(bb_dispatcher *d)
{
    place *p = d->places;

    while (p->is_taken) /* no more of them than groups that are being written */
        p++;
    return p;
}

/* The place where a caller has something to do now, or NULL. The heir takes groups as long as it
 * may; if its own job is not the first of one, it leaves that to others. */
static place *next_place(bb_dispatcher *d, const bb_job *job, caller *c)
{
    place *p;

    if (d->heir == job)
        d->has_timer = 0;
    while (c->place == NULL && d->heir == job && may_take(d)) {
        p = free_place(d);
        take_group(d, p);
        assign(p);
    }
    p = c->place;
    c->place = NULL;
    return p;
}

/* Does what a place has taken, and gives it back. The mutex is held before and after. */
static void work_at(bb_dispatcher *d, place *p)
{
    int is_in_quarantine = p >= &d->places[d->group_places];

    if (is_in_quarantine)
        do_step(d, p);
    else
        write_group(d, p);
    p->is_taken = 0;
    if (is_in_quarantine)
        wake_quarantine(d);
    wake_worker(d);
}

/* Whether a job still waits, and for too long. With threads, one of these watches that. */
static int is_overdue(const bb_dispatcher *d, const bb_job *job)
{
    return !d->has_threads && job->list != NULL && bb_deadline_left(job->access.deadline) == 0;
}

/* Until when a caller may sleep, if nobody calls it. */
static int64_t sleeps_until(bb_dispatcher *d, const bb_job *job)
{
    int64_t until = INT64_MAX;

    if (!d->has_threads && job->list != NULL && job->access.deadline < INT64_MAX / 1000)
        until = job->access.deadline * 1000;
    if (d->heir != job || !needs_timer(d))
        return until;
    d->has_timer = 1;
    return d->linger_until_us < until ? d->linger_until_us : until;
}

/* Takes an overdue job out of the queue and answers it. Releases the mutex. */
static bb_result *give_up(bb_dispatcher *d, bb_job *job)
{
    bb_queue_remove(&d->queue, job);
    drop_heir(d, &job, 1);
    wake_worker(d); /* as in expire_overdue() */
    pthread_mutex_unlock(&d->mutex);
    job->next = NULL;
    log_untried(d->executor, job);
    return bb_job_expire(d->executor, job);
}

/* Waits until a job that was queued is answered; meanwhile does what is left to its caller. The
 * mutex is held before, and not after. */
static bb_result *see_through(bb_dispatcher *d, bb_job *job, caller *c)
{
    bb_result *result;

    for (;;) {
        place *p = next_place(d, job, c);
        int64_t until;
        if (p != NULL) {
            work_at(d, p);
            continue;
        }
        if (is_overdue(d, job))
            return give_up(d, job);
        until = sleeps_until(d, job);
        c->is_asleep = 1;
        pthread_mutex_unlock(&d->mutex);
        result = bb_waiter_wait(&c->waiter, until);
        if (result != NULL)
            return result;
        pthread_mutex_lock(&d->mutex);
        c->is_asleep = 0;
    }
}

/* Does a job until its share of time is over; then puts it into quarantine, and returns NULL. The
 * mutex is held before and after, as below. */
static bb_result *try_here(bb_dispatcher *d, bb_job *job)
{
    size_t parts = parts_for_worker(d);
    bb_result *result;

    pthread_mutex_unlock(&d->mutex);
    result = job->execute(d->executor, job,
                          bb_share_alone(d->executor->storage, job->access.deadline, parts));
    pthread_mutex_lock(&d->mutex);
    if (result == NULL)
        quarantine(d, &job, 1);
    return result;
}

/* Does a job in a worker's place. */
static bb_result *run_as_group(bb_dispatcher *d, bb_job *job)
{
    uint32_t epoch = begin_group(d, 1);
    bb_result *result = try_here(d, job);

    end_group(d, 1, epoch);
    wake_worker(d);
    return result;
}

static bb_result *run_apart(bb_dispatcher *d, bb_job *job)
{
    bb_result *result;

    d->active_apart++;
    result = try_here(d, job);
    d->active_apart--;
    return result;
}

/* Whether a job may begin now, as none waits for a place, one is free, and that is worthwhile. */
static int may_begin(const bb_dispatcher *d, const bb_job *job)
{
    return d->queue.ready == 0 && has_free_place(d) && is_worthwhile(d, 1, bb_job_contacts(job)) &&
           !bb_queue_is_slow(&d->queue, job->access.chatbot_id);
}

/* Whether its caller may do a job beside all groups: it would gain nothing by company, and others
 * would wait for it. */
static int may_go_apart(const bb_dispatcher *d, const bb_job *job)
{
    return d->active_apart < d->most_apart && bb_job_contacts(job) >= WORTHWHILE_CONTACTS &&
           !bb_queue_is_slow(&d->queue, job->access.chatbot_id);
}

static bb_result *run_job(bb_dispatcher *d, bb_job *job, caller *c)
{
    bb_result *result = NULL;
    int32_t code = BB_OK;

    pthread_mutex_lock(&d->mutex);
    if (may_begin(d, job))
        result = run_as_group(d, job);
    else if (may_go_apart(d, job))
        result = run_apart(d, job);
    else
        code = enqueue(d, job);
    if (code == BB_OK && result == NULL)
        return see_through(d, job, c);
    pthread_mutex_unlock(&d->mutex);
    if (result != NULL)
        return result;
    return bb_response_plain(BB_FAULT(code));
}

bb_result *bb_dispatcher_run(bb_dispatcher *d, bb_job *job)
{
    bb_result *result;
    caller c = {.place = NULL};

    if (bb_waiter_init(&c.waiter) != 0)
        return bb_response_plain(BB_FAULT(BB_ERR_INTERNAL));
    job->done = answer_caller;
    // cppcheck-suppress autoVariables ; the job has been answered when this function returns
    job->done_ctx = &c;
    result = run_job(d, job, &c);
    bb_waiter_destroy(&c.waiter);
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

static void free_place_memory(const bb_allocator *allocator, place *p)
{
    bb_job_group_free(p->group);
    bb_free(allocator, p->deferred);
    bb_free(allocator, p->jobs);
}

/* Takes a place's memory beforehand, so that writing never fails for want of it. */
static int32_t prepare_place(bb_dispatcher *d, place *p)
{
    size_t max = d->queue.limits.max_group_requests;

    p->dispatcher = d;
    p->jobs = bb_alloc_array(&d->allocator, max, sizeof(bb_job *));
    p->deferred = bb_alloc_array(&d->allocator, max, sizeof(bb_job *));
    p->group = bb_job_group_new(&d->allocator, max);
    return p->jobs != NULL && p->deferred != NULL && p->group != NULL ? BB_OK : BB_ERR_NOMEM;
}

static int32_t open_place(bb_dispatcher *d)
{
    int is_in_quarantine = d->ready_places >= d->group_places;
    place *p = &d->places[d->ready_places];
    int32_t code = prepare_place(d, p);

    if (code == BB_OK && d->has_threads &&
        !start_thread(&p->thread, is_in_quarantine ? work_in_quarantine : work, p))
        code = BB_ERR_INTERNAL;
    if (code == BB_OK)
        d->ready_places++;
    else
        free_place_memory(&d->allocator, p);
    return code;
}

static int32_t start(bb_dispatcher *d)
{
    int32_t code = BB_OK;

    if (d->has_threads) {
        if (!start_thread(&d->expiry_thread, expire_overdue, d))
            return BB_ERR_INTERNAL;
        d->has_expiry_thread = 1;
    }
    while (code == BB_OK && d->ready_places < d->place_count)
        code = open_place(d);
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

/* How many places of each kind there are. All places of callers are together no more than the
 * sessions, unless there is only one, so that none waits for another's. */
static void count_places(bb_dispatcher *d, uint32_t workers)
{
    uint32_t sessions = d->executor->pool.max;
    int has_one_writer = (d->executor->storage->vtable.flags & BB_STORAGE_ONE_WRITER) != 0;
    uint32_t groups = has_one_writer ? GROUPS_FOR_ONE_WRITER : GROUPS_OF_CALLERS;
    uint32_t all = groups + QUARANTINE_OF_CALLERS;

    d->has_threads = workers > 0;
    d->group_places = workers;
    d->place_count = workers + BB_QUARANTINE_WORKERS;
    if (d->has_threads)
        return;
    if (sessions > all && !has_one_writer)
        d->most_apart = sessions - all;
    if (sessions < all) {
        groups = (sessions + 1) / 2 < groups ? (sessions + 1) / 2 : groups;
        all = sessions > groups ? sessions : groups + 1;
    }
    d->group_places = groups;
    d->place_count = all;
}

int32_t bb_dispatcher_open(bb_executor *executor, uint32_t workers, const bb_queue_limits *limits,
                           bb_random_fn random, void *random_ctx, bb_dispatcher **out)
{
    bb_dispatcher *d = bb_zalloc(&executor->allocator, sizeof *d);
    int32_t code;

    if (d == NULL)
        return BB_ERR_NOMEM;
    d->allocator = executor->allocator;
    d->executor = executor;
    d->next_expiry = INT64_MAX;
    count_places(d, workers);
    d->places = bb_zalloc(&d->allocator, d->place_count * sizeof *d->places);
    code = d->places != NULL ? init(d, limits, random, random_ctx) : BB_ERR_NOMEM;
    if (code != BB_OK) {
        bb_free(&executor->allocator, d->places);
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
    for (uint32_t i = 0; i < d->ready_places; i++) {
        if (d->has_threads)
            pthread_join(d->places[i].thread, NULL);
        free_place_memory(&allocator, &d->places[i]);
    }
    pthread_mutex_destroy(&d->mutex);
    pthread_cond_destroy(&d->drained);
    pthread_cond_destroy(&d->quarantined);
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->expiry_changed);
    bb_queue_free(&d->queue);
    bb_free(&allocator, d->places);
    bb_free(&allocator, d);
}

void bb_dispatcher_abandon(bb_dispatcher *d)
{
    bb_allocator allocator;

    if (d == NULL)
        return;
    allocator = d->allocator;
    for (uint32_t i = 0; i < d->ready_places; i++)
        free_place_memory(&allocator, &d->places[i]);
    bb_free(&allocator, d->places);
    bb_free(&allocator, d);
}
