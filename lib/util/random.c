/*
 * random.c: random bytes from the host's function or, by default, from the operating system.
 */
#include "util/random.h"

#include <unistd.h>

enum { MOST_AT_ONCE = 256 }; /* getentropy(3) */

int32_t bb_random_fill(bb_random_fn random, void *ctx, void *out, size_t len)
{
    unsigned char *to = out;

    if (random != NULL)
        return random(ctx, out, len);
    while (len > 0) {
        size_t part = len < MOST_AT_ONCE ? len : MOST_AT_ONCE;
        if (getentropy(to, part) != 0)
            return -1;
        to += part;
        len -= part;
    }
    return 0;
}
