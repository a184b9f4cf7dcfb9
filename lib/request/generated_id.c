/*
 * generated_id.c: the external_id of an entry that sends none (D, E9): a UUID of RFC 9562.
 */
#include "request/generated_id.h"

#include <sodium.h>

#include "util/random.h"

enum { UUID_BYTES = 16 };

/* Version and variant: RFC 9562, sections 4.1 and 4.2; text: section 4. */
static void write_uuid(uint8_t bytes[UUID_BYTES], unsigned version, char out[BB_UUID_LENGTH])
{
    static const char hex[] = "0123456789abcdef";

    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | version << 4);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
}

int32_t bb_generated_id_random(bb_random_fn random, void *ctx, char out[BB_UUID_LENGTH])
{
    uint8_t bytes[UUID_BYTES];
    int32_t failed = bb_random_fill(random, ctx, bytes, sizeof bytes);

    if (failed != 0)
        return failed;
    write_uuid(bytes, 4, out);
    return 0;
}

static void add_u64(crypto_hash_sha256_state *state, uint64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    crypto_hash_sha256_update(state, bytes, sizeof bytes);
}

void bb_generated_id_derived(int64_t chatbot_id, bb_slice idempotency_key, size_t position,
                             char out[BB_UUID_LENGTH])
{
    static const unsigned char domain[] = "bb_contacts external_id 1";
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;

    /* every part has a fixed length or follows its length, so no two triples hash the same bytes */
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, domain, sizeof domain);
    add_u64(&state, (uint64_t)chatbot_id);
    add_u64(&state, idempotency_key.len);
    crypto_hash_sha256_update(&state, (const unsigned char *)idempotency_key.data,
                              idempotency_key.len);
    add_u64(&state, position);
    crypto_hash_sha256_final(&state, digest);
    write_uuid(digest, 8, out);
}
