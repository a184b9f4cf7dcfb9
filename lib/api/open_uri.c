/*
 * open_uri.c: opens the backend that a URI names.
 */
#include <string.h>

#include "bb_contacts/backends.h"
#include "bb_contacts/storage.h"

static int begins_with(const char *text, size_t len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);

    return len >= prefix_len && memcmp(text, prefix, prefix_len) == 0;
}

int32_t bb_storage_open(const char *uri, size_t uri_len, const bb_storage_options *options,
                        bb_storage **out, bb_error *error)
{
    static const char memory[] = "memory:";
    static const char sqlite[] = "sqlite:";
    const size_t sqlite_len = sizeof sqlite - 1;

    if (out != NULL)
        *out = NULL;
    if (uri == NULL || out == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage URI, or nowhere to put it");
    if (uri_len == sizeof memory - 1 && begins_with(uri, uri_len, memory))
        return bb_storage_open_memory(options, out, error);
    if (begins_with(uri, uri_len, sqlite))
        return bb_storage_open_sqlite(uri + sqlite_len, uri_len - sqlite_len, options, out, error);
    if (begins_with(uri, uri_len, "postgresql://") || begins_with(uri, uri_len, "postgres://"))
        return bb_storage_open_postgres(uri, uri_len, options, out, error);
    return bb_error_set(error, BB_ERR_ARGUMENT,
                        "a storage URI is memory:, sqlite:PATH or postgresql://...");
}

/* A backend that was left out. */
#if !defined(BB_WITH_MEMORY) || !defined(BB_WITH_SQLITE) || !defined(BB_WITH_POSTGRES)
static int32_t is_left_out(const char *name, bb_storage **out, bb_error *error)
{
    if (out != NULL)
        *out = NULL;
    return bb_error_set(error, BB_ERR_UNSUPPORTED, "built without the %s backend", name);
}
#endif

#ifndef BB_WITH_MEMORY
int32_t bb_storage_open_memory(const bb_storage_options *options, bb_storage **out, bb_error *error)
{
    (void)options;
    return is_left_out("memory", out, error);
}
#endif

#ifndef BB_WITH_SQLITE
int32_t bb_storage_open_sqlite(const char *path, size_t path_len, const bb_storage_options *options,
                               bb_storage **out, bb_error *error)
{
    (void)path;
    (void)path_len;
    (void)options;
    return is_left_out("SQLite", out, error);
}
#endif

#ifndef BB_WITH_POSTGRES
int32_t bb_storage_open_postgres(const char *conninfo, size_t conninfo_len,
                                 const bb_storage_options *options, bb_storage **out,
                                 bb_error *error)
{
    return bb_storage_open_postgres_with(conninfo, conninfo_len, options, NULL, out, error);
}

int32_t bb_storage_open_postgres_with(const char *conninfo, size_t conninfo_len,
                                      const bb_storage_options *options,
                                      const bb_postgres_options *postgres, bb_storage **out,
                                      bb_error *error)
{
    (void)conninfo;
    (void)conninfo_len;
    (void)options;
    (void)postgres;
    return is_left_out("PostgreSQL", out, error);
}

int32_t bb_postgres_schema_sql(const bb_postgres_options *postgres, int32_t from_version, char *out,
                               size_t out_size, size_t *len, bb_error *error)
{
    (void)postgres;
    (void)from_version;
    (void)out;
    (void)out_size;
    (void)len;
    return is_left_out("PostgreSQL", NULL, error);
}
#endif
