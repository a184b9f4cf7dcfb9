/*
 * generated_id.h: the external_id of an entry that sends none (D, E9): a UUID of RFC 9562.
 */
#ifndef BB_GENERATED_ID_H
#define BB_GENERATED_ID_H

#include "bb_contacts/storage.h"

/* Characters of a UUID. */
enum { BB_UUID_LENGTH = 36 };

/* A random one (version 4). Returns 0 for success, otherwise what `random` returned. */
int32_t bb_generated_id_random(bb_random_fn random, void *ctx, char out[BB_UUID_LENGTH]);

/* The same one for the same chatbot, idempotency key and position (version 8). */
void bb_generated_id_derived(int64_t chatbot_id, bb_slice idempotency_key, size_t position,
                             char out[BB_UUID_LENGTH]);

#endif
