/*
 * sqlstate.h: what a SQLSTATE means to the library.
 */
#ifndef BB_POSTGRES_SQLSTATE_H
#define BB_POSTGRES_SQLSTATE_H

#include <stdint.h>

/* invalid_argument_for_width_bucket_function: the error of a write that undoes itself, or of the
 * check after it; see ordinary_statements.c. */
#define BB_PG_SQLSTATE_UNDO "2201G"

/* feature_not_supported, invalid_sql_statement_name, duplicate_prepared_statement: among others,
 * the server's errors for a prepared statement whose table has changed its shape since, or which
 * another connection behind a pooler has prepared; see pipeline.c. */
#define BB_PG_SQLSTATE_UNSUPPORTED    "0A000"
#define BB_PG_SQLSTATE_NO_STATEMENT   "26000"
#define BB_PG_SQLSTATE_TWO_STATEMENTS "42P05"

/* insufficient_privilege, generated_always: the server's errors for an id that the role may not
 * choose. */
#define BB_PG_SQLSTATE_NO_PRIVILEGE     "42501"
#define BB_PG_SQLSTATE_GENERATED_ALWAYS "428C9"

/* protocol_violation: what PgBouncer says when it ends a connection. */
#define BB_PG_SQLSTATE_PROTOCOL "08P01"

/* read_only_sql_transaction: what a standby answers to a write. */
#define BB_PG_SQLSTATE_READ_ONLY "25006"

/* The bb_code for a SQLSTATE of five characters: by the exact code, then by its class, otherwise
 * BB_ERR_INTERNAL. */
int32_t bb_pg_sqlstate_code(const char *sqlstate);

#endif
