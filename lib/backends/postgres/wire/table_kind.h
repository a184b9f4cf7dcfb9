/*
 * table_kind.h: what kind of table the contacts are: this server's own, partitioned, or Citus's.
 */
#ifndef BB_POSTGRES_TABLE_KIND_H
#define BB_POSTGRES_TABLE_KIND_H

#include "backends/postgres/wire/connection.h"

/* How a write goes depends on it. */
typedef enum bb_pg_table_kind {
    BB_PG_TABLE_UNKNOWN,     /* the next write asks */
    BB_PG_TABLE_ORDINARY,    /* a table of this server's */
    BB_PG_TABLE_PARTITIONED, /* likewise, and partitioned by chatbot_id */
    BB_PG_TABLE_CITUS        /* one of Citus's */
} bb_pg_table_kind;

/* Asks the server, and keeps the answer. */
int32_t bb_pg_table_kind_ask(bb_pg_session *session, int64_t deadline, int *kind, bb_error *error);

/* Asks only if it is not known. */
int32_t bb_pg_table_kind_find_out(bb_pg_session *session, int64_t deadline, int *kind,
                                  bb_error *error);

/* Has the next write ask again, because the tables may have changed. What Citus is sent runs on
 * ordinary tables too, so a store that is told of Citus stays with it. */
void bb_pg_table_kind_forget(bb_pg_store *store);

/* Whether the database has the Citus extension. */
int32_t bb_pg_has_citus(bb_pg_session *session, int64_t deadline, int *has_citus, bb_error *error);

#endif
