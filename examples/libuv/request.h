/*
 * request.h: one request as it arrives: what the parser says about it, and its body.
 */
#ifndef BB_UV_REQUEST_H
#define BB_UV_REQUEST_H

#include "reply.h"
#include "route.h"

#include <http_parser.h>
#include <uv.h>

struct connection;
struct server;

/* The most that a request line and headers may take, all together. The parser is told in serve.c;
 * a request with more is a 431. */
enum { MAX_HEAD = 16 * 1024 };

/* What made the parser stop, so that somebody can decide how to go on. */
enum request_event {
    HEAD_ARRIVED,
    BODY_ARRIVED, /* the request is there, all of it */
    BODY_TOO_LARGE,
    NO_ROOM /* this server holds as much as it wants to */
};

/* A piece of `text` below. */
struct span {
    int is_there;
    size_t at;
    size_t len;
};

/*
 * Lives from the first byte of a request until its answer has been sent, or until the library is
 * through with it, whichever is later: when the connection is closed in between, `connection` is
 * NULL and only the library's answer is waited for.
 */
struct request {
    struct server *server;
    struct connection *connection;
    enum request_event event;

    /* from request line and headers */
    const char *method;
    enum route route;
    int is_for_library; /* if it is not, `reply` says already what to answer */
    int keep_alive;     /* what the client wants */
    int head_is_done;
    struct span target; /* of the request line */
    struct span authorization;
    struct span idempotency_key;
    struct span expect;
    struct span chatbot_id; /* decoded */
    char *text;             /* what the spans above are pieces of */
    size_t text_len;
    size_t text_capacity;
    struct span *value; /* of the header that is being read; NULL: not one of those above */
    int is_in_value;
    size_t name_len; /* its name; of one that is longer than those above, too much */
    char name[16];

    char *body;
    size_t body_len;
    size_t body_capacity;

    /* on the way through the library */
    struct request *next; /* in a list of results */
    bb_result *result;
    bb_result *early; /* the answer that was known at once */
    uint64_t ticket;
    int is_handing_over; /* a thread of libuv's is submitting it */
    int has_overtaken;   /* its answer came before that thread was done */
    int is_authorizing;  /* it was only asked whether the caller may write */

    /* the answer */
    struct reply reply;
    int is_refused; /* what is missing of the request is not wanted */
    int is_last;    /* no other request is taken from the connection */
    char reply_head[REPLY_HEAD_SIZE + 64];
    union {
        uv_write_t write;
        uv_shutdown_t shutdown;
        uv_work_t work;
    } uv;
};

struct request *request_new(struct server *server, struct connection *connection);
void request_free(struct request *request); /* NULL does nothing */
void request_free_body(struct request *request);

/* The parser's callbacks, for a parser whose data is the request. Each of the events above pauses
 * the parser. */
extern const http_parser_settings request_callbacks;

/* The length of the body that was announced; UINT64_MAX if it comes in chunks. */
uint64_t request_declared_length(const http_parser *parser);

/* Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1). */
int request_expects_continue(const struct request *request, const http_parser *parser);

/* What goes to the library: all but the body. It points into the request. */
bb_request request_for_library(const struct request *request);

#endif
