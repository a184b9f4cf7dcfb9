/*
 * engine.c: which engine the server is, and so which way a write goes.
 */
#include "backends/postgres/wire/engine.h"

#include <string.h>

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/pipeline.h"
#include "backends/postgres/wire/sqlstate.h"

/* The SQL is laid out by hand. */
/* clang-format off */

#define HAS_CITUS_SQL                     \
    "SELECT pg_catalog.count(*)::integer" \
    " FROM pg_catalog.pg_extension WHERE extname" OP(=) "'citus'"

/* Only where the extension is: elsewhere there is no such catalog. */
#define IS_CITUS_TABLE_SQL                                                  \
    "SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_dist_partition" \
    " WHERE logicalrelid" OP(=) "pg_catalog.to_regclass(E'@contacts')"

/* Whether a chatbot's partitions are known from its number: other columns may follow in the key, but
 * a hash takes all of them. */
#define IS_PARTITIONED_SQL                                                       \
    "SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_partitioned_table p" \
    " JOIN pg_catalog.pg_attribute a ON a.attrelid" OP(=) "p.partrelid"          \
        " AND a.attnum" OP(=) "p.partattrs[0]"                                   \
    " WHERE p.partrelid" OP(=) "pg_catalog.to_regclass(E'@contacts')"            \
    " AND a.attname" OP(=) "'chatbot_id'"                                        \
    " AND (p.partnatts" OP(=) "1 OR p.partstrat" OP(<>) "'h')"

/* clang-format on */

int32_t bb_pg_engine_ask(bb_pg_session *session, const char *sql, int64_t deadline, int32_t *answer,
                         bb_error *error)
{
    const bb_pg_names *names = &session->store->names;
    char *text = bb_pg_names_expand(names, sql);
    bb_pg_call call = {.text = text};
    int32_t code;

    *answer = 0;
    if (text == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a statement");
    code = bb_pg_run_alone(session, &call, deadline, error);
    if (code == BB_OK && PQntuples(call.result) == 1 && PQgetlength(call.result, 0, 0) == 4)
        *answer = bb_pg_get_i32(PQgetvalue(call.result, 0, 0));
    bb_pg_calls_clear(&call, 1);
    bb_free(&names->allocator, text);
    return code;
}

int32_t bb_pg_engine_has_citus(bb_pg_session *session, int64_t deadline, int *has_citus,
                               bb_error *error)
{
    int32_t count;
    int32_t code = bb_pg_engine_ask(session, HAS_CITUS_SQL, deadline, &count, error);

    *has_citus = count > 0;
    return code;
}

/* Asks, and keeps the answer. */
static int32_t ask(bb_pg_session *session, int64_t deadline, int *engine, bb_error *error)
{
    int has_citus;
    int32_t distributed = 0;
    int32_t partitioned = 0;
    int32_t code = bb_pg_engine_has_citus(session, deadline, &has_citus, error);

    if (code == BB_OK && has_citus)
        code = bb_pg_engine_ask(session, IS_CITUS_TABLE_SQL, deadline, &distributed, error);
    if (code == BB_OK && distributed == 0)
        code = bb_pg_engine_ask(session, IS_PARTITIONED_SQL, deadline, &partitioned, error);
    *engine = distributed > 0   ? BB_PG_ENGINE_CITUS
              : partitioned > 0 ? BB_PG_ENGINE_PARTITIONED
                                : BB_PG_ENGINE_ORDINARY;
    if (code == BB_OK)
        atomic_store(&session->store->engine, *engine);
    return code;
}

int32_t bb_pg_engine_find_out(bb_pg_session *session, int64_t deadline, int *engine,
                              bb_error *error)
{
    *engine = atomic_load(&session->store->engine);
    return *engine == BB_PG_ENGINE_UNKNOWN ? ask(session, deadline, engine, error) : BB_OK;
}

void bb_pg_engine_forget(bb_pg_store *store)
{
    int known = atomic_load(&store->engine);

    if (known != BB_PG_ENGINE_CITUS)
        atomic_compare_exchange_strong(&store->engine, &known, BB_PG_ENGINE_UNKNOWN);
}

/* Citus refuses the ordinary write with feature_not_supported; nothing has been done then. */
static int is_refused(int32_t code, const bb_error *error)
{
    return code != BB_OK && strcmp(error->sqlstate, BB_PG_SQLSTATE_UNSUPPORTED) == 0;
}

int32_t bb_pg_engine_write(bb_pg_session *session, const bb_write *write, bb_pg_write_fn ordinarily,
                           bb_pg_write_fn on_citus, bb_error *error)
{
    int64_t deadline = write->access->deadline;
    int engine;
    int32_t code = bb_pg_engine_find_out(session, deadline, &engine, error);

    if (code != BB_OK)
        return code;
    if (engine == BB_PG_ENGINE_CITUS)
        return on_citus(session, write, error);
    code = ordinarily(session, write, error);
    if (!is_refused(code, error))
        return code;
    /* the tables have been distributed since the server was asked, or something else is wrong */
    if (ask(session, deadline, &engine, NULL) != BB_OK || engine != BB_PG_ENGINE_CITUS)
        return code;
    bb_pg_error(error, BB_OK, NULL, "");
    return on_citus(session, write, error);
}
