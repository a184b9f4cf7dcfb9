/*
 * write.c: stores the records of one or several requests, in the way that suits their table.
 *
 * The first write of a store asks the server what kind of table it is. The answer is kept until an
 * ordinary write fails in a way that the kind of table may explain.
 */
#include "backends/postgres/write/write.h"

#include <string.h>

#include "backends/postgres/wire/sqlstate.h"
#include "backends/postgres/wire/table_kind.h"
#include "backends/postgres/write/citus_write.h"
#include "backends/postgres/write/ordinary_write.h"

static int32_t write_ordinarily(bb_pg_session *session, const bb_write *write, bb_error *error)
{
    int32_t own = BB_OK;
    const bb_write_group group = {.size = sizeof group,
                                  .writes = &write,
                                  .write_count = 1,
                                  .codes = &own,
                                  .now_us = write->access->now_us,
                                  .deadline = write->access->deadline};
    int32_t code = bb_pg_ordinary_write(session, &group, error);

    if (code != BB_OK)
        return code;
    if (own == BB_ERR_NOMEM || own == BB_ERR_ARGUMENT)
        return bb_pg_error(error, own, NULL, "a result was not taken");
    return own;
}

/* Citus refuses the ordinary write with feature_not_supported; nothing has been done then. */
static int is_refused(int32_t code, const bb_error *error)
{
    return code != BB_OK && strcmp(error->sqlstate, BB_PG_SQLSTATE_UNSUPPORTED) == 0;
}

int32_t bb_pg_write(void *session, const bb_write *write, bb_error *error)
{
    int64_t deadline = write->access->deadline;
    int kind;
    int32_t code = bb_pg_table_kind_find_out(session, deadline, &kind, error);

    if (code != BB_OK)
        return code;
    if (kind == BB_PG_TABLE_CITUS)
        return bb_pg_citus_write(session, write, error);
    code = write_ordinarily(session, write, error);
    if (!is_refused(code, error))
        return code;
    /* the tables have been distributed since then, or something else is wrong */
    if (bb_pg_table_kind_ask(session, deadline, &kind, NULL) != BB_OK || kind != BB_PG_TABLE_CITUS)
        return code;
    bb_pg_error(error, BB_OK, NULL, "");
    return bb_pg_citus_write(session, write, error);
}

/* On Citus each request is written by itself, as each may be for another shard. */
int32_t bb_pg_write_group(void *session, const bb_write_group *group, bb_error *error)
{
    int kind;
    int32_t code = bb_pg_table_kind_find_out(session, group->deadline, &kind, error);

    if (code != BB_OK)
        return code;
    if (kind == BB_PG_TABLE_CITUS)
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "Citus writes no groups");
    return bb_pg_ordinary_write(session, group, error);
}
