/*
 * buffer.h: what libuv is to send.
 */
#ifndef BB_UV_BUFFER_H
#define BB_UV_BUFFER_H

#include <stddef.h>
#include <uv.h>

/* uv_buf_init() takes the length as an `unsigned int`, which would keep only the lower 32 bits of
 * an answer over 4 GiB. libuv reads the bytes and does not change them, though its types let it. */
static inline uv_buf_t buffer_of(const char *base, size_t len)
{
    union {
        const char *read;
        char *any;
    } pointer = {base};

    return (uv_buf_t){.base = pointer.any, .len = len};
}

#endif
