/*
 * session_pool.h: the storage sessions of a handle: opened when needed, up to a number, and lent to
 * one thread at a time.
 */
#ifndef BB_SESSION_POOL_H
#define BB_SESSION_POOL_H

#include <pthread.h>

#include "bb_contacts/storage.h"

/* A session that nobody has. */
typedef struct bb_idle_session {
    void *session;
    int64_t close_at; /* a deadline */
} bb_idle_session;

typedef struct bb_session_pool {
    bb_allocator allocator;
    bb_storage *storage;
    pthread_mutex_t mutex;
    pthread_cond_t returned; /* a session came back, or a place became free */
    bb_idle_session *idle;   /* a stack, so that as few as possible are kept busy */
    int64_t idle_ms;         /* how long a session may be idle; 0: for ever */
    uint32_t idle_count;
    uint32_t open_count; /* idle, lent, and being opened */
    uint32_t opening_count;
    uint64_t opens_begun; /* attempts to open a session */
    uint64_t opens_ended;
    uint32_t max;
    int64_t refused_until; /* the store has no room for more until then; a deadline */
    int64_t gone_until;    /* the last session broke so lately that the store is waited for */
} bb_session_pool;

int32_t bb_session_pool_init(bb_session_pool *pool, bb_storage *storage,
                             const bb_allocator *allocator, uint32_t max);

/* Closes all sessions; all must have come back. */
void bb_session_pool_close(bb_session_pool *pool);

/* In a child that fork() has made: frees the pool's own memory. Its sessions are the parent's, and
 * closing them would say so to the server, or drop the parent's locks. */
void bb_session_pool_abandon(bb_session_pool *pool);

/* Lends a session, waiting for one until the deadline: BB_OK, BB_ERR_BUSY, or what opening one
 * answered; BB_ERR_RETRY if the store can't be reached but could a moment ago. A store that has no
 * room for another session is not an error while there are some, or others that are being opened
 * turn out to be: those are waited for. Any thread. */
int32_t bb_session_pool_take(bb_session_pool *pool, int64_t deadline, void **session,
                             bb_error *error);

/* Gives a session back; a broken one is closed. Sessions that have been idle too long are closed
 * when one is taken or given back. */
void bb_session_pool_give(bb_session_pool *pool, void *session, int is_broken);

/* How many sessions are open, and how many of them nobody has. Any thread. */
void bb_session_pool_load(bb_session_pool *pool, uint32_t *open, uint32_t *idle);

#endif
