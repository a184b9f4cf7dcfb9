/*
 * ask.h: queries for one integer.
 */
#ifndef BB_POSTGRES_ASK_H
#define BB_POSTGRES_ASK_H

#include "backends/postgres/wire/connection.h"

/* Runs a query by itself, with names as in names.h. `*answer` is 0 if it returns no integer. */
int32_t bb_pg_ask(bb_pg_session *session, const char *sql, int64_t deadline, int32_t *answer,
                  bb_error *error);

#endif
