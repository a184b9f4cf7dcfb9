/*
 * conflict.h: which uniqueness rule of the table a write has broken: one of the host's own (E10),
 * or that of ids (E3).
 */
#ifndef BB_POSTGRES_CONFLICT_H
#define BB_POSTGRES_CONFLICT_H

#include "backends/postgres/wire/pipeline.h"

/* A rule as the server names it; empty if it does not. */
typedef struct bb_pg_rule {
    char schema[64];
    char name[64];
} bb_pg_rule;

/* The rule that refused one of the queries. */
void bb_pg_rule_read(bb_pg_rule *rule, const bb_pg_query *queries, size_t count);

/*
 * What a broken rule means; `error` names it, without values. BB_ERR_CONFLICT: it is the host's.
 * BB_ERR_INTERNAL: an id that was drawn is another contact's, as the sequence is behind;
 * `*is_mended` says whether it was moved, so that the write can be tried again.
 */
int32_t bb_pg_rule_judge(bb_pg_session *session, const bb_pg_rule *rule, int64_t deadline,
                         int *is_mended, bb_error *error);

#endif
