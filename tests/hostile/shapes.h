/*
 * shapes.h: bodies of a given size and of one shape each, ordinary and adversarial.
 */
#ifndef BB_HOSTILE_SHAPES_H
#define BB_HOSTILE_SHAPES_H

#include "support/endpoint.h"

/* Bytes of the largest entry that is within the default limit, with room for its other members. */
enum { SHAPE_ENTRY = 1024 * 1024 - 2000 };

/* How many contacts there are in a body, and how large each is. */
typedef enum shape_entries {
    SHAPE_BODY,      /* what is written is the body itself */
    SHAPE_LARGE,     /* as large as allowed, each of a contact of its own */
    SHAPE_ORDINARY,  /* small, unless 1000 small ones are not enough for the body */
    SHAPE_EQUAL,     /* large, all of one contact */
    SHAPE_1000_EQUAL /* 1000 of one contact */
} shape_entries;

typedef struct shape {
    const char *name;
    int32_t http_status; /* of the answer */
    shape_entries entries;
    double most_heap;   /* bytes of heap per byte of a body of 64 KiB or more */
    const char *member; /* of each entry, whose value is written */
    const char *begin;  /* this, as many pieces as there is room for, and the end */
    const char *piece;
    const char *end;
    /* Or this instead: appends a value of about `size` bytes; `index` is its entry's. */
    void (*write)(test_text *body, size_t size, size_t index);
} shape;

/* Appends a request's body of about `size` bytes. */
void shape_make(const shape *s, test_text *body, size_t size);

extern const shape shapes[];
extern const size_t shape_count;

#endif
