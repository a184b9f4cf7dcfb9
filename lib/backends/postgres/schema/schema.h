/*
 * schema.h: makes the tables and brings them up to date.
 */
#ifndef BB_POSTGRES_SCHEMA_H
#define BB_POSTGRES_SCHEMA_H

#include "bb_contacts/storage.h"

/* bb_storage_vtable.migrate; bb_postgres_schema_sql() is here too. */
int32_t bb_pg_migrate(void *session, int64_t deadline, bb_error *error);

#endif
