/*
 * postgres.c: the PostgreSQL backend: its table of functions, its store and its sessions.
 */
#include <string.h>

#include "backends/postgres/admin.h"
#include "backends/postgres/marshal/access.h"
#include "backends/postgres/module.h"
#include "backends/postgres/schema/schema.h"
#include "backends/postgres/wire/connection.h"
#include "backends/postgres/write/write.h"
#include "util/struct_size.h"

static int32_t session_open(void *store, int64_t deadline, void **session, bb_error *error)
{
    bb_pg_store *self = store;
    bb_pg_session *opened = bb_zalloc(&self->allocator, sizeof *opened);
    int32_t code;

    if (opened == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a session");
    opened->store = self;
    code = bb_pg_connect(opened, deadline, error);
    if (code != BB_OK) {
        bb_free(&self->allocator, opened);
        return code;
    }
    *session = opened;
    return BB_OK;
}

static void session_close(void *session)
{
    bb_pg_session *self = session;

    bb_pg_disconnect(self);
    bb_free(&self->store->allocator, self);
}

static void store_free(bb_pg_store *store)
{
    bb_allocator allocator = store->allocator;

    bb_pg_statements_free(store->statements, &store->names);
    bb_pg_names_free(&store->names);
    bb_free(&allocator, store->conninfo);
    bb_free(&allocator, store);
}

static void store_close(void *store)
{
    store_free(store);
}

static const bb_storage_vtable vtable = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .flags = BB_STORAGE_MERGES | BB_STORAGE_DRY_RUNS,
    .name = "postgres",
    .max_integer_digits = 131072, /* of the type numeric, in which jsonb keeps numbers */
    .max_fraction_digits = 16383,
    .close = store_close,
    .session_open = session_open,
    .session_close = session_close,
    .migrate = bb_pg_migrate,
    .authorize = bb_pg_authorize,
    .write = bb_pg_write,
    .write_group = bb_pg_write_group,
    .chatbot_add = bb_pg_chatbot_add,
    .chatbot_archive = bb_pg_chatbot_archive,
    .key_add = bb_pg_key_add,
    .key_revoke = bb_pg_key_revoke,
};

/* libpq's own message about a faulty string is not used, as it may repeat a password. */
static int is_conninfo(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

    PQconninfoFree(options);
    return options != NULL;
}

static int32_t fill_store(bb_pg_store *store, const char *conninfo, size_t conninfo_len,
                          const bb_postgres_options *postgres, bb_error *error)
{
    int32_t code = bb_pg_names_init(&store->names, postgres, &store->allocator, error);

    if (code != BB_OK)
        return code;
    store->conninfo = bb_strndup(&store->allocator, conninfo, conninfo_len);
    if (!bb_pg_statements_init(store->statements, &store->names) || store->conninfo == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a storage");
    if (!is_conninfo(store->conninfo))
        return bb_error_set(error, BB_ERR_ARGUMENT, "%s",
                            "not a connection string or URI of libpq's"
                            " (in a URI's password @ / : % are %40 %2F %3A %25)");
    if ((postgres->flags & BB_POSTGRES_UNNAMED_STATEMENTS) != 0)
        atomic_store(&store->is_pooled, 1);
    return BB_OK;
}

static bb_pg_store *store_new(const bb_opening *opening)
{
    bb_pg_store *store = bb_zalloc(&opening->allocator, sizeof *store);

    if (store == NULL)
        return NULL;
    store->allocator = opening->allocator;
    store->log = opening->log;
    store->log_ctx = opening->log_ctx;
    atomic_init(&store->is_pooled, 0);
    atomic_init(&store->keeps_transactions, 0);
    atomic_init(&store->good_host, 0);
    atomic_init(&store->silent_from, INT64_MIN);
    return store;
}

/* A host with tables of its own also fills them. */
static bb_storage_vtable vtable_of(const bb_pg_store *store)
{
    bb_storage_vtable own = vtable;

    if (store->names.is_access_foreign) {
        own.chatbot_add = NULL;
        own.chatbot_archive = NULL;
        own.key_add = NULL;
        own.key_revoke = NULL;
    }
    return own;
}

/* Reads the arguments before there is a store. */
static int32_t read_arguments(const char *conninfo, size_t conninfo_len,
                              const bb_postgres_options *given, bb_postgres_options *postgres,
                              bb_error *error)
{
    bb_postgres_options_init(postgres);
    if (conninfo == NULL ? conninfo_len > 0 : memchr(conninfo, '\0', conninfo_len) != NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no connection string, or a NUL byte in it");
    return given == NULL ? BB_OK
                         : bb_struct_read(&bb_postgres_options_type, postgres, given, error);
}

static int32_t make_store(const bb_opening *opening, const char *conninfo, size_t conninfo_len,
                          const bb_postgres_options *given, bb_storage_vtable *table, void **out,
                          bb_error *error)
{
    bb_postgres_options postgres;
    bb_pg_store *store;
    int32_t code = read_arguments(conninfo, conninfo_len, given, &postgres, error);

    if (code != BB_OK)
        return code;
    store = store_new(opening);
    if (store == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a storage");
    code = fill_store(store, conninfo, conninfo_len, &postgres, error);
    if (code != BB_OK) {
        store_free(store);
        return code;
    }
    *table = vtable_of(store);
    *out = store;
    return BB_OK;
}

const bb_postgres_module bb_contacts_postgres = {
    .version = BB_POSTGRES_MODULE_VERSION,
    .store_new = make_store,
    .schema_sql = bb_pg_schema_sql,
};
