/*
 * timeouts.h: which connections have been waited for long enough.
 */
#ifndef BB_UV_TIMEOUTS_H
#define BB_UV_TIMEOUTS_H

#include <stdint.h>

/*
 * What is waited for. Each has one duration, so that each needs only a list in the order of
 * beginning, which costs nothing to keep; a timer of libuv's for each of ten thousand connections
 * would cost a heap.
 */
enum timeout_kind {
    TIMEOUT_IDLE,   /* nothing moved on the connection */
    TIMEOUT_GONE,   /* the client has closed its side, and an answer is awaited */
    TIMEOUT_LINGER, /* answered, and the client may still be sending */
    TIMEOUT_KINDS
};

/* To be a member of what is waited for, and zero at first. */
struct timeout {
    struct timeout *before;
    struct timeout *after; /* NULL: not waited for */
    uint64_t since;        /* milliseconds of the loop's clock */
};

struct timeouts {
    struct timeout lists[TIMEOUT_KINDS]; /* rings, each with an element that is none */
    uint64_t durations[TIMEOUT_KINDS];   /* milliseconds */
};

void timeouts_init(struct timeouts *timeouts, uint64_t idle_ms);

/* Begins to wait, from anew if it did already. */
void timeout_start(struct timeouts *timeouts, struct timeout *timeout, enum timeout_kind kind,
                   uint64_t now);

void timeout_stop(struct timeout *timeout);

/* The one that has been waited for longest, if for long enough; NULL if there is none. */
struct timeout *timeouts_expired(struct timeouts *timeouts, enum timeout_kind kind, uint64_t now);

#endif
