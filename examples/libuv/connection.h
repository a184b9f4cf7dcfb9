/*
 * connection.h: one client's connection: what is read from it, in which state it is, and its end.
 */
#ifndef BB_UV_CONNECTION_H
#define BB_UV_CONNECTION_H

#include "request.h"
#include "timeouts.h"

#include <llhttp.h>
#include <uv.h>

enum connection_state {
    RECEIVING, /* a request, or nothing yet */
    WAITING,   /* for the library's answer */
    SENDING,   /* the answer */
    LINGERING, /* the answer is sent; what the client still sends is thrown away */
    CLOSING
};

/* As small as possible: of ten thousand connections, most have no request at any time. */
struct connection {
    uv_tcp_t socket;
    llhttp_t parser;
    struct server *server;
    struct request *request; /* NULL between requests */
    struct timeout timeout;  /* for something to happen */
    struct timeout arrival;  /* for all of a head or body that has begun */
    size_t unsent;           /* while SENDING: the bytes that were left to send at the last look */
    char *ahead;             /* read past the request that is being answered */
    size_t ahead_len;
    enum connection_state state;
    int has_ended; /* the client sends no more */
};

/* Accepts a connection that has arrived at the listener. Returns whether there was memory for it.
 */
int connection_accept(struct server *server);

/* The head has arrived, and the body may come. */
void connection_await_body(struct connection *connection);

/* Waits for the library, which has its own deadline. */
void connection_await_answer(struct connection *connection);

/* The answer is on its way. */
void connection_await_sending(struct connection *connection);

/* The answer is sent: goes on with the next request. */
void connection_next(struct connection *connection);

/* The answer is sent, and is the last one: closes, in stages if the client may still be sending
 * (see limits.h). */
void connection_finish(struct connection *connection);

/* Closes now. A request of it that waits in the library is cancelled. */
void connection_close(struct connection *connection);

/* Lets the parser go on with the body, after a decision that took time. */
void connection_resume(struct connection *connection);

/* Whether it waits for its client, and no request has arrived as far as its body. */
int connection_is_idle(const struct connection *connection);

/* A timeout of a connection has expired. */
void connection_expired(struct timeout *timeout, enum timeout_kind kind);

#endif
