/*
 * citus_schema.h: gives the tables to Citus, where it is there.
 */
#ifndef BB_POSTGRES_CITUS_SCHEMA_H
#define BB_POSTGRES_CITUS_SCHEMA_H

#include "backends/postgres/schema/schema_steps.h"
#include "backends/postgres/wire/connection.h"

/* The steps, up to one without SQL. They belong to no version of the schema, as Citus may come to a
 * database at any time, and do nothing if it is missing or has the tables already. */
extern const bb_pg_step bb_pg_citus_steps[];

/* Whether they would do something. */
int32_t bb_pg_citus_is_waiting(bb_pg_session *session, int64_t deadline, int *is_waiting,
                               bb_error *error);

#endif
