/*
 * keys.c: makes API keys, registers and revokes them (B1).
 */
#include <sodium.h>
#include <string.h>

#include "api/administration.h"
#include "request/credentials.h"
#include "util/random.h"
#include "util/struct_size.h"

enum { RANDOM_BYTES = 32, MAX_ENV = 32 };

static int32_t invoke_key_add(const bb_storage_vtable *table, void *session,
                              const bb_admin_command *command, bb_error *error)
{
    const bb_key_record *given = command->arguments;
    bb_key_record key = *given;

    key.now_us = command->now_us;
    return table->key_add(session, &key, command->deadline, error);
}

static int32_t fill_random(const bb_key_options *options, uint8_t random[RANDOM_BYTES])
{
    bb_random_bytes bytes = {options->random_bytes, options->random_ctx};

    if (bytes.make != NULL)
        return bb_random_fill(bb_random_counted, &bytes, random, RANDOM_BYTES);
    return bb_random_fill(options->random, options->random_ctx, random, RANDOM_BYTES);
}

/* Writes oc_<env>_<random> to `out`; the random part is 256 bits in hexadecimal. */
static int32_t make_key(const bb_key_options *options, char out[BB_KEY_SIZE], bb_error *error)
{
    uint8_t random[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1];
    const char *env = options->env != NULL ? options->env : "live";
    size_t env_len = options->env != NULL ? options->env_len : strlen(env);
    bb_slice key = {out, 0};

    if (env_len == 0 || env_len > MAX_ENV || memchr(env, '_', env_len) != NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "the key's <env> must be 1 to 32 letters and digits");
    if (fill_random(options, random) != 0)
        return bb_error_set(error, BB_ERR_INTERNAL, "random bytes are not available");
    sodium_bin2hex(hex, sizeof hex, random, sizeof random);
    memcpy(out, "oc_", 3);
    memcpy(out + 3, env, env_len);
    out[3 + env_len] = '_';
    memcpy(out + 4 + env_len, hex, sizeof hex);
    key.len = 4 + env_len + sizeof hex - 1;
    sodium_memzero(random, sizeof random);
    sodium_memzero(hex, sizeof hex);
    if (!bb_key_is_well_formed(key))
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "the key's <env> must be 1 to 32 letters and digits");
    return BB_OK;
}

/* The options as this version knows them, from a caller of any version. */
static int32_t read_options(const bb_key_options *given, bb_key_options *options, bb_error *error)
{
    int32_t code;

    bb_key_options_init(options);
    if (given == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no key options");
    code = bb_struct_read(&bb_key_options_type, options, given, error);
    if (code != BB_OK)
        return code;
    if (options->workspace_id <= 0 || options->chatbot_id < 0)
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "workspace must be positive, chatbot positive or 0");
    if (options->expires_at < 0 || options->expires_at > INT64_MAX / 1000000)
        return bb_error_set(error, BB_ERR_ARGUMENT, "the time of expiry is out of range");
    return BB_OK;
}

static int32_t add_key(bb_storage *storage, const bb_key_options *options, bb_slice key, char *out,
                       size_t out_size, int64_t timeout_ms, bb_error *error)
{
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_key_record record = {.size = sizeof record,
                            .key_hash = hash,
                            .workspace_id = options->workspace_id,
                            .chatbot_id = options->chatbot_id,
                            .expires_at_us = options->expires_at * 1000000};
    bb_admin_command command = {.invoke = invoke_key_add,
                                .arguments = &record,
                                .not_found = "there is no such chatbot in this workspace",
                                .conflict = "the key exists with another scope, or is revoked"};
    int32_t code;

    if (key.data == NULL || !bb_key_is_well_formed(key))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the key is not of the form oc_<env>_<random>");
    if (out != NULL && out_size <= key.len)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no room for the key");
    bb_key_hash(key, hash);
    code = bb_administer(storage, &command, timeout_ms, error);
    if (code == BB_OK && out != NULL) {
        memmove(out, key.data, key.len);
        out[key.len] = '\0';
    }
    return code;
}

int32_t bb_storage_key_add(bb_storage *storage, const bb_key_options *given, char *out,
                           size_t out_size, int64_t timeout_ms, bb_error *error)
{
    char made[BB_KEY_SIZE] = "";
    bb_key_options options;
    bb_slice key;
    int32_t code;

    if (storage == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage");
    code = read_options(given, &options, error);
    if (code != BB_OK)
        return code;
    key.data = options.token;
    key.len = options.token_len;
    if (key.data == NULL) {
        if (out == NULL)
            return bb_error_set(error, BB_ERR_ARGUMENT, "nowhere to write the key to");
        code = make_key(&options, made, error);
        key.data = made;
        key.len = strlen(made);
    }
    if (code == BB_OK)
        code = add_key(storage, &options, key, out, out_size, timeout_ms, error);
    sodium_memzero(made, sizeof made);
    return code;
}

static int32_t invoke_key_revoke(const bb_storage_vtable *table, void *session,
                                 const bb_admin_command *command, bb_error *error)
{
    return table->key_revoke(session, command->arguments, command->now_us, command->deadline,
                             error);
}

int32_t bb_storage_key_revoke(bb_storage *storage, const char *key, size_t key_len,
                              int64_t timeout_ms, bb_error *error)
{
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_admin_command command = {
        .invoke = invoke_key_revoke, .arguments = hash, .not_found = "there is no such key"};
    bb_slice slice = {key, key_len};

    if (storage == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage");
    if (key == NULL || !bb_key_is_well_formed(slice))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the key is not of the form oc_<env>_<random>");
    bb_key_hash(slice, hash);
    return bb_administer(storage, &command, timeout_ms, error);
}
