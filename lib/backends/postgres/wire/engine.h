/*
 * engine.h: which engine the server is, and so which way a write goes.
 */
#ifndef BB_POSTGRES_ENGINE_H
#define BB_POSTGRES_ENGINE_H

#include "backends/postgres/wire/connection.h"

typedef enum bb_pg_engine {
    BB_PG_ENGINE_UNKNOWN,     /* the next write asks */
    BB_PG_ENGINE_ORDINARY,    /* the contacts are a table of this server's */
    BB_PG_ENGINE_PARTITIONED, /* likewise, and partitioned by chatbot_id */
    BB_PG_ENGINE_CITUS        /* they are one of Citus's */
} bb_pg_engine;

typedef int32_t (*bb_pg_write_fn)(bb_pg_session *session, const bb_write *write, bb_error *error);

/* Which engine it is, known or asked for now. */
int32_t bb_pg_engine_find_out(bb_pg_session *session, int64_t deadline, int *engine,
                              bb_error *error);

/* Writes in the way that suits the engine. The first write of a store asks the server; what it
 * answers is kept, until a write of the ordinary way fails for a reason that may lie there. */
int32_t bb_pg_engine_write(bb_pg_session *session, const bb_write *write, bb_pg_write_fn ordinarily,
                           bb_pg_write_fn on_citus, bb_error *error);

/* Has the next write ask again, because the tables may have changed. What Citus is sent runs on
 * ordinary tables too, so a store that is told of Citus stays with it. */
void bb_pg_engine_forget(bb_pg_store *store);

/* Whether the database has the Citus extension. */
int32_t bb_pg_engine_has_citus(bb_pg_session *session, int64_t deadline, int *has_citus,
                               bb_error *error);

/* Runs a query for one integer, with names as in names.h. */
int32_t bb_pg_engine_ask(bb_pg_session *session, const char *sql, int64_t deadline, int32_t *answer,
                         bb_error *error);

#endif
