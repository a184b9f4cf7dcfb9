/*
 * access.c: whether a caller may write to a chatbot (B1 to B3).
 */
#include "backends/postgres/marshal/access.h"

void bb_pg_params_add_access(bb_pg_params *params, const bb_access *access)
{
    bb_pg_params_add_bytes(params, access->key_hash, BB_KEY_HASH_SIZE);
    bb_pg_params_add_i64(params, access->workspace_id);
    bb_pg_params_add_i64(params, access->key_chatbot_id);
    bb_pg_params_add_i64(params, access->chatbot_id);
    bb_pg_params_add_time(params, access->now_us);
}

int32_t bb_pg_decision(const PGresult *result, bb_error *error)
{
    if (PQntuples(result) != 1 || PQgetlength(result, 0, 0) != 4)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "no decision about the caller's access");
    switch (bb_pg_get_i32(PQgetvalue(result, 0, 0))) {
    case BB_PG_ALLOWED:
        return BB_OK;
    case BB_PG_NO_CHATBOT:
        return BB_ERR_NOT_FOUND;
    default:
        return BB_ERR_UNKNOWN_KEY;
    }
}

int32_t bb_pg_authorize(void *session, const bb_access *access, bb_error *error)
{
    const bb_pg_session *self = session;
    bb_pg_params params;
    bb_pg_query query = {.statement = BB_PG_AUTHORIZE, .params = &params};
    int32_t code;

    bb_pg_params_init(&params, &self->store->allocator);
    bb_pg_params_add_access(&params, access);
    code = bb_pg_run_alone(session, &query, access->deadline, error);
    if (code == BB_OK)
        code = bb_pg_decision(query.result, error);
    bb_pg_queries_clear(&query, 1);
    bb_pg_params_free(&params);
    return code;
}
