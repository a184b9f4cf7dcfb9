/*
 * names.h: the names of tables and role, and SQL with these names filled in.
 */
#ifndef BB_POSTGRES_NAMES_H
#define BB_POSTGRES_NAMES_H

#include "bb_contacts/backends.h"
#include "bb_contacts/storage.h"

/* The names that SQL in this backend writes as @schema, @contacts and so on. */
typedef enum bb_pg_name {
    BB_PG_SCHEMA,
    BB_PG_CONTACTS,
    BB_PG_CHATBOTS,
    BB_PG_API_KEYS,
    BB_PG_SCHEMA_VERSION,
    BB_PG_ROLE,            /* the role to which migrate() grants what a request needs; NULL: none */
    BB_PG_ACCESS_DECISION, /* a query for the decision of statement.h */
    BB_PG_NAME_COUNT
} bb_pg_name;

typedef struct bb_pg_names {
    bb_allocator allocator;
    char *sql[BB_PG_NAME_COUNT]; /* quoted, the tables with their schema */
    char *schema;                /* as they stand in the catalogs */
    char *schema_version;
    int is_access_foreign; /* the host's query says who may write, so chatbots and keys are his */
} bb_pg_names;

/* BB_ERR_ARGUMENT for a name that the server would cut or refuse, or BB_ERR_NOMEM. `options` NULL:
 * the defaults. */
int32_t bb_pg_names_init(bb_pg_names *names, const bb_postgres_options *options,
                         const bb_allocator *allocator, bb_error *error);
void bb_pg_names_free(bb_pg_names *names);

/* SQL with its columns, as in columns.h, and every @name replaced, to be freed with the names'
 * allocator; NULL: out of memory. A name right after a quote, as in E'@contacts'::regclass, is a
 * part of a string constant. */
char *bb_pg_names_expand(const bb_pg_names *names, const char *sql);

#endif
