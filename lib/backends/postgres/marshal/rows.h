/*
 * rows.h: the rows that the write statement answers, given to those who wrote.
 */
#ifndef BB_POSTGRES_ROWS_H
#define BB_POSTGRES_ROWS_H

#include <libpq-fe.h>

#include "backends/postgres/marshal/group.h"

/*
 * Puts each row to its write, unless that write's code says that it has failed or is refused; the
 * code of a write whose put() fails becomes what that returned. The rows are committed by now, so
 * that this can't undo them: the client is told 500, and may repeat the request, which changes
 * nothing more. BB_ERR_INTERNAL if there are not as many contacts as `wanted`. `has_values` is what
 * the statement was asked for: if 0, the values that a record brought are not in the rows.
 */
int32_t bb_pg_put_rows(const bb_pg_group *group, const PGresult *result, int has_values,
                       size_t wanted, int32_t *codes, bb_error *error);

/* Why a write has been undone by its check: how many contacts the table did not take. If all, its
 * triggers may have changed what was not looked at, or, if all values were asked for, a key. */
typedef struct bb_pg_verdict {
    int64_t not_inserted;
    int64_t not_updated;
} bb_pg_verdict;

/* 0: there is none in the rows, which can be committed. */
int bb_pg_read_verdict(const PGresult *result, bb_pg_verdict *verdict);

#endif
