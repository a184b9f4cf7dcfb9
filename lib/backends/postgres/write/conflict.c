/*
 * conflict.c: which uniqueness rule of the table a write has broken: one of the host's own (E10),
 * or that of ids (E3).
 *
 * The name in the error decides nothing by itself: the catalog is asked for the columns of the
 * index of that name.
 */
#include "backends/postgres/write/conflict.h"

#include <stdio.h>
#include <string.h>

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/ids.h"

/* The SQL is laid out by hand. */
/* clang-format off */

/* Whether the rule $1, $2 is an index of the contacts, or of one of their partitions, that begins
 * with the id. The shards of Citus add a number to its name. */
#define IS_OF_IDS_SQL                                                                          \
    "SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_index i"                           \
    " JOIN pg_catalog.pg_class c ON c.oid" OP(=) "i.indexrelid"                                \
    " JOIN pg_catalog.pg_namespace n ON n.oid" OP(=) "c.relnamespace"                          \
    " JOIN pg_catalog.pg_attribute a"                                                          \
    " ON a.attrelid" OP(=) "i.indrelid AND a.attnum" OP(=) "i.indkey[0]"                       \
    " WHERE n.nspname" OP(=) "$1::pg_catalog.text AND a.attname" OP(=) "'id'"                  \
    " AND i.indisunique AND (c.relispartition"                                                 \
    " OR i.indrelid" OP(=) "E'@contacts'::pg_catalog.regclass)"                                \
    " AND (c.relname" OP(=) "$2::pg_catalog.text OR c.relname" OP(=)                           \
    "pg_catalog.regexp_replace($2::pg_catalog.text, '_[0-9]+$', ''))"

/* clang-format on */

static void copy_field(char *to, size_t size, const PGresult *result, int field)
{
    const char *value = PQresultErrorField(result, field);

    (void)snprintf(to, size, "%s", value == NULL ? "" : value);
}

void bb_pg_rule_read(bb_pg_rule *rule, const bb_pg_query *queries, size_t count)
{
    memset(rule, 0, sizeof *rule);
    for (size_t i = 0; i < count; i++) {
        if (PQresultStatus(queries[i].result) != PGRES_FATAL_ERROR)
            continue;
        copy_field(rule->schema, sizeof rule->schema, queries[i].result, PG_DIAG_SCHEMA_NAME);
        copy_field(rule->name, sizeof rule->name, queries[i].result, PG_DIAG_CONSTRAINT_NAME);
        return;
    }
}

static int32_t ask(bb_pg_session *session, const bb_pg_rule *rule, int64_t deadline, int *is_of_ids,
                   bb_error *error)
{
    const bb_pg_names *names = &session->store->names;
    char *text = bb_pg_names_expand(names, IS_OF_IDS_SQL);
    bb_pg_params params;
    bb_pg_query query = {.text = text, .params = &params};
    int32_t code;

    if (text == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a statement");
    bb_pg_params_init(&params, &names->allocator);
    bb_pg_params_add_bytes(&params, rule->schema, strlen(rule->schema));
    bb_pg_params_add_bytes(&params, rule->name, strlen(rule->name));
    code = bb_pg_run_alone(session, &query, deadline, error);
    *is_of_ids = code == BB_OK && PQntuples(query.result) == 1 &&
                 PQgetlength(query.result, 0, 0) == 4 &&
                 bb_pg_get_i32(PQgetvalue(query.result, 0, 0)) > 0;
    bb_pg_queries_clear(&query, 1);
    bb_pg_params_free(&params);
    bb_free(&names->allocator, text);
    return code;
}

static int32_t tell_of_host(const bb_pg_rule *rule, bb_error *error)
{
    if (rule->name[0] == '\0')
        return bb_error_set(error, BB_ERR_CONFLICT, "a uniqueness rule without a name is broken");
    return bb_error_set(error, BB_ERR_CONFLICT, "the uniqueness rule \"%s\" is broken", rule->name);
}

int32_t bb_pg_rule_judge(bb_pg_session *session, const bb_pg_rule *rule, int64_t deadline,
                         int *is_mended, bb_error *error)
{
    int is_of_ids = 0;
    int ids = BB_PG_IDS_UNKNOWN;
    int32_t code = BB_OK;

    *is_mended = 0;
    if (rule->name[0] != '\0')
        code = ask(session, rule, deadline, &is_of_ids, error);
    if (code != BB_OK)
        return code;
    if (!is_of_ids)
        return tell_of_host(rule, error);
    /* it stays unknown if the role may not look, or a policy fails */
    (void)bb_pg_ids_catch_up(session, deadline, &ids, error);
    *is_mended = ids != BB_PG_IDS_UNKNOWN;
    bb_pg_error(error, BB_OK, NULL, "");
    return bb_error_set(error, BB_ERR_INTERNAL,
                        "an id that was drawn is another contact's: bb_storage_migrate(), run by"
                        " the table's owner, moves the sequence on");
}
