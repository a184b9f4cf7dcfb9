/*
 * ask.c: queries for one integer.
 */
#include "backends/postgres/wire/ask.h"

#include "backends/postgres/wire/pipeline.h"

int32_t bb_pg_ask(bb_pg_session *session, const char *sql, int64_t deadline, int32_t *answer,
                  bb_error *error)
{
    const bb_pg_names *names = &session->store->names;
    char *text = bb_pg_names_expand(names, sql);
    bb_pg_query query = {.text = text};
    int32_t code;

    *answer = 0;
    if (text == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a statement");
    code = bb_pg_run_alone(session, &query, deadline, error);
    if (code == BB_OK && PQntuples(query.result) == 1 && PQgetlength(query.result, 0, 0) == 4)
        *answer = bb_pg_get_i32(PQgetvalue(query.result, 0, 0));
    bb_pg_queries_clear(&query, 1);
    bb_free(&names->allocator, text);
    return code;
}
