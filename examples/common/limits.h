/*
 * limits.h: how long, and with how much, a client may keep a server waiting.
 */
#ifndef BB_EXAMPLE_LIMITS_H
#define BB_EXAMPLE_LIMITS_H

/*
 * A body that is larger than this, or has no declared length, is taken only once the store has said
 * that the caller may write: so nobody without a key makes the server hold more. A smaller one is
 * taken at once, since asking costs a round trip to the database, and the write authorizes anyway.
 */
enum { SMALL_BODY = 64 * 1024 };

/* A connection on which nothing moves for this long is closed (--idle). The usual proxy or balancer
 * closes its own after 60 seconds; a server that closed them earlier would do so just as some are
 * used again, and those requests would fail. */
enum { IDLE_SECONDS = 75, MAX_IDLE_SECONDS = 86400 };

/* A client that still sends an unwanted body may go on for this long, and then read the answer. A
 * socket that is closed with unread bytes resets the connection, and the client may lose the answer
 * (RFC 9112, section 9.6). */
enum { LINGER_MS = 5000 };

/* After SIGTERM, requests may go on for DRAIN_MORE_MS longer than the library waits for a store
 * (--timeout). The server waits at least DRAIN_STEP_MS for requests that the kernel has received
 * and the server has not yet read. */
enum { DRAIN_MORE_MS = 2000, DRAIN_STEP_MS = 50 };

#endif
