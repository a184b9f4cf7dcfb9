/*
 * ordinary_statements.h: the SQL of a request on tables that are this server's own.
 */
#ifndef BB_POSTGRES_ORDINARY_STATEMENTS_H
#define BB_POSTGRES_ORDINARY_STATEMENTS_H

#include "backends/postgres/sql/statement.h"

/* Those that are not in citus_statements.h. */
extern const bb_pg_definition bb_pg_ordinary_definitions[BB_PG_STATEMENT_COUNT];

#endif
