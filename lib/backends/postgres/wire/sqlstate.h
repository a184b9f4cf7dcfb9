/*
 * sqlstate.h: what a SQLSTATE means to the library.
 */
#ifndef BB_POSTGRES_SQLSTATE_H
#define BB_POSTGRES_SQLSTATE_H

#include <stdint.h>

/* invalid_argument_for_width_bucket_function: how a write that is to be undone fails, or the check
 * after it; see ordinary_statements.c. */
#define BB_PG_SQLSTATE_UNDO "2201G"

/* feature_not_supported, invalid_sql_statement_name, duplicate_prepared_statement: also what the
 * server says of a prepared statement when a table has changed its shape since, and behind a pooler
 * when another connection has prepared it; see pipeline.c. */
#define BB_PG_SQLSTATE_UNSUPPORTED    "0A000"
#define BB_PG_SQLSTATE_NO_STATEMENT   "26000"
#define BB_PG_SQLSTATE_TWO_STATEMENTS "42P05"

/* protocol_violation: what PgBouncer says when it ends a connection. */
#define BB_PG_SQLSTATE_PROTOCOL "08P01"

/* read_only_sql_transaction: what a standby answers to a write. */
#define BB_PG_SQLSTATE_READ_ONLY "25006"

/* The bb_code for a SQLSTATE of five characters: by the exact code, then by its class, else
 * BB_ERR_INTERNAL. */
int32_t bb_pg_sqlstate_code(const char *sqlstate);

#endif
