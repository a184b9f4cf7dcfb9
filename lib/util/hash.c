/*
 * hash.c: hashes for tables in this process, with a secret seed, and one that never changes.
 */
#include "util/hash.h"

#include <sodium.h>
#include <string.h>

_Static_assert((int)BB_HASH_SEED_SIZE == (int)crypto_shorthash_KEYBYTES, "libsodium's size");
_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "a digest is a number");

uint64_t bb_hash_seeded(const uint8_t seed[BB_HASH_SEED_SIZE], const void *data, size_t len)
{
    uint8_t digest[crypto_shorthash_BYTES];
    uint64_t hash;

    crypto_shorthash(digest, data, len, seed);
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

uint64_t bb_hash_contact(const uint8_t seed[BB_HASH_SEED_SIZE], int64_t chatbot_id,
                         bb_slice external_id)
{
    /* an odd factor: one external_id in many chatbots is many keys */
    return bb_hash_seeded(seed, external_id.data, external_id.len) ^
           ((uint64_t)chatbot_id * UINT64_C(0x9E3779B97F4A7C15));
}

uint64_t bb_hash_fnv(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}
