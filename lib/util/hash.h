/*
 * hash.h: hashes for tables in this process, with a secret seed, and one that never changes.
 */
#ifndef BB_UTIL_HASH_H
#define BB_UTIL_HASH_H

#include "bb_contacts/storage.h"

/*
 * SipHash with a secret seed: otherwise clients could choose external ids and chatbots that all
 * fall into one bucket.
 */
enum { BB_HASH_SEED_SIZE = 16 };
uint64_t bb_hash_seeded(const uint8_t seed[BB_HASH_SEED_SIZE], const void *data, size_t len);

/* The same for a contact's key. */
uint64_t bb_hash_contact(const uint8_t seed[BB_HASH_SEED_SIZE], int64_t chatbot_id,
                         bb_slice external_id);

/*
 * FNV-1a, the same in every process and on every machine. `hash` is BB_HASH_FNV_START, or the hash
 * of the bytes before.
 */
#define BB_HASH_FNV_START UINT64_C(14695981039346656037)
uint64_t bb_hash_fnv(uint64_t hash, const void *data, size_t len);

#endif
