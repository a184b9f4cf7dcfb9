/*
 * statements.h: the SQL of a request, and the names that it is prepared under.
 */
#ifndef BB_POSTGRES_STATEMENTS_H
#define BB_POSTGRES_STATEMENTS_H

#include "backends/postgres/sql/names.h"

/* The statements that a session prepares when it first uses them. */
typedef enum bb_pg_statement_id {
    BB_PG_BEGIN,
    BB_PG_SETTINGS,    /* lock timeout, statement timeout (text, milliseconds) */
    BB_PG_ACCESS,      /* the access parameters; locks shared, locks exclusive (bigint[]) */
    BB_PG_NEXT_ACCESS, /* the access parameters */
    BB_PG_LOCKS,       /* shared, who asks for each; exclusive, who asks for each */
    BB_PG_WRITE,       /* see records.c */
    BB_PG_PLAN_ANEW,
    BB_PG_WRITE_TO_PARTITIONS, /* instead of BB_PG_WRITE, after BB_PG_PLAN_ANEW */
    BB_PG_CHECK,               /* after a write; fails if that is to be undone */
    BB_PG_COMMIT,
    BB_PG_AUTHORIZE, /* the access parameters */
    BB_PG_TIMEOUTS,  /* see citus_statements.h for these */
    BB_PG_CITUS_ACCESS,
    BB_PG_CITUS_FIND,
    BB_PG_CITUS_UPDATE,
    BB_PG_CITUS_INSERT,
    BB_PG_CITUS_INSERT_ONE,
    BB_PG_STATEMENT_COUNT
} bb_pg_statement_id;

typedef struct bb_pg_statement {
    char *text;
    const uint32_t *types; /* the parameters' types; NULL: the text says them */
    int type_count;
    char name[24];
} bb_pg_statement;

/* What the access statement decides. */
enum { BB_PG_NO_KEY = 0, BB_PG_NO_CHATBOT = 1, BB_PG_ALLOWED = 2 };

/* Fills in the texts and their names; 0 if memory ran out, with what is there to be freed. */
int bb_pg_statements_init(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                          const bb_pg_names *names);
void bb_pg_statements_free(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                           const bb_pg_names *names);

#endif
