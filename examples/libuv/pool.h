/*
 * pool.h: threads for work that would keep the loop's thread busy for too long.
 *
 * libuv has such threads, but starts them with the first work, and ends the process if it cannot.
 */
#ifndef BB_UV_POOL_H
#define BB_UV_POOL_H

#include "inbox.h"

/* Enough to keep the store busy: reading a body takes less time than writing it. */
enum { POOL_THREADS = 4 };

struct pool {
    uv_mutex_t mutex; /* guards all that follows but the threads */
    uv_cond_t changed;
    struct inbox_entry *first; /* that no thread has taken yet */
    struct inbox_entry *last;
    int is_closing;
    uv_thread_t threads[POOL_THREADS];
    unsigned started;
    void (*work)(struct request *request);
    struct inbox *done;
};

/* Starts the threads. They do `work` and put the request into `done`, which must outlive them.
 * Returns 0, or an error code of libuv's; then the pool is not open. */
int pool_open(struct pool *pool, void (*work)(struct request *request), struct inbox *done);

/* Hands a request over; after the work it comes to the inbox. */
void pool_put(struct pool *pool, struct inbox_entry *entry, struct request *request);

/* Ends the threads once all work is done. */
void pool_close(struct pool *pool);

#endif
