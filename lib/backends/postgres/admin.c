/*
 * admin.c: chatbots and keys.
 *
 * Each function makes its change in one statement, and then reads in another whether the row is
 * there and as asked, so that it sees what other processes do at the same time.
 */
#include "backends/postgres/admin.h"

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/pipeline.h"

/* The SQL is laid out by hand. */
/* clang-format off */

#define TIME(parameter) parameter "::pg_catalog.timestamptz"

#define CHATBOT_ADD_SQL                                    \
    "INSERT INTO @chatbots (id, workspace_id, created_at)" \
    " VALUES ($1::bigint, $2::bigint, " TIME("$3") ") ON CONFLICT (id) DO NOTHING"
#define CHATBOT_ADDED_SQL                                              \
    "SELECT (workspace_id" OP(=) "$2::bigint)::integer FROM @chatbots" \
    " WHERE id" OP(=) "$1::bigint AND " TIME("$3") " IS NOT NULL"

#define CHATBOT_ARCHIVE_SQL                                    \
    "UPDATE @chatbots SET archived_at ="                       \
    " CASE WHEN $2::bigint" OP(<>) "0 THEN " TIME("$3") " END" \
    " WHERE id" OP(=) "$1::bigint"                             \
    " AND (archived_at IS NOT NULL)" OP(<>) "($2::bigint" OP(<>) "0)"
#define CHATBOT_ARCHIVED_SQL  \
    "SELECT 1 FROM @chatbots" \
    " WHERE id" OP(=) "$1::bigint AND $2::bigint IS NOT NULL AND " TIME("$3") " IS NOT NULL"

/* A key for one chatbot is added only if the workspace has that chatbot. It counts, as Citus 13
 * does nothing if a condition such as `$3 = 0 OR EXISTS (...)` is true without reading a table. */
#define KEY_ADD_SQL                                                                     \
    "INSERT INTO @api_keys"                                                             \
    " (key_hash, workspace_id, chatbot_id, expires_at, created_at)"                     \
    " SELECT $1::pg_catalog.bytea, $2::bigint,"                                         \
    " CASE WHEN $3::bigint" OP(<>) "0 THEN $3::bigint END, " TIME("$4") ", " TIME("$5") \
    " WHERE (SELECT pg_catalog.count(*) FROM @chatbots"                                 \
    " WHERE id" OP(=) "$3::bigint AND workspace_id" OP(=) "$2::bigint)"                 \
    OP(>=) "($3::bigint" OP(<>) "0)::integer"                                           \
    " ON CONFLICT (key_hash) DO NOTHING"
#define KEY_ADDED_SQL                                                                        \
    "SELECT (workspace_id" OP(=) "$2::bigint AND coalesce(chatbot_id, 0)" OP(=) "$3::bigint" \
    " AND revoked_at IS NULL)::integer FROM @api_keys"                                       \
    " WHERE key_hash" OP(=) "$1::pg_catalog.bytea"                                           \
    " AND (" TIME("$4") " IS NULL OR " TIME("$5") " IS NOT NULL)"

#define KEY_REVOKE_SQL                              \
    "UPDATE @api_keys SET revoked_at = " TIME("$2") \
    " WHERE key_hash" OP(=) "$1::pg_catalog.bytea AND revoked_at IS NULL"
#define KEY_REVOKED_SQL       \
    "SELECT 1 FROM @api_keys" \
    " WHERE key_hash" OP(=) "$1::pg_catalog.bytea AND " TIME("$2") " IS NOT NULL"

/* clang-format on */

enum { QUERY_BEGIN, QUERY_SETTINGS, QUERY_CHANGE, QUERY_CHECK, QUERY_COMMIT, QUERY_COUNT };

/* Runs the two statements, whose texts are ready. */
static int32_t run_change(bb_pg_session *session, const char *change_text, const char *check_text,
                          const bb_pg_params *params, int64_t deadline, bb_error *error)
{
    bb_pg_params timeouts;
    bb_pg_query queries[QUERY_COUNT] = {
        [QUERY_BEGIN] = {.statement = BB_PG_BEGIN},
        [QUERY_SETTINGS] = {.statement = BB_PG_TIMEOUTS, .params = &timeouts},
        [QUERY_CHANGE] = {.text = change_text, .params = params},
        [QUERY_CHECK] = {.text = check_text, .params = params},
        [QUERY_COMMIT] = {.statement = BB_PG_COMMIT},
    };
    const PGresult *check;
    int32_t code;

    bb_pg_params_init(&timeouts, &session->store->allocator);
    bb_pg_params_add_timeouts(&timeouts, deadline);
    code = bb_pg_run(session, queries, QUERY_COUNT, deadline, error);
    check = queries[QUERY_CHECK].result;
    if (code == BB_OK && PQntuples(check) == 0)
        code = BB_ERR_NOT_FOUND;
    else if (code == BB_OK && bb_pg_get_i32(PQgetvalue(check, 0, 0)) == 0)
        code = BB_ERR_CONFLICT;
    bb_pg_queries_clear(queries, QUERY_COUNT);
    bb_pg_params_free(&timeouts);
    return code;
}

/* Both statements take the same parameters. BB_ERR_NOT_FOUND if `check` finds no row,
 * BB_ERR_CONFLICT if it finds 0. */
static int32_t change(bb_pg_session *session, const char *change_sql, const char *check_sql,
                      const bb_pg_params *params, int64_t deadline, bb_error *error)
{
    const bb_pg_names *names = &session->store->names;
    char *change_text = bb_pg_names_expand(names, change_sql);
    char *check_text = bb_pg_names_expand(names, check_sql);
    int32_t code;

    if (change_text == NULL || check_text == NULL)
        code = bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a statement");
    else
        code = run_change(session, change_text, check_text, params, deadline, error);
    bb_free(&names->allocator, check_text);
    bb_free(&names->allocator, change_text);
    return code;
}

int32_t bb_pg_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id, int64_t now_us,
                          int64_t deadline, bb_error *error)
{
    bb_pg_session *self = session;
    bb_pg_params params;

    bb_pg_params_init(&params, &self->store->allocator);
    bb_pg_params_add_i64(&params, chatbot_id);
    bb_pg_params_add_i64(&params, workspace_id);
    bb_pg_params_add_time(&params, now_us);
    return change(self, CHATBOT_ADD_SQL, CHATBOT_ADDED_SQL, &params, deadline, error);
}

int32_t bb_pg_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived, int64_t now_us,
                              int64_t deadline, bb_error *error)
{
    bb_pg_session *self = session;
    bb_pg_params params;

    bb_pg_params_init(&params, &self->store->allocator);
    bb_pg_params_add_i64(&params, chatbot_id);
    bb_pg_params_add_i64(&params, archived != 0);
    bb_pg_params_add_time(&params, now_us);
    return change(self, CHATBOT_ARCHIVE_SQL, CHATBOT_ARCHIVED_SQL, &params, deadline, error);
}

int32_t bb_pg_key_add(void *session, const bb_key_record *key, int64_t deadline, bb_error *error)
{
    bb_pg_session *self = session;
    bb_pg_params params;

    bb_pg_params_init(&params, &self->store->allocator);
    bb_pg_params_add_bytes(&params, key->key_hash, BB_KEY_HASH_SIZE);
    bb_pg_params_add_i64(&params, key->workspace_id);
    bb_pg_params_add_i64(&params, key->chatbot_id);
    if (key->expires_at_us == 0)
        bb_pg_params_add_bytes(&params, NULL, 0);
    else
        bb_pg_params_add_time(&params, key->expires_at_us);
    bb_pg_params_add_time(&params, key->now_us);
    return change(self, KEY_ADD_SQL, KEY_ADDED_SQL, &params, deadline, error);
}

int32_t bb_pg_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us, int64_t deadline,
                         bb_error *error)
{
    bb_pg_session *self = session;
    bb_pg_params params;

    bb_pg_params_init(&params, &self->store->allocator);
    bb_pg_params_add_bytes(&params, key_hash, BB_KEY_HASH_SIZE);
    bb_pg_params_add_time(&params, now_us);
    return change(self, KEY_REVOKE_SQL, KEY_REVOKED_SQL, &params, deadline, error);
}
