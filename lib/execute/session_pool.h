/*
 * session_pool.h: the storage sessions of a handle: opened when needed, up to a number, and lent to
 * one thread at a time.
 */
#ifndef BB_SESSION_POOL_H
#define BB_SESSION_POOL_H

#include <pthread.h>

#include "bb_contacts/storage.h"

/* A session that nobody uses. */
typedef struct bb_idle_session {
    void *session;
    int64_t close_at; /* a deadline */
} bb_idle_session;

typedef struct bb_session_pool {
    bb_allocator allocator;
    bb_storage *storage;
    pthread_mutex_t mutex;
    pthread_cond_t returned; /* a session came back, or a place became free */
    bb_idle_session *idle;   /* a stack, so that as few as possible are in use */
    int64_t idle_ms;         /* how long a session may be idle; 0: for ever */
    uint32_t idle_count;
    uint32_t open_count; /* idle, lent, and being opened */
    uint32_t opening_count;
    uint64_t opens_begun; /* attempts to open a session */
    uint64_t opens_ended;
    uint32_t max;
    int64_t refused_until; /* the store has no room for more until then; a deadline */
    int64_t gone_until;    /* until then, requests wait for a store whose last session broke; a
                              deadline */
} bb_session_pool;

int32_t bb_session_pool_init(bb_session_pool *pool, bb_storage *storage,
                             const bb_allocator *allocator, uint32_t max);

/* Closes all sessions; all must have come back. */
void bb_session_pool_close(bb_session_pool *pool);

/* For a child of fork(): frees the pool's own memory. The sessions are the parent's; closing them
 * would tell the server, or drop the parent's locks. */
void bb_session_pool_abandon(bb_session_pool *pool);

/* Lends a session, waiting for one until the deadline: BB_OK, BB_ERR_BUSY, or the code of opening
 * one; BB_ERR_RETRY if the store can't be reached but could a moment ago. If the store has no room
 * for another session, that is no error as long as there are some, or some are being opened: the
 * thread waits for those. Any thread. */
int32_t bb_session_pool_take(bb_session_pool *pool, int64_t deadline, void **session,
                             bb_error *error);

/* Gives a session back; a broken one is closed. Sessions that have been idle too long are closed
 * when one is taken or given back. */
void bb_session_pool_give(bb_session_pool *pool, void *session, int is_broken);

/* How many sessions are open, and how many of them are idle. Any thread. */
void bb_session_pool_load(bb_session_pool *pool, uint32_t *open, uint32_t *idle);

#endif
