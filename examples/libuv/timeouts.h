/*
 * timeouts.h: which connections have been waited for long enough.
 */
#ifndef BB_UV_TIMEOUTS_H
#define BB_UV_TIMEOUTS_H

#include <stdint.h>

/* How long a request's head and body may take to arrive, unless the command line says otherwise. At
 * half a megabit a second the largest body takes as long. */
enum { HEAD_SECONDS = 30, BODY_SECONDS = 300 };

/*
 * What is waited for. Each has one duration, so that each needs only a list in the order of
 * beginning, which costs nothing to keep; a timer of libuv's for each of ten thousand connections
 * would cost a heap.
 */
enum timeout_kind {
    TIMEOUT_IDLE,   /* nothing moved on the connection */
    TIMEOUT_HEAD,   /* a request's head has begun to arrive, and has not arrived whole */
    TIMEOUT_BODY,   /* the same of its body */
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
    uint64_t durations[TIMEOUT_KINDS];   /* milliseconds; to be set before the first begins */
};

/* Those that are always the same are set. */
void timeouts_init(struct timeouts *timeouts);

/* Begins to wait, from anew if it did already. */
void timeout_start(struct timeouts *timeouts, struct timeout *timeout, enum timeout_kind kind,
                   uint64_t now);

void timeout_stop(struct timeout *timeout);

/* The one that has been waited for longest, if for long enough; NULL if there is none. */
struct timeout *timeouts_expired(struct timeouts *timeouts, enum timeout_kind kind, uint64_t now);

#endif
