/*
 * lmdb_storage.c: the table of the backend, its sessions, and what opens it.
 */
#include "lmdb_storage.h"

#include <stdlib.h>

#include "access.h"
#include "session.h"
#include "store.h"
#include "write.h"

static void close_store(void *store)
{
    lmdb_store_free(store);
}

/* It needs neither file nor schema, since migrate() runs in a session. */
static int32_t open_session(void *store, int64_t deadline, void **session, bb_error *error)
{
    lmdb_session *made = calloc(1, sizeof *made);

    (void)deadline;
    if (made == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    made->store = store;
    *session = made;
    return BB_OK;
}

static void close_session(void *session_)
{
    lmdb_session *session = session_;

    free(session->buffer.data);
    free(session);
}

static int32_t migrate(void *session, int64_t deadline, bb_error *error)
{
    return lmdb_store_migrate(((lmdb_session *)session)->store, deadline, error);
}

/* One writes at a time, the writes of a group one after the other; bb_record_apply() merges;
 * a transaction that is not committed is a dry run. */
const bb_storage_vtable lmdb_storage_vtable = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .flags =
        BB_STORAGE_ORDERED_GROUPS | BB_STORAGE_ONE_WRITER | BB_STORAGE_MERGES | BB_STORAGE_DRY_RUNS,
    .name = "lmdb",
    .close = close_store,
    .session_open = open_session,
    .session_close = close_session,
    .migrate = migrate,
    .authorize = lmdb_authorize,
    .write = lmdb_write,
    .chatbot_add = lmdb_chatbot_add,
    .chatbot_archive = lmdb_chatbot_archive,
    .key_add = lmdb_key_add,
    .key_revoke = lmdb_key_revoke,
    .write_group = lmdb_write_group,
};

int32_t lmdb_storage_store_new(const char *path, const lmdb_storage_options *options, void **store,
                               bb_error *error)
{
    lmdb_store *made;
    int32_t code = lmdb_store_new(path, options, &made, error);

    *store = made;
    return code;
}

int32_t lmdb_storage_open(const char *path, const lmdb_storage_options *options, bb_storage **out,
                          bb_error *error)
{
    void *store;
    int32_t code = lmdb_storage_store_new(path, options, &store, error);

    *out = NULL;
    if (code != BB_OK)
        return code;
    code = bb_storage_new(&lmdb_storage_vtable, store, NULL, out, error);
    if (code != BB_OK)
        close_store(store);
    return code;
}
