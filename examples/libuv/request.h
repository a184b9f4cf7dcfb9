/*
 * request.h: one request as it arrives: what is kept of its head, and its body.
 */
#ifndef BB_UV_REQUEST_H
#define BB_UV_REQUEST_H

#include "query.h"
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
    NO_ROOM, /* this server holds as much as it may */
    MALFORMED,
    HEAD_TOO_LARGE,
    CODING_UNKNOWN, /* of the transfer, so that nobody can tell where the body ends */
    VERSION_UNKNOWN,
    OUT_OF_MEMORY
};

/* A piece of `text` below. */
struct span {
    unsigned times; /* how often it has come; the first counts */
    size_t at;
    size_t len;
};

/*
 * Lives from the first byte of a request until its answer has been sent and the library has
 * answered. If the connection is closed before, `connection` is NULL, and the request waits only
 * for the library's answer.
 */
struct request {
    struct server *server;
    struct connection *connection;
    enum request_event event;

    /* from request line and headers */
    const char *method;
    enum route route;
    int is_for_library; /* if not, `reply` is the answer already */
    int keep_alive;     /* what the client wants */
    int head_is_done;
    struct span target; /* of the request line */
    struct span authorization;
    struct span idempotency_key;
    struct span expect;
    struct span host;
    struct span transfer_encoding;
    struct span content_encoding;
    struct span request_id;
    struct span prefer;     /* the header that was read last; it may come several times */
    struct span chatbot_id; /* decoded */
    struct query query;
    char *text; /* what the spans above are pieces of */
    size_t text_len;
    size_t text_capacity;
    struct span *value; /* of the header that is being read; NULL: not one of those above */
    int is_in_value;
    size_t name_len; /* of its name; may be more than `name` holds */
    char name[20];
    char last_byte; /* that was read */

    char *body;
    size_t body_len; /* bytes that have come; what the library does not want is not kept */
    size_t body_capacity;
    size_t unasked;     /* its length, if it may come before the caller is known */
    size_t framing_len; /* bytes so far that belong to no body */

    /* on the way through the library */
    bb_result *result;
    uint64_t ticket;
    int is_handing_over;  /* perhaps by a thread of the pool's */
    int is_answered;      /* perhaps before that thread is done */
    struct request *next; /* in a list of the pool's */
    int is_authorizing;   /* the library was only asked whether the caller may write */

    /* the answer */
    struct trace trace;
    struct reply reply;
    int is_refused; /* the rest of the request is not wanted */
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

/* The body has arrived: it no longer counts as one that is held for its connection. */
void request_end_body(struct request *request);

/* Adds to the span, which is the last one in the text. Returns whether there was memory for it. */
int request_keep(struct request *request, struct span *span, const char *at, size_t len);

/* Where to keep the value of the header whose name was read; NULL if it is of no use, as after the
 * body, in a trailer. */
struct span *request_field(struct request *request);

/* The header's value has been read. */
void request_end_field(struct request *request);

/* A header's value, without white space around it. */
const char *request_value(const struct request *request, const struct span *span, size_t *len);

/* The head has arrived: sets the id, and route, query and chatbot from the target, which is not
 * needed after that. */
void request_find_route(struct request *request);

/* Whether the body is encoded, so that the library could not read it. */
int request_is_encoded(const struct request *request);

/* Sets room aside for a small body of this length, from a caller who is not known yet. Returns 0 if
 * such bodies have all the room that they may have. */
int request_reserve(struct request *request, size_t len);

/* Takes a piece of the body. */
enum request_event request_take_body(struct request *request, const char *at, size_t len);

/* What goes to the library: all but the body. It points into the request. */
bb_request request_for_library(const struct request *request);

#endif
