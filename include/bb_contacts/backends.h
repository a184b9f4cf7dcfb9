/*
 * backends.h: opens the storage backends that come with the library.
 *
 * Every function here exists in every build; one whose backend was left out returns
 * BB_ERR_UNSUPPORTED. None of them connects or makes a file: a wrong host, password or folder shows
 * in the first call that needs it, usually bb_storage_migrate().
 */
#ifndef BB_CONTACTS_BACKENDS_H
#define BB_CONTACTS_BACKENDS_H

#include "bb_contacts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Options of the openers; 0 or NULL in a member means its default. */
typedef struct bb_storage_options {
    size_t size;                   /* sizeof(bb_storage_options); set by the init function below */
    const bb_allocator *allocator; /* copied; default: malloc, realloc, free */
    bb_log_fn log;                 /* the backend's own lines; default: nothing is logged */
    void *log_ctx;                 /* passed to log */
} bb_storage_options;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_storage_options_init(bb_storage_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
#endif

/*
 * Opens the storage that a URI names, as a configuration file or a command line holds it:
 *
 *     memory:                   in this process, gone when it is closed (so without E8)
 *     sqlite:PATH               one SQLite file, made by bb_storage_migrate() if it is not there
 *     postgresql://... or postgres://...    a libpq connection URI
 *
 * `options` may be NULL. On success `*out` is closed with bb_storage_close(). BB_ERR_ARGUMENT for
 * any other text; `error` never repeats the URI, which may hold a password.
 */
BB_API int32_t bb_storage_open(const char *uri, size_t uri_len, const bb_storage_options *options,
                               bb_storage **out, bb_error *error);

/* Opens the reference backend: a table in memory under one lock. */
BB_API int32_t bb_storage_open_memory(const bb_storage_options *options, bb_storage **out,
                                      bb_error *error);

/* Opens a storage on SQLite: one file in WAL mode, synchronous=FULL. `path` is a file name, not an
 * SQLite URI; a relative one is resolved now. Only bb_storage_migrate() makes it; as long as it is
 * missing, all other calls are BB_ERR_UNAVAILABLE. Several processes may use the file at once. But
 * a child of fork() inherits what SQLite knows of open files, so it must not open a file from which
 * its parent has served requests: fork before the first request, or execute a program.
 * lib/backends/sqlite/README.md says how to back up and restore, and what else to know. */
BB_API int32_t bb_storage_open_sqlite(const char *path, size_t path_len,
                                      const bb_storage_options *options, bb_storage **out,
                                      bb_error *error);

/* Opens a storage on PostgreSQL 15 or later. This backend is a library of its own,
 * libbb_contacts_postgres, which the shared library loads, with libpq, when it is first asked for.
 * BB_ERR_UNSUPPORTED where that is not installed. `conninfo` is a libpq connection string or URI;
 * what it leaves out comes from libpq's environment variables and service file. No error and no
 * line in the log repeats any part of it (A5). The only thing that a deadline does not bound is
 * libpq's look-up of a host's name; hostaddr avoids it. */
BB_API int32_t bb_storage_open_postgres(const char *conninfo, size_t conninfo_len,
                                        const bb_storage_options *options, bb_storage **out,
                                        bb_error *error);

/* Never names statements on the server: for poolers in transaction mode that don't know prepared
 * statements, such as PgBouncer before 1.21. Without this flag, the first error that tells of such
 * a pooler has the same effect, and the request does not notice. A pooler in statement mode is
 * refused: BB_ERR_UNSUPPORTED; requests are 500. */
#define BB_POSTGRES_UNNAMED_STATEMENTS (1u << 0)

/*
 * PostgreSQL in the host's own schema; NULL or 0 in a member means its default. Names are as in the
 * catalogs, of at most 63 bytes and any spelling: they are quoted. All processes that write to the
 * same contacts must be given the same names.
 *
 * access_sql, if given, answers whether the caller may write to the chatbot (B1 to B3), from
 * whatever tables the host has; chatbots_table and api_keys_table are then neither read nor made,
 * and the functions that add chatbots and keys return BB_ERR_UNSUPPORTED. It is a SELECT without a
 * semicolon of one column and at most one row, with these parameters:
 *
 *     $1 bytea         SHA-256 of the API key; NULL: a principal (B4)
 *     $2 bigint        the principal's workspace; 0 with a key
 *     $3 bigint        the chatbot that the principal is limited to, or 0; 0 with a key
 *     $4 bigint        the chatbot asked for
 *     $5 timestamptz   the time of the request
 *
 * Its one integer is 2 for yes, 1 for a live key that may not see this chatbot (404), 0 for a key
 * that is unknown, revoked or expired (401); NULL or no row is 0. It runs in the transaction of the
 * write and before it, so it may prepare it, as set_config('app.tenant', ..., true) does for a
 * row-level security policy.
 *
 * The library's own SQL names everything with its schema, so that no search_path changes what it
 * means; access_sql, triggers, policies and defaults see the path of the role. If that has a schema
 * in which others may create objects, these need such names, too.
 *
 * The contacts table may have partitions and triggers, and a trigger may change a value before or
 * after it is stored: answers say what is stored. The first write that meets either takes a round
 * trip more, and the next may take two. From then on contacts are read back before the commit, in
 * the same round trip, when what is deferred has been done: deferred constraints and triggers run
 * right after the write (SET CONSTRAINTS ALL IMMEDIATE). A table with neither has no contacts read
 * back. If it is partitioned by chatbot_id, alone or first in a range, a write takes as long
 * whatever the number of partitions; with another key it takes longer with each. Its columns must
 * keep their types: a varchar(n) that cut a value without an error would make an answer differ from
 * what is stored. A request for a contact that a trigger, rule or policy leaves out, or that a
 * trigger deletes or gives another key, is 500 with a line in the log, and nothing of it is stored.
 *
 * The id alone is unique in the table (E3). A host that partitions it by chatbot_id, as PostgreSQL
 * then wants that column in the constraint, replaces UNIQUE (id) by UNIQUE (id, chatbot_id) before.
 */
typedef struct bb_postgres_options {
    size_t size;                /* sizeof(bb_postgres_options); set by the init function below */
    const char *schema;         /* default "bb_contacts" */
    size_t schema_len;          /* bytes */
    const char *contacts_table; /* default "contacts" */
    size_t contacts_table_len;  /* bytes */
    const char *chatbots_table; /* default "chatbots" */
    size_t chatbots_table_len;  /* bytes */
    const char *api_keys_table; /* default "api_keys" */
    size_t api_keys_table_len;  /* bytes */
    const char *version_table;  /* default "schema_version" */
    size_t version_table_len;   /* bytes */
    const char *role; /* the role that serves requests: when the tables are made it is granted what
                         that takes and no more; default: nothing is granted */
    size_t role_len;  /* bytes */
    const char *access_sql; /* see above; default: by chatbots_table and api_keys_table */
    size_t access_sql_len;  /* bytes */
    uint32_t flags;         /* BB_POSTGRES_... */
    uint32_t reserved;      /* 0 */
} bb_postgres_options;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_postgres_options_init(bb_postgres_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
#endif

/* bb_storage_open_postgres() with options, which are copied, with what they point to. `postgres`
 * may be NULL. */
BB_API int32_t bb_storage_open_postgres_with(const char *conninfo, size_t conninfo_len,
                                             const bb_storage_options *options,
                                             const bb_postgres_options *postgres, bb_storage **out,
                                             bb_error *error);

/*
 * The SQL script that does what bb_storage_migrate() would do, for someone else to run. It begins
 * at version `from_version` of the schema; 0 is an empty database. `postgres` may be NULL. Writes
 * the script to `out` with a NUL after it and its length to `*len`. If it does not fit into
 * `out_size` bytes, returns BB_ERR_ARGUMENT with the length in `*len` all the same, so a first call
 * with out_size 0 tells how much room is needed. No connection is made.
 */
BB_API int32_t bb_postgres_schema_sql(const bb_postgres_options *postgres, int32_t from_version,
                                      char *out, size_t out_size, size_t *len, bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
