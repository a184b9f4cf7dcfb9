/*
 * results.h: brings the library's answers from its threads to the loop's.
 */
#ifndef BB_UV_RESULTS_H
#define BB_UV_RESULTS_H

#include "request.h"

#include <uv.h>

struct results {
    uv_mutex_t mutex;     /* guards `list` */
    struct request *list; /* whose answers the loop has not taken yet, the latest first */
    uv_async_t wake;      /* tells the loop */
    void (*take)(struct request *request);
};

/* Answers go to `take`, on the loop's thread. Returns 0, or an error code of libuv's. */
int results_open(struct results *results, uv_loop_t *loop, void (*take)(struct request *request));

/* A bb_done_fn, whose context is the request. */
void results_put(void *request, bb_result *result);

/* Takes what is there. */
void results_take(struct results *results);

/* To be called when no more answers can come. */
void results_close(struct results *results);

#endif
