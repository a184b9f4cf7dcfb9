/*
 * sqlite.c: the storage backend over one SQLite file, in WAL mode with synchronous=FULL.
 *
 * A session is a connection. Writers of this process queue in writer_queue.c; for those of other
 * processes it tries again and again. Deadlines bound all waiting, except for a disk that is slow
 * to sync a commit.
 */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "backends/open.h"
#include "backends/sqlite/access.h"
#include "backends/sqlite/schema.h"
#include "backends/sqlite/session.h"
#include "backends/sqlite/write.h"
#include "util/alloc.h"

/* 3.35, of March 2021 */
enum { OLDEST_SQLITE = 3035000 };

static void close_store(void *store_)
{
    bb_sqlite_store *store = store_;
    bb_allocator allocator = store->allocator;

    bb_sqlite_writer_queue_destroy(&store->writers);
    bb_free(&allocator, store->path);
    bb_free(&allocator, store);
}

static const bb_storage_vtable sqlite_vtable = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .flags =
        BB_STORAGE_ORDERED_GROUPS | BB_STORAGE_ONE_WRITER | BB_STORAGE_MERGES | BB_STORAGE_DRY_RUNS,
    .name = "sqlite",
    .close = close_store,
    .session_open = bb_sqlite_session_open,
    .session_close = bb_sqlite_session_close,
    .migrate = bb_sqlite_migrate,
    .authorize = bb_sqlite_authorize,
    .write = bb_sqlite_write,
    .chatbot_add = bb_sqlite_chatbot_add,
    .chatbot_archive = bb_sqlite_chatbot_archive,
    .key_add = bb_sqlite_key_add,
    .key_revoke = bb_sqlite_key_revoke,
    .write_group = bb_sqlite_write_group,
};

/*
 * Puts the directory before the path. An absolute path means the same file for every session even
 * if the process changes directory in between, and SQLite sees nothing special in it, as it would
 * in ":memory:" and, if the host turned URIs on, in "file:".
 */
static int32_t make_absolute(bb_sqlite_store *store, const char *path, size_t len, bb_error *error)
{
    char directory[PATH_MAX];
    size_t directory_len = 0;

    if (path[0] != '/') {
        if (getcwd(directory, sizeof directory - 1) == NULL)
            return bb_error_set(error, BB_ERR_UNAVAILABLE, "the current directory has no name");
        directory_len = strlen(directory);
        directory[directory_len++] = '/';
    }
    store->path = len > SIZE_MAX - sizeof directory - 1
                      ? NULL
                      : bb_alloc(&store->allocator, directory_len + len + 1);
    if (store->path == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    memcpy(store->path, directory, directory_len);
    memcpy(store->path + directory_len, path, len);
    store->path[directory_len + len] = '\0';
    return BB_OK;
}

static int32_t check_path(const char *path, size_t len, bb_error *error)
{
    static const char in_memory[] = ":memory:";

    if (path == NULL || len == 0)
        return bb_error_set(error, BB_ERR_ARGUMENT, "an SQLite storage needs a file name");
    if (memchr(path, '\0', len) != NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "a NUL in the file name");
    if (len == sizeof in_memory - 1 && memcmp(path, in_memory, len) == 0)
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "each session would have an SQLite database of its own in memory; "
                            "use the storage memory:");
    return BB_OK;
}

static int32_t check_library(bb_error *error)
{
    if (sqlite3_threadsafe() == 0)
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "SQLite was compiled without threads");
    if (sqlite3_libversion_number() < OLDEST_SQLITE)
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "SQLite %s is older than 3.35",
                            sqlite3_libversion());
    return BB_OK;
}

static int32_t make_store(const bb_allocator *allocator, const char *path, size_t path_len,
                          bb_sqlite_store **out, bb_error *error)
{
    bb_sqlite_store *store = bb_zalloc(allocator, sizeof *store);
    int32_t code;

    if (store == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    store->allocator = *allocator;
    code = make_absolute(store, path, path_len, error);
    if (code == BB_OK && bb_sqlite_writer_queue_init(&store->writers) != 0)
        code = bb_error_set(error, BB_ERR_INTERNAL, "pthread_mutex_init failed");
    if (code != BB_OK) {
        bb_free(allocator, store->path);
        bb_free(allocator, store);
        return code;
    }
    *out = store;
    return BB_OK;
}

int32_t bb_storage_open_sqlite(const char *path, size_t path_len, const bb_storage_options *options,
                               bb_storage **out, bb_error *error)
{
    bb_sqlite_store *store = NULL;
    bb_opening opening;
    int32_t code = bb_opening_begin(&opening, options, out, error);

    if (code == BB_OK)
        code = check_path(path, path_len, error);
    if (code == BB_OK)
        code = check_library(error);
    if (code == BB_OK)
        code = make_store(&opening.allocator, path, path_len, &store, error);
    if (store == NULL)
        return code;
    store->log = opening.log;
    store->log_ctx = opening.log_ctx;
    code = bb_storage_new(&sqlite_vtable, store, &opening.allocator, out, error);
    if (code != BB_OK)
        close_store(store);
    return code;
}
