/*
 * schema.h: makes the tables in the SQLite file, and brings older ones up to date.
 */
#ifndef BB_SQLITE_SCHEMA_H
#define BB_SQLITE_SCHEMA_H

#include "backends/sqlite/session.h"

/* migrate() of the vtable. */
int32_t bb_sqlite_migrate(void *session, int64_t deadline, bb_error *error);

#endif
