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
 * BB_ERR_INTERNAL if there are not as many contacts as `wanted`. `stored` is what was read after a
 * careful write. NULL: the write was a plain one, whose rows have the contacts, but lack the values
 * that a record brought.
 */
int32_t bb_pg_put_rows(bb_pg_group *group, const PGresult *written, const PGresult *stored,
                       size_t wanted, int32_t *codes, bb_error *error);

/* What is wrong with a careful write: counts of contacts, and whether what they have is more than
 * the client may take. Any but 0 undoes it. */
typedef struct bb_pg_verdict {
    int64_t not_inserted;
    int64_t not_updated;
    int64_t gone;      /* not there when they were read back */
    int64_t oversized; /* merging would make them too large */
    int is_too_large;
    int has_host_rules; /* of a dry run: the table has some that it has not tried */
} bb_pg_verdict;

void bb_pg_read_verdict(const PGresult *written, const PGresult *stored, bb_pg_verdict *verdict);

/* Puts the records that merging would make too large, if nothing was written because of them.
 * BB_OK, or put()'s code. */
int32_t bb_pg_put_oversized(bb_pg_group *group, const PGresult *written);

/* Whether the result of a check says that writes to the table must be careful. */
int bb_pg_needs_care(const PGresult *check);

#endif
