/*
 * random.h: random bytes from the host's function or, by default, from the operating system.
 */
#ifndef BB_UTIL_RANDOM_H
#define BB_UTIL_RANDOM_H

#include "bb_contacts/bb_contacts.h"

/* Fills `out`; 0 for success. `random` NULL: getentropy(3). */
int32_t bb_random_fill(bb_random_fn random, void *ctx, void *out, size_t len);

#endif
