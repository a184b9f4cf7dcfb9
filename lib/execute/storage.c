/*
 * storage.c: makes a storage from a backend's table, which it checks and copies, and closes it.
 */
#include "execute/storage.h"

#include <string.h>

#include "util/alloc.h"
#include "util/struct_size.h"

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

/* How much of a table of this size is known here, in whole versions. */
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
    atomic_init(&storage->references, 1);
    *out = storage;
    return BB_OK;
}

void bb_storage_retain(bb_storage *storage)
{
    atomic_fetch_add(&storage->references, 1);
}

void bb_storage_release(bb_storage *storage)
{
    bb_allocator allocator;

    if (atomic_fetch_sub(&storage->references, 1) > 1)
        return;
    allocator = storage->allocator;
    if (bb_process_is_this(&storage->opener)) /* otherwise another process closes the store */
        storage->vtable.close(storage->store);
    bb_process_forget(&storage->opener);
    bb_free(&allocator, storage);
}

void bb_storage_close(bb_storage *storage)
{
    if (storage != NULL)
        bb_storage_release(storage);
}

const char *bb_storage_name(const bb_storage *storage)
{
    return storage != NULL ? storage->vtable.name : "";
}
