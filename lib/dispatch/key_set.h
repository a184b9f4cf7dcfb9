/*
 * key_set.h: which contacts a group of requests names, so that none is named twice.
 */
#ifndef BB_KEY_SET_H
#define BB_KEY_SET_H

#include "execute/job.h"
#include "util/hash.h"

typedef struct bb_key_set {
    bb_allocator allocator;
    uint8_t seed[BB_HASH_SEED_SIZE]; /* secret, as clients choose the keys */
    struct bb_key_slot *slots;
    size_t slot_count; /* a power of two */
    size_t max;        /* keys that it holds */
    size_t count;
    uint32_t stamp; /* of the slots that are in use */
} bb_key_set;

/* A set for `max` keys. BB_OK, or BB_ERR_NOMEM. */
int32_t bb_key_set_init(bb_key_set *set, const bb_allocator *allocator,
                        const uint8_t seed[BB_HASH_SEED_SIZE], size_t max);
void bb_key_set_free(bb_key_set *set);
void bb_key_set_clear(bb_key_set *set);

/* Adds the keys of a job's records. Returns 0, and adds nothing, if one of them is there already or
 * there is not enough room. Keys are compared by a hash of 64 bits: very rarely, two different ones
 * count as one. */
int bb_key_set_add(bb_key_set *set, const bb_job *job);

#endif
