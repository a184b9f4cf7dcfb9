/*
 * request.h: one request as it arrives: what is kept of its head, and its body.
 */
#ifndef BB_UV_REQUEST_H
#define BB_UV_REQUEST_H

#include "inbox.h"
#include "reply.h"
#include "route.h"

#include <uv.h>

struct connection;
struct server;

/* What made the parser stop, so that somebody can decide how to go on. */
enum request_event {
    NO_EVENT,
    HEAD_ARRIVED,
    BODY_ARRIVED, /* the request is there, all of it */
    BODY_TOO_LARGE,
    NO_ROOM, /* this server holds as much as it wants to */
    MALFORMED,
    HEAD_TOO_LARGE,
    CODING_UNKNOWN, /* of the transfer: where the body ends cannot be told */
    VERSION_UNKNOWN,
    OUT_OF_MEMORY
};

/* A piece of `text` below. */
struct span {
    unsigned times; /* that it has come; the first one counts */
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
    struct span host;
    struct span transfer_encoding;
    struct span content_encoding;
    struct span chatbot_id; /* decoded */
    char *text;             /* what the spans above are pieces of */
    size_t text_len;
    size_t text_capacity;
    struct span *value; /* of the header that is being read; NULL: not one of those above */
    int is_in_value;
    size_t name_len; /* its name; of one that is longer than those above, too much */
    char name[20];
    char last_byte; /* that was read */

    char *body;
    size_t body_len; /* that has come; of what the library does not want, nothing is kept */
    size_t body_capacity;
    size_t unasked;     /* its length, if it may come though nobody knows from whom */
    size_t framing_len; /* the bytes that were no body */

    /* on the way through the library */
    bb_result *result;
    bb_result *early; /* the answer that was known at once */
    uint64_t ticket;
    int is_handing_over; /* a thread of the pool's is submitting it */
    int has_overtaken;   /* its answer came before that thread was done */
    struct inbox_entry answered;
    struct inbox_entry handed_over;
    int is_authorizing; /* it was only asked whether the caller may write */

    /* the answer */
    struct reply reply;
    int is_refused; /* what is missing of the request is not wanted */
    int is_last;    /* no other request is taken from the connection */
    char reply_head[REPLY_HEAD_SIZE + 64];
    union {
        uv_write_t write;
        uv_shutdown_t shutdown;
    } uv;
};

struct request *request_new(struct server *server, struct connection *connection);
void request_free(struct request *request); /* NULL does nothing */
void request_free_body(struct request *request);

/* Adds to the span, which is the last one in the text. Returns whether there was memory for it. */
int request_keep(struct request *request, struct span *span, const char *at, size_t len);

/* Where the value of the header goes whose name was read; NULL if it is of no use. One that comes
 * after the body, in a trailer, is not. */
struct span *request_field(struct request *request);

/* A header's value, without white space around it. */
const char *request_value(const struct request *request, const struct span *span, size_t *len);

/* Sets route and chatbot from the target, which is of no use any more. */
void request_find_route(struct request *request);

/* Whether the body is encoded, so that the library could not read it. */
int request_is_encoded(const struct request *request);

/* Sets room aside for a small body of this length, from whomever. Returns 0 if those of whom
 * nothing is known have as much as they may have. */
int request_reserve(struct request *request, size_t len);

/* Takes a piece of the body. */
enum request_event request_take_body(struct request *request, const char *at, size_t len);

/* What goes to the library: all but the body. It points into the request. */
bb_request request_for_library(const struct request *request);

#endif
