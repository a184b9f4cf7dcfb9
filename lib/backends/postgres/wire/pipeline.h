/*
 * pipeline.h: runs several statements in one round trip.
 */
#ifndef BB_POSTGRES_PIPELINE_H
#define BB_POSTGRES_PIPELINE_H

#include "backends/postgres/wire/connection.h"
#include "backends/postgres/wire/parameters.h"

/* One statement, its parameters, and its result. */
typedef struct bb_pg_query {
    bb_pg_statement_id statement; /* which is prepared, if `text` is NULL */
    const char *text;             /* a rare statement, which is not prepared */
    const bb_pg_params *params;   /* or NULL: none */
    PGresult *result;             /* in binary format; NULL: there is none */
} bb_pg_query;

/*
 * Connects if need be, sends all queries at once and takes their results, which the caller always
 * clears. Stops at the first that fails; its SQLSTATE decides the code, and its transaction block
 * is rolled back. BB_ERR_LOST if the connection broke before all results were there, BB_ERR_BUSY if
 * the deadline passed; then the session has no connection and makes a new one at its next use.
 */
int32_t bb_pg_run(bb_pg_session *session, bb_pg_query *queries, size_t count, int64_t deadline,
                  bb_error *error);

/*
 * The same for one query, in a transaction of its own unless one is open. Outside of one, a standby
 * whose default is serializable transactions, which it does not have, would refuse the query.
 */
int32_t bb_pg_run_alone(bb_pg_session *session, bb_pg_query *query, int64_t deadline,
                        bb_error *error);

/* Frees the results. */
void bb_pg_queries_clear(bb_pg_query *queries, size_t count);

/* Adds the parameters of the settings statement, from the time left until a deadline. */
void bb_pg_params_add_timeouts(bb_pg_params *params, int64_t deadline);

/* The same for an access, whose locks may have less time. */
void bb_pg_params_add_access_timeouts(bb_pg_params *params, const bb_access *access);

#endif
