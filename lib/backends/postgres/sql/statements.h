/*
 * statements.h: all statements of a store, as they are sent, and the names under which they are
 * prepared.
 */
#ifndef BB_POSTGRES_STATEMENTS_H
#define BB_POSTGRES_STATEMENTS_H

#include "backends/postgres/sql/names.h"
#include "backends/postgres/sql/statement.h"

/* Fills in the texts and their names. Returns 0 if memory ran out; free what is there. */
int bb_pg_statements_init(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                          const bb_pg_names *names);
void bb_pg_statements_free(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                           const bb_pg_names *names);

#endif
