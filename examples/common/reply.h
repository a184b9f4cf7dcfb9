/*
 * reply.h: what is answered to a request, whichever HTTP library sends it.
 */
#ifndef BB_EXAMPLE_REPLY_H
#define BB_EXAMPLE_REPLY_H

#include "trace.h"

struct reply {
    unsigned status;
    const char *type; /* the Content-Type */
    const char *body;
    size_t len;
    const char *allow;            /* the Allow header of a 405, or NULL */
    void *owned;                  /* what the body is part of, or NULL if it is static */
    void (*release)(void *owned); /* frees it */
    const struct trace *trace;    /* of the request; NULL: nothing is known of it */
    size_t entries;               /* that were stored */
    size_t counts[3];             /* of these, by bb_outcome */
};

/* The reply owns the result from now on. */
struct reply reply_from_result(bb_result *result);

/* `body` is JSON that outlives the reply. */
struct reply reply_from_text(unsigned status, const char *body, const char *allow);

/* The 400 for what is no HTTP request. The caller closes the connection after it. */
struct reply reply_bad_request(void);

/* The 415 for a request whose body is encoded (Content-Encoding). Only a caller who may write gets
 * it, as others learn nothing about their bodies (A1). */
struct reply reply_encoded_body(void);

/* The statistics of the handle, for Prometheus. */
struct reply reply_from_metrics(bb_contacts *contacts);

void reply_free(struct reply *reply);

/* The headers that belong to a reply, besides those of the connection and the length. Writes at
 * most REPLY_MAX_HEADERS, and returns how many. */
enum { REPLY_MAX_HEADERS = 7 };
struct reply_header {
    const char *name;
    const char *value; /* may be `number` */
    char number[8];
};
size_t reply_headers(const struct reply *reply, struct reply_header *headers);

/* Writes the status line, with `reason`, and the headers, with `more`: header lines that end in
 * CRLF. `size` must be REPLY_HEAD_SIZE plus the length of `more`. Returns the length, which is
 * less. */
enum { REPLY_HEAD_SIZE = 640 };
size_t reply_head(const struct reply *reply, const char *reason, const char *more, char *out,
                  size_t size);

#endif
