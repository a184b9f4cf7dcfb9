/*
 * fuzz.h: what the fuzz targets share: an endpoint in memory.
 */
#ifndef BB_FUZZ_H
#define BB_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bb_contacts/backends.h"
#include "bb_contacts/storage.h"
#include "support/check.h"

#define FUZZ_KEY "oc_test_fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A clock that stands still, and random bytes that repeat with the counter at `ctx`. */
static inline int64_t fuzz_clock(void *ctx)
{
    (void)ctx;
    return INT64_C(1700000000000000);
}

static inline int32_t fuzz_random(void *ctx, void *out, size_t len)
{
    uint64_t *counter = ctx;
    unsigned char *to = out;

    for (size_t i = 0; i < len; i++) {
        *counter = *counter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        to[i] = (unsigned char)(*counter >> 56);
    }
    return 0;
}

/* An endpoint in memory with chatbots 123 and 124 in workspace 1 and FUZZ_KEY. */
typedef struct fuzz_endpoint {
    bb_storage *storage;
    bb_contacts *contacts;
    uint64_t random;
} fuzz_endpoint;

static inline void fuzz_endpoint_open(fuzz_endpoint *endpoint, size_t max_body, bb_clock_fn clock,
                                      void *clock_ctx)
{
    bb_key_options key;
    bb_config config;

    endpoint->random = 1;
    bb_key_options_init(&key);
    key.workspace_id = 1;
    key.token = FUZZ_KEY;
    key.token_len = sizeof FUZZ_KEY - 1;
    bb_config_init(&config);
    config.clock = clock;
    config.clock_ctx = clock_ctx;
    config.random = fuzz_random;
    config.random_ctx = &endpoint->random;
    config.max_entry_bytes = 2500; /* within reach of the fuzzer, as the next two are */
    config.max_body_bytes = max_body;
    config.max_depth = 12;
    CHECK(bb_storage_open_memory(NULL, &endpoint->storage, NULL) == BB_OK);
    CHECK(bb_storage_chatbot_add(endpoint->storage, 123, 1, 0, NULL) == BB_OK);
    CHECK(bb_storage_chatbot_add(endpoint->storage, 124, 1, 0, NULL) == BB_OK);
    CHECK(bb_storage_key_add(endpoint->storage, &key, NULL, 0, 0, NULL) == BB_OK);
    CHECK(bb_contacts_open(endpoint->storage, &config, &endpoint->contacts, NULL) == BB_OK);
}

static inline void fuzz_endpoint_close(fuzz_endpoint *endpoint)
{
    bb_contacts_close(endpoint->contacts);
    bb_storage_close(endpoint->storage);
}

#endif
