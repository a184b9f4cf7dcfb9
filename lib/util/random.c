/*
 * random.c: random bytes from the host's function or, by default, from the operating system.
 */
#include "util/random.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

enum { MOST_AT_ONCE = 256 }; /* getentropy(3) */

int32_t bb_random_counted(void *bytes, void *out, size_t len)
{
    const bb_random_bytes *random = bytes;

    return random->make(random->ctx, out, len) == len ? 0 : -1;
}

static int32_t ask_system(void *ctx, void *out, size_t len)
{
    unsigned char *to = out;

    (void)ctx;
    while (len > 0) {
        size_t part = len < MOST_AT_ONCE ? len : MOST_AT_ONCE;
        if (getentropy(to, part) != 0)
            return -1;
        to += part;
        len -= part;
    }
    return 0;
}

int32_t bb_random_fill(bb_random_fn random, void *ctx, void *out, size_t len)
{
    int32_t failed;

    memset(out, 0, len);
    failed = (random != NULL ? random : ask_system)(ctx, out, len);
    if (failed != 0)
        return failed;
    return sodium_is_zero(out, len) ? -1 : 0;
}
