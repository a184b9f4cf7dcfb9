/*
 * inbox.h: brings requests from other threads to the loop's.
 */
#ifndef BB_UV_INBOX_H
#define BB_UV_INBOX_H

#include <uv.h>

struct request;

/* A request's place in an inbox. A request is in each inbox at most once. */
struct inbox_entry {
    struct inbox_entry *next;
    struct request *request;
};

struct inbox {
    uv_mutex_t mutex;         /* guards `list` */
    struct inbox_entry *list; /* of those that the loop has not taken yet, the latest first */
    uv_async_t wake;          /* tells the loop */
    void (*take)(struct request *request);
};

/* Requests go to `take`, on the loop's thread. Returns 0, or an error code of libuv's. */
int inbox_open(struct inbox *inbox, uv_loop_t *loop, void (*take)(struct request *request));

/* May be called on any thread. The request is the loop's from then on. */
void inbox_put(struct inbox *inbox, struct inbox_entry *entry, struct request *request);

/* Takes what is left. Nothing may be put in any more. */
void inbox_close(struct inbox *inbox);

#endif
