/*
 * statement.h: the statements and their form.
 */
#ifndef BB_POSTGRES_STATEMENT_H
#define BB_POSTGRES_STATEMENT_H

#include <stdint.h>

/* The statements that a session prepares when it first uses them. */
typedef enum bb_pg_statement_id {
    BB_PG_BEGIN,
    BB_PG_SETTINGS,      /* lock timeout, statement timeout (text, milliseconds) */
    BB_PG_ACCESS,        /* the access parameters; locks shared, locks exclusive (bigint[]) */
    BB_PG_NEXT_ACCESS,   /* the access parameters */
    BB_PG_LOCKS,         /* shared, the asker of each; exclusive, the asker of each */
    BB_PG_WRITE,         /* see records.c */
    BB_PG_CAREFUL_WRITE, /* likewise; the next two and BB_PG_CHECK follow */
    BB_PG_DEFERRED,      /* does what is deferred to the commit */
    BB_PG_READ,          /* the contacts; the first parameters of the write, up to the room */
    BB_PG_PLAN_ANEW,
    BB_PG_WRITE_TO_PARTITIONS,     /* instead of BB_PG_CAREFUL_WRITE, after BB_PG_PLAN_ANEW */
    BB_PG_READ_PARTITIONS,         /* instead of BB_PG_READ, likewise */
    BB_PG_WRITE_UNSEEN,            /* instead of BB_PG_WRITE, if nobody will see the contacts */
    BB_PG_LOOK,                    /* instead of BB_PG_READ, likewise */
    BB_PG_LOOK_AT_PARTITIONS,      /* instead of BB_PG_READ_PARTITIONS, likewise */
    BB_PG_MERGE,                   /* instead of BB_PG_CAREFUL_WRITE, if a record is to be merged */
    BB_PG_MERGE_PARTITIONS,        /* instead of BB_PG_WRITE_TO_PARTITIONS, likewise */
    BB_PG_DRY_WRITE,               /* says what a write would do; the parameters of BB_PG_MERGE */
    BB_PG_DRY_WRITE_TO_PARTITIONS, /* instead, after BB_PG_PLAN_ANEW */
    BB_PG_TRIAL,                   /* a BB_PG_MERGE that draws no ids, to be rolled back */
    BB_PG_TRIAL_IN_PARTITIONS,     /* instead, after BB_PG_PLAN_ANEW */
    BB_PG_CHECK,                   /* fails if the write before it must be undone */
    BB_PG_COMMIT,
    BB_PG_ROLLBACK,
    BB_PG_AUTHORIZE, /* the access parameters */
    BB_PG_TIMEOUTS,  /* these: see citus_statements.h */
    BB_PG_CITUS_ACCESS,
    BB_PG_CITUS_MEASURE,
    BB_PG_CITUS_MEASURE_MERGED,
    BB_PG_CITUS_FIND,
    BB_PG_CITUS_FIND_MERGED, /* instead, if a record is to be merged */
    BB_PG_CITUS_UPDATE,
    BB_PG_CITUS_INSERT,
    BB_PG_CITUS_INSERT_ONE,
    BB_PG_STATEMENT_COUNT
} bb_pg_statement_id;

/* A statement as its file has it. */
typedef struct bb_pg_definition {
    const char *text; /* with marks, as in names.h and columns.h; NULL: it is not in this file */
    const uint32_t *types; /* the parameters' types; NULL: the text says them */
    int type_count;
} bb_pg_definition;

/* The types and their number, of an array. */
#define BB_PG_TYPES(array) array, (int)(sizeof(array) / sizeof(array)[0])

/* The same as it is sent. */
typedef struct bb_pg_statement {
    char *text;
    const uint32_t *types; /* as above */
    int type_count;
    char name[24]; /* under which it is prepared */
} bb_pg_statement;

/* What the access statement decides. */
enum { BB_PG_NO_KEY = 0, BB_PG_NO_CHATBOT = 1, BB_PG_ALLOWED = 2 };

#endif
