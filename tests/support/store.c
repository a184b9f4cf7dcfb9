/*
 * store.c: a fresh, empty storage of any backend, with its own place that is removed again.
 */
#include "support/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bb_contacts/storage.h"
#include "support/settings.h"
#include "support/wait.h"
#ifdef BB_WITH_POSTGRES
#ifndef BB_TEST_PUBLIC_API_ALONE
#include "backends/postgres/wire/table_kind.h"
#include "execute/storage.h"
#endif
#include "support/postgres.h"
#endif
#ifdef BB_WITH_SQLITE
#include <sqlite3.h>
#endif

static const char file_name[] = "contacts.db";

static char *file_of(const char *folder, const char *suffix)
{
    size_t size = strlen(folder) + sizeof file_name + strlen(suffix) + 1;
    char *path = malloc(size);

    if (path != NULL)
        snprintf(path, size, "%s/%s%s", folder, file_name, suffix);
    return path;
}

static char *make_folder(void)
{
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)
    char folder[200];

    snprintf(folder, sizeof folder, "%s/bb_test.XXXXXX", parent != NULL ? parent : "/tmp");
    return mkdtemp(folder) != NULL ? strdup(folder) : NULL;
}

/* Opens the file in the store's place. */
static int32_t open_sqlite(test_store *store, bb_error *error)
{
    char *path = file_of(store->place, "");
    int32_t code = BB_ERR_NOMEM;

    if (path != NULL)
        code = bb_storage_open_sqlite(path, strlen(path), NULL, &store->storage, error);
    free(path);
    return code;
}

static void remove_folder(const char *folder)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *path = file_of(folder, suffixes[i]);
        if (path != NULL)
            unlink(path);
        free(path);
    }
    rmdir(folder);
}

#ifdef BB_WITH_POSTGRES
/* A database that is empty and unused, kept because making one takes long. For one thread. */
static char spare[64];

static void drop_spare(void)
{
    if (spare[0] != '\0')
        test_postgres_drop(spare);
    spare[0] = '\0';
}

static char *take_database(test_store *store)
{
    static unsigned made;

    if (spare[0] != '\0') {
        memcpy(store->database, spare, sizeof spare);
        spare[0] = '\0';
        return test_postgres_conninfo(store->database);
    }
    if (made == 0)
        atexit(drop_spare);
    snprintf(store->database, sizeof store->database, "bb_test_%ld_%u", (long)getpid(), made++);
    return test_postgres_create(store->database);
}

/* Empties a database and keeps it, or removes it. */
static void give_back_database(const test_store *store)
{
    if (spare[0] == '\0' && test_postgres_sql(store->place,
                                              "SET client_min_messages = warning;"
                                              "DROP SCHEMA IF EXISTS bb_contacts CASCADE",
                                              NULL, 0) == 0)
        memcpy(spare, store->database, sizeof spare);
    else
        test_postgres_drop(store->database);
}

/* With BB_TEST_POSTGRES_WRITE=citus a store writes as on Citus, whatever the server is. */
static void choose_write(const bb_storage *storage)
{
#ifdef BB_TEST_PUBLIC_API_ALONE
    (void)storage;
#else
    const char *way = getenv("BB_TEST_POSTGRES_WRITE"); // NOLINT(concurrency-mt-unsafe)
    bb_pg_store *store = storage->store;

    if (way != NULL && strcmp(way, "citus") == 0)
        atomic_store(&store->table_kind, BB_PG_TABLE_CITUS);
#endif
}

/* With BB_TEST_POSTGRES_WRITE=partitions the contacts are partitioned by chatbot_id. */
static int divide(const test_store *store)
{
    static const char sql[] =
        "SET search_path = bb_contacts;"
        " ALTER TABLE contacts DROP CONSTRAINT contacts_id_key, ADD UNIQUE (id, chatbot_id);"
        " CREATE TABLE divided (LIKE contacts INCLUDING ALL) PARTITION BY HASH (chatbot_id);"
        " DROP TABLE contacts;"
        " ALTER TABLE divided RENAME TO contacts;"
        " CREATE TABLE p0 PARTITION OF contacts FOR VALUES WITH (MODULUS 3, REMAINDER 0);"
        " CREATE TABLE p1 PARTITION OF contacts FOR VALUES WITH (MODULUS 3, REMAINDER 1);"
        " CREATE TABLE p2 PARTITION OF contacts FOR VALUES WITH (MODULUS 3, REMAINDER 2)";
    const char *way = getenv("BB_TEST_POSTGRES_WRITE"); // NOLINT(concurrency-mt-unsafe)

    if (way == NULL || strcmp(way, "partitions") != 0 || strcmp(store->backend, "postgres") != 0)
        return 0;
    return test_postgres_sql(store->place, sql, NULL, 0);
}

static int32_t open_postgres(test_store *store, bb_error *error)
{
    int32_t code =
        bb_storage_open_postgres(store->place, strlen(store->place), NULL, &store->storage, error);

    if (code == BB_OK)
        choose_write(store->storage);
    return code;
}
#endif

/* A place of its own: a folder, or a database. */
static int32_t make_place(test_store *store, bb_error *error)
{
    if (strcmp(store->backend, "sqlite") == 0)
        store->place = make_folder();
#ifdef BB_WITH_POSTGRES
    else if (strcmp(store->backend, "postgres") == 0)
        store->place = take_database(store);
#endif
    else
        return BB_OK;
    return store->place != NULL
               ? BB_OK
               : bb_error_set(error, BB_ERR_INTERNAL, "no folder or database for the test");
}

static int32_t open_backend(test_store *store, bb_error *error)
{
    if (strcmp(store->backend, "sqlite") == 0)
        return open_sqlite(store, error);
#ifdef BB_WITH_POSTGRES
    if (strcmp(store->backend, "postgres") == 0)
        return open_postgres(store, error);
#endif
    if (strcmp(store->backend, "memory") == 0)
        return bb_storage_open_memory(NULL, &store->storage, error);
    return bb_error_set(error, BB_ERR_UNSUPPORTED, "no such backend in this build");
}

int test_store_open(test_store *store, const char *backend)
{
    bb_error error;

    bb_error_init(&error);
    memset(store, 0, sizeof *store);
    store->backend = backend;
#ifdef BB_WITH_POSTGRES
    if (strcmp(backend, "postgres") == 0 && !test_postgres_is_there()) {
        puts("SKIPPED: BB_TEST_POSTGRES names no server; see tests/postgres.sh");
        return TEST_SKIPPED;
    }
#endif
    if (make_place(store, &error) == BB_OK && open_backend(store, &error) == BB_OK)
        return 0;
    fprintf(stderr, "cannot open a store of %s: %s\n", backend, error.message);
    test_store_close(store);
    return 1;
}

int test_store_reopen(test_store *store)
{
    bb_error error;

    bb_error_init(&error);
    bb_storage_close(store->storage);
    store->storage = NULL;
    if (open_backend(store, &error) == BB_OK)
        return 0;
    fprintf(stderr, "cannot open a store of %s again: %s\n", store->backend, error.message);
    return 1;
}

int test_store_open_migrated(test_store *store, const char *backend)
{
    bb_error error;
    int status = test_store_open(store, backend);

    bb_error_init(&error);
    if (status == 0 && bb_storage_migrate(store->storage, TEST_PATIENCE_MS, &error) != BB_OK) {
        fprintf(stderr, "cannot make the schema of %s: %s\n", backend, error.message);
        test_store_close(store);
        status = 1;
    }
#ifdef BB_WITH_POSTGRES
    if (status == 0 && divide(store) != 0) {
        test_store_close(store);
        status = 1;
    }
#endif
    return status;
}

void test_store_close(test_store *store)
{
    bb_storage_close(store->storage);
    if (store->place != NULL && strcmp(store->backend, "sqlite") == 0)
        remove_folder(store->place);
#ifdef BB_WITH_POSTGRES
    if (store->place != NULL && strcmp(store->backend, "postgres") == 0)
        give_back_database(store);
#endif
    free(store->place);
    store->storage = NULL;
    store->place = NULL;
}

/* ----------------------------------------------------------------------------------------- SQL */

#ifdef BB_WITH_SQLITE
typedef struct sql_result {
    char *text;
    size_t size;
} sql_result;

static int keep_first_column(void *ctx, int columns, char **values, char **names)
{
    const sql_result *result = ctx;

    (void)names;
    if (result->text != NULL && columns > 0)
        snprintf(result->text, result->size, "%s", values[0] != NULL ? values[0] : "");
    return 0;
}

static int run_sqlite(const char *folder, const char *sql, char *result, size_t result_size)
{
    sql_result kept = {result, result_size};
    sqlite3 *db = NULL;
    char *path = file_of(folder, "");
    int code = path == NULL ? SQLITE_NOMEM : sqlite3_open(path, &db);

    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(db, TEST_PATIENCE_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, sql, keep_first_column, &kept, NULL);
    if (code != SQLITE_OK)
        fprintf(stderr, "SQLite: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    free(path);
    return code != SQLITE_OK;
}
#endif

int test_store_sql(const test_store *store, const char *sql, char *result, size_t result_size)
{
#ifdef BB_WITH_SQLITE
    if (strcmp(store->backend, "sqlite") == 0)
        return run_sqlite(store->place, sql, result, result_size);
#endif
#ifdef BB_WITH_POSTGRES
    if (strcmp(store->backend, "postgres") == 0)
        return test_postgres_sql(store->place, sql, result, result_size);
#endif
    fprintf(stderr, "%s understands no SQL: %s\n", store->backend, sql);
    return result != NULL && result_size > 0;
}

/* --------------------------------------------------------------------- what is in the store */

static int log_state(const char *folder, char *result, size_t result_size)
{
    char *path = file_of(folder, "-wal");
    struct stat state;
    int failed = path == NULL || stat(path, &state) != 0;

    if (!failed)
        snprintf(result, result_size, "%lld bytes, %lld.%09ld", (long long)state.st_size,
                 (long long)state.st_mtim.tv_sec, state.st_mtim.tv_nsec);
    free(path);
    return failed;
}

int test_store_versions(const test_store *store, char *result, size_t result_size)
{
    if (strcmp(store->backend, "sqlite") == 0)
        return log_state(store->place, result, result_size);
    if (strcmp(store->backend, "postgres") == 0)
        return test_store_sql(store,
                              "SELECT md5(string_agg(concat(xmin, xmax, ctid), ' ' ORDER BY id))"
                              " FROM bb_contacts.contacts",
                              result, result_size);
    snprintf(result, result_size, "memory");
    return 0;
}

void *test_store_lock(const test_store *store)
{
#ifdef BB_WITH_SQLITE
    if (strcmp(store->backend, "sqlite") == 0) {
        sqlite3 *db = NULL;
        char *path = file_of(store->place, "");
        int code = path == NULL ? SQLITE_NOMEM : sqlite3_open(path, &db);
        if (code == SQLITE_OK)
            code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        free(path);
        if (code == SQLITE_OK)
            return db;
        sqlite3_close(db);
    }
#endif
#ifdef BB_WITH_POSTGRES
    if (strcmp(store->backend, "postgres") == 0)
        return test_postgres_hold(store->place, "BEGIN; LOCK TABLE bb_contacts.contacts");
#endif
    return NULL;
}

void *test_store_lock_contact(const test_store *store, const char *external_id)
{
#ifdef BB_WITH_POSTGRES
    char sql[200];

    snprintf(sql, sizeof sql,
             "BEGIN; UPDATE bb_contacts.contacts SET name = name WHERE external_id = '%s'",
             external_id);
    if (strcmp(store->backend, "postgres") == 0)
        return test_postgres_hold(store->place, sql);
#endif
    (void)external_id;
    (void)store;
    return NULL;
}

void test_store_unlock(const test_store *store, void *lock)
{
#ifdef BB_WITH_SQLITE
    if (strcmp(store->backend, "sqlite") == 0)
        sqlite3_close(lock);
#endif
#ifdef BB_WITH_POSTGRES
    if (strcmp(store->backend, "postgres") == 0)
        test_postgres_let_go(lock);
#endif
}

/* Whether a file has these bytes somewhere; no if there is no such file. */
static int file_holds(const char *path, const void *wanted, size_t len)
{
    FILE *file = fopen(path, "rb");
    char *all = NULL;
    size_t size = 0, got;
    int found = 0;

    while (file != NULL) {
        char *grown = realloc(all, size + 65536);
        if (grown == NULL)
            break;
        all = grown;
        got = fread(all + size, 1, 65536, file);
        size += got;
        if (got == 0)
            break;
    }
    for (size_t at = 0; all != NULL && !found && at + len <= size; at++)
        found = memcmp(all + at, wanted, len) == 0;
    if (file != NULL)
        fclose(file);
    free(all);
    return found;
}

static int keys_hold(const test_store *store, const unsigned char *wanted, size_t len)
{
    char hex[200], sql[700], count[24] = "";

    if (2 * len >= sizeof hex)
        return -1;
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", wanted[i]);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM bb_contacts.api_keys k WHERE position('%s' IN k::text) > 0"
             " OR position('%s' IN encode(convert_to(k::text, 'UTF8'), 'hex')) > 0",
             hex, hex);
    if (test_store_sql(store, sql, count, sizeof count) != 0)
        return -1;
    return strcmp(count, "0") != 0;
}

int test_store_holds(const test_store *store, const void *wanted, size_t len)
{
    static const char *const suffixes[] = {"", "-wal"};
    int found = 0;

    if (strcmp(store->backend, "postgres") == 0)
        return keys_hold(store, wanted, len);
    if (strcmp(store->backend, "sqlite") != 0)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        char *path = file_of(store->place, suffixes[i]);
        found |= path != NULL && file_holds(path, wanted, len);
        free(path);
    }
    return found;
}
