/*
 * session_pool.c: the storage sessions of a handle: opened when needed, up to a number, and lent to
 * one thread at a time.
 */
#include "execute/session_pool.h"

#include <string.h>

#include "execute/storage.h"
#include "util/alloc.h"
#include "util/condition.h"

/* How long to leave a store in peace that refused another session, and how long to wait for one
 * that went away: a restart, or a standby that takes over, is a matter of seconds. */
enum { REFUSED_MS = 1000, GONE_MS = 10000 };

static int init_locks(bb_session_pool *pool)
{
    if (bb_condition_init(&pool->returned) != 0)
        return 0;
    if (pthread_mutex_init(&pool->mutex, NULL) == 0)
        return 1;
    pthread_cond_destroy(&pool->returned);
    return 0;
}

int32_t bb_session_pool_init(bb_session_pool *pool, bb_storage *storage,
                             const bb_allocator *allocator, uint32_t max)
{
    pool->allocator = *allocator;
    pool->storage = storage;
    pool->idle_count = 0;
    pool->idle_ms = 0;
    pool->open_count = 0;
    pool->opening_count = 0;
    pool->opens_begun = 0;
    pool->opens_ended = 0;
    pool->refused_until = 0;
    pool->gone_until = 0;
    pool->max = max;
    pool->idle = bb_alloc_array(allocator, max, sizeof *pool->idle);
    if (pool->idle == NULL)
        return BB_ERR_NOMEM;
    if (init_locks(pool))
        return BB_OK;
    bb_free(allocator, pool->idle);
    return BB_ERR_NOMEM;
}

void bb_session_pool_close(bb_session_pool *pool)
{
    for (uint32_t i = 0; i < pool->idle_count; i++)
        pool->storage->vtable.session_close(pool->idle[i].session);
    bb_free(&pool->allocator, pool->idle);
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->returned);
}

void bb_session_pool_abandon(bb_session_pool *pool)
{
    bb_free(&pool->allocator, pool->idle);
}

static int has_sessions(const bb_session_pool *pool)
{
    return pool->open_count > pool->opening_count;
}

/* Whether another session may be opened now. */
static int may_open(const bb_session_pool *pool)
{
    return pool->open_count < pool->max &&
           (!has_sessions(pool) || bb_deadline_left(pool->refused_until) == 0);
}

/* Waits, with the mutex held, until there is an idle session or one may be opened; 0 if the
 * deadline came first. */
static int wait_for_place(bb_session_pool *pool, int64_t deadline)
{
    while (pool->idle_count == 0 && !may_open(pool)) {
        int64_t until = deadline;
        if (bb_deadline_left(deadline) == 0)
            return 0;
        if (pool->open_count < pool->max && pool->refused_until < deadline)
            until = pool->refused_until;
        bb_condition_wait(&pool->returned, &pool->mutex, until);
    }
    return 1;
}

/* A place became free, with the mutex held. It wakes all: some wait only for a session, and must
 * know when there are none left. */
static void give_up_place(bb_session_pool *pool)
{
    pool->open_count--;
    pthread_cond_broadcast(&pool->returned);
}

/* Takes out the session that has been idle longest, if that was too long. The last ones given back
 * are at the end. */
static int take_stale(bb_session_pool *pool, void **session)
{
    if (pool->idle_ms == 0 || pool->idle_count == 0 || bb_deadline_left(pool->idle[0].close_at) > 0)
        return 0;
    *session = pool->idle[0].session;
    pool->idle_count--;
    memmove(pool->idle, pool->idle + 1, pool->idle_count * sizeof *pool->idle);
    give_up_place(pool);
    return 1;
}

/* Closes sessions that were idle too long, with the mutex held before and after. A firewall or a
 * server may have dropped their connections in silence. */
static void close_stale(bb_session_pool *pool)
{
    void *session;

    while (take_stale(pool, &session)) {
        pthread_mutex_unlock(&pool->mutex);
        pool->storage->vtable.session_close(session);
        pthread_mutex_lock(&pool->mutex);
    }
}

/* A session is gone. */
static void forget_session(bb_session_pool *pool)
{
    give_up_place(pool);
    if (!has_sessions(pool))
        pool->gone_until = bb_deadline_in(GONE_MS);
}

/* The code for a store that can't be reached. If it could a moment ago, the request goes on trying
 * until its deadline; otherwise it ends at once, so that requests don't pile up before a store that
 * stays away. */
static int32_t code_without_sessions(const bb_session_pool *pool, int32_t code, bb_error *error)
{
    if (bb_deadline_left(pool->gone_until) == 0)
        return code;
    error->code = code; /* tells this BB_ERR_RETRY from others; see conclude.c */
    return BB_ERR_RETRY;
}

/* Opens a session, with the mutex held before and after. */
static int32_t open_session(bb_session_pool *pool, int64_t deadline, void **session,
                            bb_error *error)
{
    int32_t code;

    pool->open_count++;
    pool->opening_count++;
    pool->opens_begun++;
    pthread_mutex_unlock(&pool->mutex);
    code = pool->storage->vtable.session_open(pool->storage->store, deadline, session, error);
    pthread_mutex_lock(&pool->mutex);
    pool->opening_count--;
    pool->opens_ended++;
    if (code != BB_OK)
        give_up_place(pool);
    else
        pthread_cond_broadcast(&pool->returned); /* for those that rely on has_others() */
    return code;
}

/* Whether there are sessions to wait for, with the mutex held. Of several that are being opened,
 * some may be refused before the first one is there. So a thread waits for those that are on their
 * way now, but not for later ones, of which there may be no end. */
static int has_others(bb_session_pool *pool, int64_t deadline)
{
    uint64_t enough = pool->opens_begun;

    while (!has_sessions(pool) && pool->opens_ended < enough && bb_deadline_left(deadline) > 0)
        bb_condition_wait(&pool->returned, &pool->mutex, deadline);
    return has_sessions(pool);
}

/* What bb_session_pool_take() does, with the mutex held. */
static int32_t take(bb_session_pool *pool, int64_t deadline, void **session, bb_error *error)
{
    int32_t code = BB_OK;

    for (;;) {
        if (!wait_for_place(pool, deadline))
            return bb_error_set(error, BB_ERR_BUSY, "all %u sessions were busy",
                                (unsigned)pool->open_count);
        if (pool->idle_count > 0) {
            *session = pool->idle[--pool->idle_count].session; /* a session may be NULL */
            return BB_OK;
        }
        if (code != BB_OK && !has_sessions(pool))
            return code_without_sessions(pool, code, error);
        code = open_session(pool, deadline, session, error);
        if (code != BB_ERR_UNAVAILABLE)
            return code;
        if (!has_others(pool, deadline))
            return code_without_sessions(pool, code, error);
        pool->refused_until = bb_deadline_in(REFUSED_MS);
    }
}

int32_t bb_session_pool_take(bb_session_pool *pool, int64_t deadline, void **session,
                             bb_error *error)
{
    int32_t code;

    *session = NULL;
    pthread_mutex_lock(&pool->mutex);
    close_stale(pool);
    code = take(pool, deadline, session, error);
    pthread_mutex_unlock(&pool->mutex);
    return code;
}

void bb_session_pool_give(bb_session_pool *pool, void *session, int is_broken)
{
    if (is_broken) {
        pool->storage->vtable.session_close(session);
        pthread_mutex_lock(&pool->mutex);
        forget_session(pool);
        pthread_mutex_unlock(&pool->mutex);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->idle[pool->idle_count].session = session;
    pool->idle[pool->idle_count++].close_at = bb_deadline_in(pool->idle_ms);
    pthread_cond_signal(&pool->returned);
    close_stale(pool);
    pthread_mutex_unlock(&pool->mutex);
}

void bb_session_pool_load(bb_session_pool *pool, uint32_t *open, uint32_t *idle)
{
    pthread_mutex_lock(&pool->mutex);
    *open = pool->open_count - pool->opening_count;
    *idle = pool->idle_count;
    pthread_mutex_unlock(&pool->mutex);
}
