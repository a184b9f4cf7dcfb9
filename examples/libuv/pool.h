/*
 * pool.h: threads for work that would keep the loop's thread busy for too long.
 *
 * libuv has such threads, but starts them with the first work, and ends the process if it cannot.
 */
#ifndef BB_UV_POOL_H
#define BB_UV_POOL_H

#include <uv.h>

struct request;

/* Enough to keep the store busy: reading a body takes less time than writing it. */
enum { POOL_THREADS = 4 };

/* A request is in it at most once, linked by its `next`. */
struct pool {
    uv_mutex_t mutex; /* guards the lists and `is_closing` */
    uv_cond_t changed;
    struct request *first; /* that no thread has taken yet */
    struct request *last;
    struct request *done; /* those that the loop has not taken back yet, the latest first */
    int is_closing;
    uv_async_t wake; /* tells the loop */
    uv_thread_t threads[POOL_THREADS];
    unsigned started;
    void (*work)(struct request *request);
    void (*after)(struct request *request);
};

/* Starts the threads. They do `work`; then the loop's thread does `after`, which may free the
 * request. Returns 0, or an error code of libuv's; then the process must end. */
int pool_open(struct pool *pool, uv_loop_t *loop, void (*work)(struct request *request),
              void (*after)(struct request *request));

/* Hands a request over. */
void pool_put(struct pool *pool, struct request *request);

/* Ends the threads once all work is done, and does what comes after it. */
void pool_close(struct pool *pool);

#endif
