/*
 * citus_statements.h: the SQL of a request on Citus.
 */
#ifndef BB_POSTGRES_CITUS_STATEMENTS_H
#define BB_POSTGRES_CITUS_STATEMENTS_H

#include "backends/postgres/sql/statements.h"

/*
 * BB_PG_TIMEOUTS        lock timeout, statement timeout (text, milliseconds)
 * BB_PG_CITUS_ACCESS    the access parameters; locks shared, locks exclusive (bigint[]); timeouts
 * the others            the chatbot, the time, and the records, one array a column
 *
 * The others answer with rows of the columns in citus_records.h.
 */

/* The text of a statement of these, with names as in names.h. */
const char *bb_pg_citus_text(bb_pg_statement_id id);

/* Tells their parameters' types. */
void bb_pg_citus_set_types(bb_pg_statement statements[BB_PG_STATEMENT_COUNT]);

#endif
