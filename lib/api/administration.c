/*
 * administration.c: makes a storage of a backend's table, and administers chatbots and keys through it.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "execute/storage.h"
#include "request/credentials.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/random.h"
#include "util/struct_size.h"

enum { DEFAULT_TIMEOUT_MS = 10000, RANDOM_BYTES = 32, MAX_ENV = 32, RETRY_PAUSE_MS = 5 };

/* Where each version of the table ends. */
static const size_t table_sizes[] = {BB_END_OF(bb_storage_vtable, key_revoke),
                                     BB_END_OF(bb_storage_vtable, write_group)};

/* ------------------------------------------------------------------- stubs for what is left out */

static void no_close(void *store)
{
    (void)store;
}

static int32_t no_migrate(void *session, int64_t deadline, bb_error *error)
{
    (void)session;
    (void)deadline;
    (void)error;
    return BB_OK;
}

static int32_t no_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id,
                              int64_t now_us, int64_t deadline, bb_error *error)
{
    (void)session;
    (void)chatbot_id;
    (void)workspace_id;
    (void)now_us;
    (void)deadline;
    return bb_error_set(error, BB_ERR_UNSUPPORTED, "this storage keeps no chatbots of its own");
}

static int32_t no_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived,
                                  int64_t now_us, int64_t deadline, bb_error *error)
{
    (void)session;
    (void)chatbot_id;
    (void)archived;
    (void)now_us;
    (void)deadline;
    return bb_error_set(error, BB_ERR_UNSUPPORTED, "this storage keeps no chatbots of its own");
}

static int32_t no_key_add(void *session, const bb_key_record *key, int64_t deadline,
                          bb_error *error)
{
    (void)session;
    (void)key;
    (void)deadline;
    return bb_error_set(error, BB_ERR_UNSUPPORTED, "this storage keeps no keys of its own");
}

static int32_t no_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us,
                             int64_t deadline, bb_error *error)
{
    (void)session;
    (void)key_hash;
    (void)now_us;
    (void)deadline;
    return bb_error_set(error, BB_ERR_UNSUPPORTED, "this storage keeps no keys of its own");
}

static void fill_stubs(bb_storage_vtable *table)
{
    if (table->close == NULL)
        table->close = no_close;
    if (table->migrate == NULL)
        table->migrate = no_migrate;
    if (table->chatbot_add == NULL)
        table->chatbot_add = no_chatbot_add;
    if (table->chatbot_archive == NULL)
        table->chatbot_archive = no_chatbot_archive;
    if (table->key_add == NULL)
        table->key_add = no_key_add;
    if (table->key_revoke == NULL)
        table->key_revoke = no_key_revoke;
}

/* ----------------------------------------------------------------------------- making a storage */

static int is_known_table(const bb_storage_vtable *table)
{
    return table != NULL && table->size >= table_sizes[0] && table->version >= 1 &&
           table->name != NULL && table->session_open != NULL && table->session_close != NULL &&
           table->authorize != NULL && table->write != NULL;
}

/* How much of a table of this size is known here: whole versions. */
static size_t known_size(size_t size)
{
    size_t count = sizeof table_sizes / sizeof table_sizes[0];

    while (size < table_sizes[count - 1])
        count--;
    return table_sizes[count - 1];
}

int32_t bb_storage_new(const bb_storage_vtable *vtable, void *store, const bb_allocator *allocator,
                       bb_storage **out, bb_error *error)
{
    bb_allocator memory = bb_allocator_or_default(allocator);
    bb_storage *storage;

    if (out != NULL)
        *out = NULL;
    if (out == NULL || !is_known_table(vtable) || !bb_allocator_is_valid(&memory))
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "the storage table is incomplete or of no known version");
    storage = bb_zalloc(&memory, sizeof *storage);
    if (storage == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    memcpy(&storage->vtable, vtable, known_size(vtable->size));
    storage->vtable.size = sizeof storage->vtable;
    fill_stubs(&storage->vtable);
    storage->allocator = memory;
    storage->store = store;
    bb_process_remember(&storage->opener);
    *out = storage;
    return BB_OK;
}

void bb_storage_close(bb_storage *storage)
{
    if (storage == NULL)
        return;
    if (bb_process_is_this(&storage->opener)) /* else the store is another process's to close */
        storage->vtable.close(storage->store);
    bb_process_forget(&storage->opener);
    bb_free(&storage->allocator, storage);
}

const char *bb_storage_name(const bb_storage *storage)
{
    return storage != NULL ? storage->vtable.name : "";
}

/* ------------------------------------------------------------------------------ administration */

/* One call of an administrative function on a session of its own. */
typedef struct admin_call {
    int32_t (*run)(const bb_storage_vtable *table, void *session, const struct admin_call *call,
                   bb_error *error);
    const char *not_found; /* what these two codes mean here */
    const char *conflict;
    int64_t deadline;
    int64_t now_us;
    int64_t chatbot_id;
    int64_t workspace_id;
    int32_t archived;
    bb_key_record key;
    uint8_t hash[BB_KEY_HASH_SIZE];
} admin_call;

static void pause_ms(int32_t ms)
{
    struct timespec pause = {0, (long)ms * 1000000};

    nanosleep(&pause, NULL);
}

/* What is said where the backend says nothing. */
static const char *meaning_of(const admin_call *call, int32_t code)
{
    if (code == BB_ERR_NOT_FOUND && call->not_found != NULL)
        return call->not_found;
    if (code == BB_ERR_CONFLICT && call->conflict != NULL)
        return call->conflict;
    return bb_code_text(code);
}

/* Every administrative function may be repeated, so what was undone or lost is done again. */
static int32_t run_admin(bb_storage *storage, admin_call *call, int64_t timeout_ms, bb_error *error)
{
    bb_error local;
    int32_t code;

    if (!bb_process_is_this(&storage->opener))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the storage was " BB_OTHER_PROCESS);
    call->deadline = bb_deadline_in(timeout_ms > 0 ? timeout_ms : DEFAULT_TIMEOUT_MS);
    call->now_us = bb_wall_clock_us();
    for (;;) {
        void *session = NULL;
        bb_error_init(&local);
        code = storage->vtable.session_open(storage->store, call->deadline, &session, &local);
        if (code == BB_OK) {
            code = call->run(&storage->vtable, session, call, &local);
            storage->vtable.session_close(session);
        }
        if ((code != BB_ERR_RETRY && code != BB_ERR_LOST) || bb_deadline_left(call->deadline) == 0)
            break;
        pause_ms(RETRY_PAUSE_MS);
    }
    if (code == BB_ERR_RETRY)
        code = BB_ERR_BUSY;
    if (code == BB_ERR_LOST)
        code = BB_ERR_UNAVAILABLE;
    if (code != BB_OK) {
        local.code = code;
        if (local.message[0] == '\0')
            bb_error_set(&local, code, "%s", meaning_of(call, code));
        if (error != NULL)
            bb_struct_fill(&bb_error_type, error, &local);
    }
    return code;
}

static int32_t refuse(bb_error *error, const char *what)
{
    return bb_error_set(error, BB_ERR_ARGUMENT, "%s", what);
}

static int32_t run_migrate(const bb_storage_vtable *table, void *session, const admin_call *call,
                           bb_error *error)
{
    return table->migrate(session, call->deadline, error);
}

int32_t bb_storage_migrate(bb_storage *storage, int64_t timeout_ms, bb_error *error)
{
    admin_call call = {.run = run_migrate};

    if (storage == NULL)
        return refuse(error, "no storage");
    return run_admin(storage, &call, timeout_ms, error);
}

static int32_t run_chatbot_add(const bb_storage_vtable *table, void *session,
                               const admin_call *call, bb_error *error)
{
    return table->chatbot_add(session, call->chatbot_id, call->workspace_id, call->now_us,
                              call->deadline, error);
}

int32_t bb_storage_chatbot_add(bb_storage *storage, int64_t chatbot_id, int64_t workspace_id,
                               int64_t timeout_ms, bb_error *error)
{
    admin_call call = {.run = run_chatbot_add,
                       .conflict = "the chatbot belongs to another workspace",
                       .chatbot_id = chatbot_id,
                       .workspace_id = workspace_id};

    if (storage == NULL)
        return refuse(error, "no storage");
    if (chatbot_id <= 0 || workspace_id <= 0)
        return refuse(error, "chatbot and workspace must be positive");
    return run_admin(storage, &call, timeout_ms, error);
}

static int32_t run_chatbot_archive(const bb_storage_vtable *table, void *session,
                                   const admin_call *call, bb_error *error)
{
    return table->chatbot_archive(session, call->chatbot_id, call->archived, call->now_us,
                                  call->deadline, error);
}

int32_t bb_storage_chatbot_archive(bb_storage *storage, int64_t chatbot_id, int32_t archived,
                                   int64_t timeout_ms, bb_error *error)
{
    admin_call call = {.run = run_chatbot_archive,
                       .not_found = "there is no such chatbot",
                       .chatbot_id = chatbot_id,
                       .archived = archived != 0};

    if (storage == NULL)
        return refuse(error, "no storage");
    if (chatbot_id <= 0)
        return refuse(error, "chatbot must be positive");
    return run_admin(storage, &call, timeout_ms, error);
}

/* -------------------------------------------------------------------------------------- keys */

static int32_t run_key_add(const bb_storage_vtable *table, void *session, const admin_call *call,
                           bb_error *error)
{
    bb_key_record key = call->key;

    key.key_hash = call->hash;
    key.now_us = call->now_us;
    return table->key_add(session, &key, call->deadline, error);
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
        return refuse(error, "the key's <env> must be 1 to 32 letters and digits");
    if (bb_random_fill(options->random, options->random_ctx, random, sizeof random) != 0)
        return bb_error_set(error, BB_ERR_INTERNAL, "no random bytes to be had");
    sodium_bin2hex(hex, sizeof hex, random, sizeof random);
    memcpy(out, "oc_", 3);
    memcpy(out + 3, env, env_len);
    out[3 + env_len] = '_';
    memcpy(out + 4 + env_len, hex, sizeof hex);
    key.len = 4 + env_len + sizeof hex - 1;
    sodium_memzero(random, sizeof random);
    sodium_memzero(hex, sizeof hex);
    if (!bb_key_is_well_formed(key))
        return refuse(error, "the key's <env> must be 1 to 32 letters and digits");
    return BB_OK;
}

/* The options as this version knows them, whatever version the caller was built with. */
static int32_t read_options(const bb_key_options *given, bb_key_options *options, bb_error *error)
{
    int32_t code;

    bb_key_options_init(options);
    if (given == NULL)
        return refuse(error, "no key options");
    code = bb_struct_read(&bb_key_options_type, options, given, error);
    if (code != BB_OK)
        return code;
    if (options->workspace_id <= 0 || options->chatbot_id < 0)
        return refuse(error, "workspace must be positive, chatbot positive or 0");
    if (options->expires_at < 0 || options->expires_at > INT64_MAX / 1000000)
        return refuse(error, "the time of expiry is out of range");
    return BB_OK;
}

static int32_t add_key(bb_storage *storage, const bb_key_options *options, bb_slice key, char *out,
                       size_t out_size, int64_t timeout_ms, bb_error *error)
{
    admin_call call = {.run = run_key_add,
                       .not_found = "there is no such chatbot in this workspace",
                       .conflict = "the key exists with another scope, or is revoked"};
    int32_t code;

    if (key.data == NULL || !bb_key_is_well_formed(key))
        return refuse(error, "the key is not of the form oc_<env>_<random>");
    if (out != NULL && out_size <= key.len)
        return refuse(error, "no room for the key");
    call.key.size = sizeof call.key;
    call.key.workspace_id = options->workspace_id;
    call.key.chatbot_id = options->chatbot_id;
    call.key.expires_at_us = options->expires_at * 1000000;
    bb_key_hash(key, call.hash);
    code = run_admin(storage, &call, timeout_ms, error);
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
        return refuse(error, "no storage");
    code = read_options(given, &options, error);
    if (code != BB_OK)
        return code;
    key.data = options.token;
    key.len = options.token_len;
    if (key.data == NULL) {
        if (out == NULL)
            return refuse(error, "nowhere to write the key to");
        code = make_key(&options, made, error);
        key.data = made;
        key.len = strlen(made);
    }
    if (code == BB_OK)
        code = add_key(storage, &options, key, out, out_size, timeout_ms, error);
    sodium_memzero(made, sizeof made);
    return code;
}

static int32_t run_key_revoke(const bb_storage_vtable *table, void *session, const admin_call *call,
                              bb_error *error)
{
    return table->key_revoke(session, call->hash, call->now_us, call->deadline, error);
}

int32_t bb_storage_key_revoke(bb_storage *storage, const char *key, size_t key_len,
                              int64_t timeout_ms, bb_error *error)
{
    admin_call call = {.run = run_key_revoke, .not_found = "there is no such key"};
    bb_slice slice = {key, key_len};

    if (storage == NULL)
        return refuse(error, "no storage");
    if (key == NULL || !bb_key_is_well_formed(slice))
        return refuse(error, "the key is not of the form oc_<env>_<random>");
    bb_key_hash(slice, call.hash);
    return run_admin(storage, &call, timeout_ms, error);
}
