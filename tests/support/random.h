/*
 * random.h: random numbers that are the same in every run.
 */
#ifndef BB_TEST_RANDOM_H
#define BB_TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* xorshift64*: the next number below `below`. The state begins as anything but 0. */
static inline uint32_t test_random(uint64_t *state, size_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(((*state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below);
}

#endif
