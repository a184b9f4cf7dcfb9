/*
 * trace.h: what is kept of a request for its answer's headers and for the access log.
 */
#ifndef BB_EXAMPLE_TRACE_H
#define BB_EXAMPLE_TRACE_H

#include "prefer.h"

#include "bb_contacts/bb_contacts.h"

struct trace {
    char id[BB_MAX_REQUEST_ID + 1]; /* printable ASCII */
    struct prefer prefer;
    int64_t began_us; /* of the monotonic clock */
};

/* The request has begun to arrive. */
void trace_begin(struct trace *trace);

/* Takes the id from the X-Request-Id header's value: its first BB_MAX_REQUEST_ID printable ASCII
 * characters. Makes an id, a random UUID, if there are none. */
void trace_set_id(struct trace *trace, const char *value, size_t len);

/* Makes an id if there is none. */
void trace_ensure_id(struct trace *trace);

/* Microseconds since it began. */
int64_t trace_elapsed_us(const struct trace *trace);

#endif
