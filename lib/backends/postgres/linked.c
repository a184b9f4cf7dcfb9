/*
 * linked.c: the openers of the PostgreSQL backend where it is in the library itself.
 */
#include "backends/postgres/module.h"

int32_t bb_storage_open_postgres_with(const char *conninfo, size_t conninfo_len,
                                      const bb_storage_options *options,
                                      const bb_postgres_options *postgres, bb_storage **out,
                                      bb_error *error)
{
    return bb_postgres_open(&bb_contacts_postgres, conninfo, conninfo_len, options, postgres, out,
                            error);
}

int32_t bb_storage_open_postgres(const char *conninfo, size_t conninfo_len,
                                 const bb_storage_options *options, bb_storage **out,
                                 bb_error *error)
{
    return bb_storage_open_postgres_with(conninfo, conninfo_len, options, NULL, out, error);
}

int32_t bb_postgres_schema_sql(const bb_postgres_options *postgres, int32_t from_version, char *out,
                               size_t out_size, size_t *len, bb_error *error)
{
    return bb_contacts_postgres.schema_sql(postgres, from_version, out, out_size, len, error);
}
