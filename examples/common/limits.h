/*
 * limits.h: how long, and with how much, a client may keep a server waiting.
 */
#ifndef BB_EXAMPLE_LIMITS_H
#define BB_EXAMPLE_LIMITS_H

/*
 * A body declared as larger than this, or with no declared length, is not taken before the caller
 * may write: nobody without a key makes the server hold more. Smaller ones are, since asking costs
 * a round trip to the database, which authorizes again with the write.
 */
enum { SMALL_BODY = 64 * 1024 };

/* A connection on which nothing moves for so long is closed (--idle): a little later than by the
 * usual proxy or balancer before a server, after 60 seconds. Otherwise it closes some just when
 * they are used again, and their requests fail. */
enum { IDLE_SECONDS = 75, MAX_IDLE_SECONDS = 86400 };

/* A client that is still sending what nobody wants may go on for so long, to read the answer then:
 * a socket closed with bytes unread resets the connection, and the client may lose the answer
 * (RFC 9112, section 9.6). */
enum { LINGER_MS = 5000 };

/* How long requests may go on after SIGTERM: so much longer than the time after which the library
 * gives up on a store (--timeout); and for how long, at the least, what the kernel has received and
 * the server has not yet read is waited for. */
enum { DRAIN_MORE_MS = 2000, DRAIN_STEP_MS = 50 };

#endif
