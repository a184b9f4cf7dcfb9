/*
 * schema.h: makes the tables and brings them up to date.
 */
#ifndef BB_POSTGRES_SCHEMA_H
#define BB_POSTGRES_SCHEMA_H

#include "bb_contacts/backends.h"
#include "bb_contacts/storage.h"

/* bb_storage_vtable.migrate */
int32_t bb_pg_migrate(void *session, int64_t deadline, bb_error *error);

/* bb_postgres_schema_sql() */
int32_t bb_pg_schema_sql(const bb_postgres_options *given, int32_t from_version, char *out,
                         size_t out_size, size_t *len, bb_error *error);

#endif
