/*
 * shapes.h: bodies of a given size and of one shape each, ordinary and adversarial.
 */
#ifndef BB_HOSTILE_SHAPES_H
#define BB_HOSTILE_SHAPES_H

#include "support/endpoint.h"

/* Bytes of the largest entry that is within the default limit, with room for its other members. */
enum { SHAPE_ENTRY = 1024 * 1024 - 2000 };

typedef struct shape {
    const char *name;
    int32_t http_status; /* of the answer */
    double most_heap;    /* bytes of heap per byte of a body of 64 KiB or more */
    /* Appends a request's body of about `size` bytes. */
    void (*make)(test_text *body, size_t size);
} shape;

extern const shape shapes[];
extern const size_t shape_count;

#endif
