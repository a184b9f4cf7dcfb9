/*
 * server.h: what all connections share. Only the loop's thread uses it; the pool's threads use
 * `pool` and `completions`, which allow that.
 */
#ifndef BB_UV_SERVER_H
#define BB_UV_SERVER_H

#include "pool.h"
#include "timeouts.h"

#include "bb_contacts/bb_contacts.h"

#include <uv.h>

/* The most bytes of arriving bodies that are held for all connections together; a request for which
 * there is no room is a 503. (The library bounds what waits in its queue.) */
#define MAX_HELD ((size_t)256 * 1024 * 1024)

/* How much of it small bodies may take whose senders' keys have not been checked. Once that is used
 * up, the keys are checked first. */
#define MAX_UNASKED (MAX_HELD / 8)

/* The most that is read at once. */
enum { READ_SIZE = 16 * 1024 };

/* The most answers of the library's that are taken at once. */
enum { MAX_ANSWERS = 64 };

struct server {
    bb_contacts *contacts;
    bb_completions *completions;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t signals[2];
    uv_poll_t answered; /* watches `completions` */
    uv_timer_t tick;    /* for the timeouts, and the date */
    uv_timer_t drain;   /* runs from the signal to the end */
    struct pool pool;   /* hands large bodies over to the library */
    struct timeouts timeouts;
    size_t connections;
    size_t max_connections;
    size_t held;            /* bytes; see MAX_HELD */
    size_t unasked;         /* bytes that may still come; see MAX_UNASKED */
    int is_accepting;       /* 0: a connection has arrived and must wait */
    int is_stopping;        /* answers say `Connection: close` from now on */
    uint64_t drain_ms;      /* for how long requests may go on after the signal */
    uint64_t stop_at;       /* when the last connections are cut off */
    char date[40];          /* for the header (RFC 9110, 6.6.1) */
    char buffer[READ_SIZE]; /* what was just read from some connection */
    /* what was just taken from `completions` */
    bb_completion answers[MAX_ANSWERS];
};

/* A connection has been closed and freed. */
void server_connection_gone(struct server *server);

/* Ends the loop if the server is stopping and nothing is left to do. */
void server_end_if_over(struct server *server);

#endif
