/*
 * citus_statements.h: the SQL of a request on Citus.
 */
#ifndef BB_POSTGRES_CITUS_STATEMENTS_H
#define BB_POSTGRES_CITUS_STATEMENTS_H

#include "backends/postgres/sql/statement.h"

/*
 * BB_PG_TIMEOUTS        lock timeout, statement timeout (text, milliseconds) BB_PG_CITUS_ACCESS
 * the access parameters; locks shared, locks exclusive (bigint[]); timeouts the others
 * the chatbot, the time, and the records; see record_parameters.h
 *
 * The others return rows with the columns in citus_records.h.
 */
extern const bb_pg_definition bb_pg_citus_definitions[BB_PG_STATEMENT_COUNT];

#endif
