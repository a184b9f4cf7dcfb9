/*
 * rows.h: hands the rows that the write statement returns to the writes that asked for them.
 */
#ifndef BB_POSTGRES_ROWS_H
#define BB_POSTGRES_ROWS_H

#include <libpq-fe.h>

#include "backends/postgres/marshal/group.h"

/*
 * Puts each row to its write, unless that write's code says that it failed or was refused. If a
 * write's put() fails, the write gets its code. The rows are committed by now, so this can't undo
 * them: the client gets a 500 and may repeat the request, which changes nothing more.
 * BB_ERR_INTERNAL if there are not as many contacts as `wanted`. If `has_values` is 0, the rows
 * lack the values that a record brought.
 */
int32_t bb_pg_put_rows(const bb_pg_group *group, const PGresult *result, int has_values,
                       size_t wanted, int32_t *codes, bb_error *error);

/* Why a check has undone a write: how many contacts the table did not take. If it took all, its
 * triggers may have changed values that were not read back, or, if all were, a key. */
typedef struct bb_pg_verdict {
    int64_t not_inserted;
    int64_t not_updated;
} bb_pg_verdict;

/* Returns 0 if the rows have none: they can be committed. */
int bb_pg_read_verdict(const PGresult *result, bb_pg_verdict *verdict);

#endif
