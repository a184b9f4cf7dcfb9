/*
 * random.h: random bytes from the host's function or, by default, from the operating system.
 */
#ifndef BB_UTIL_RANDOM_H
#define BB_UTIL_RANDOM_H

#include "bb_contacts/bb_contacts.h"

/* Fills `out` with 16 bytes or more; 0 for success. `random` NULL: getentropy(3). Bytes that are
 * all 0 are a failure, as a function that did nothing leaves them: so many never come by chance. */
int32_t bb_random_fill(bb_random_fn random, void *ctx, void *out, size_t len);

/* A host's function that counts its bytes. */
typedef struct bb_random_bytes {
    bb_random_bytes_fn make;
    void *ctx;
} bb_random_bytes;

/* The same as a bb_random_fn, whose context is a bb_random_bytes. */
int32_t bb_random_counted(void *bytes, void *out, size_t len);

#endif
