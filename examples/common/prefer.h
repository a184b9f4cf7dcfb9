/*
 * prefer.h: the Prefer header (RFC 7240), as far as it is about this endpoint.
 */
#ifndef BB_EXAMPLE_PREFER_H
#define BB_EXAMPLE_PREFER_H

#include <stddef.h>

/* Begins as {0}. */
struct prefer {
    int has_return; /* the first `return` counts, whatever it asks for */
    int is_minimal; /* it is `return=minimal` */
};

/* Reads one header's value; a request may have several. What is not known or not well-formed is
 * passed over. */
void prefer_read(struct prefer *prefer, const char *text, size_t len);

#endif
