/*
 * buffer.h: one growing run of bytes with a hard cap, which remembers that it failed.
 *
 * Appends after a failure do nothing, so a writer checks once, at the end.
 */
#ifndef BB_UTIL_BUFFER_H
#define BB_UTIL_BUFFER_H

#include <string.h>

#include "util/alloc.h"

typedef struct bb_buffer {
    bb_allocator allocator;
    char *data; /* NULL until the first append, and after a failure */
    size_t len;
    size_t capacity;
    size_t max;  /* it never grows past this many bytes */
    int failed;  /* out of memory, or past max */
    int is_full; /* past max */
} bb_buffer;

void bb_buffer_init(bb_buffer *buffer, const bb_allocator *allocator, size_t max);
void bb_buffer_free(bb_buffer *buffer);

/* Empties it and forgets a failure, but keeps the memory. */
void bb_buffer_reset(bb_buffer *buffer);

/* Makes room for `extra` more bytes and returns it, or NULL. The caller writes there and then calls
 * bb_buffer_wrote(). */
char *bb_buffer_reserve(bb_buffer *buffer, size_t extra);
void bb_buffer_wrote(bb_buffer *buffer, size_t len);

/* Inline, since a response is made of many short pieces whose lengths the compiler knows. */
static inline void bb_buffer_append(bb_buffer *buffer, const void *data, size_t len)
{
    char *to;

    if (len == 0)
        return;
    if (len <= buffer->capacity - buffer->len) /* not after a failure, when both are 0 */
        to = buffer->data + buffer->len;
    else
        to = bb_buffer_reserve(buffer, len);
    if (to == NULL)
        return;
    memcpy(to, data, len);
    buffer->len += len;
}

void bb_buffer_append_char(bb_buffer *buffer, char c);
void bb_buffer_append_text(bb_buffer *buffer, const char *text);
void bb_buffer_append_i64(bb_buffer *buffer, int64_t value);

#endif
