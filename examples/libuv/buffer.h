/*
 * buffer.h: what libuv is to send.
 */
#ifndef BB_UV_BUFFER_H
#define BB_UV_BUFFER_H

#include <stddef.h>
#include <uv.h>

/* Not by uv_buf_init(), which takes the length as an `unsigned int`: of an answer over 4 GiB it
 * would let libuv send the rest of the division. libuv only reads, though its types do not say so.
 */
static inline uv_buf_t buffer_of(const char *base, size_t len)
{
    union {
        const char *read;
        char *any;
    } pointer = {base};

    return (uv_buf_t){.base = pointer.any, .len = len};
}

#endif
