/*
 * credentials.h: who asks, and for which chatbot: section B as far as it needs no storage.
 */
#ifndef BB_CREDENTIALS_H
#define BB_CREDENTIALS_H

#include "bb_contacts/storage.h"

/*
 * Reads the key from an Authorization header's value (B1) and writes its SHA-256 (B2).
 * BB_STATUS_SUCCESS, BB_STATUS_NO_KEY or BB_STATUS_INVALID_KEY.
 */
int32_t bb_authorization_read(bb_slice header, uint8_t hash[BB_KEY_HASH_SIZE]);

/* The chatbot that a path segment names, or 0 if it is no positive decimal integer of at most 63
 * bits (B3). */
int64_t bb_chatbot_id_read(bb_slice segment);

/* Whether a token is of the form oc_<env>_<random> (B1). */
int bb_key_is_well_formed(bb_slice key);

/* Bytes of the longest token that is read; a longer one is no key. */
enum { BB_MAX_KEY = 512 };

/* SHA-256 of a key. */
void bb_key_hash(bb_slice key, uint8_t hash[BB_KEY_HASH_SIZE]);

#endif
