/*
 * timeouts.h: which connections have been waited for too long.
 */
#ifndef BB_UV_TIMEOUTS_H
#define BB_UV_TIMEOUTS_H

#include <stdint.h>

/* How long a request's head and body may take to arrive by default. At half a megabit a second the
 * largest body takes that long. */
enum { HEAD_SECONDS = 30, BODY_SECONDS = 300 };

/*
 * What is waited for. Each kind has one duration, so a list in the order of beginning is enough and
 * costs next to nothing; timers of libuv's for ten thousand connections would be a heap.
 */
enum timeout_kind {
    TIMEOUT_IDLE,   /* nothing moved on the connection */
    TIMEOUT_HEAD,   /* a request's head has begun to arrive, and is not whole */
    TIMEOUT_BODY,   /* the same for its body */
    TIMEOUT_GONE,   /* the client has closed its side, and an answer is awaited */
    TIMEOUT_LINGER, /* answered, and the client may still be sending */
    TIMEOUT_KINDS
};

/* A member of what is waited for; zero at first. */
struct timeout {
    struct timeout *before;
    struct timeout *after; /* NULL: not waited for */
    uint64_t since;        /* milliseconds of the loop's clock */
};

struct timeouts {
    struct timeout lists[TIMEOUT_KINDS]; /* rings, each with a head that is no timeout */
    uint64_t durations[TIMEOUT_KINDS];   /* milliseconds; set before the first begins */
};

/* Sets the durations that are always the same. */
void timeouts_init(struct timeouts *timeouts);

/* Begins to wait, or begins again. */
void timeout_start(struct timeouts *timeouts, struct timeout *timeout, enum timeout_kind kind,
                   uint64_t now);

void timeout_stop(struct timeout *timeout);

/* The one that has waited longest, if its duration is over; otherwise NULL. */
struct timeout *timeouts_expired(struct timeouts *timeouts, enum timeout_kind kind, uint64_t now);

#endif
