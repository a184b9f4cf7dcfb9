/*
 * ids.c: whether the sequence of ids is ahead of the contacts, as it must be (E3).
 */
#include "backends/postgres/wire/ids.h"

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/ask.h"

/* The SQL is laid out by hand. */
/* clang-format off */

/* The sequence, its last value, and whether this role may move it here. On Citus each node has a
 * range of its own. */
#define SEQUENCE_SQL                                                                          \
    "SELECT c.oid AS sequence, s.last_value, s.min_value, s.max_value,"                       \
    " pg_catalog.has_sequence_privilege(c.oid, 'UPDATE')"                                     \
    " AND NOT pg_catalog.pg_is_in_recovery() AS is_ours"                                      \
    " FROM pg_catalog.pg_class c"                                                             \
    " JOIN pg_catalog.pg_namespace n ON n.oid" OP(=) "c.relnamespace"                         \
    " JOIN pg_catalog.pg_sequences s"                                                         \
    " ON s.schemaname" OP(=) "n.nspname AND s.sequencename" OP(=) "c.relname"                 \
    " WHERE c.oid" OP(=)                                                                      \
    "pg_catalog.pg_get_serial_sequence(E'@contacts', 'id')::pg_catalog.regclass"

/* A sequence that was never used does not say where it begins, so this draws from it. */
#define CATCH_UP_SQL                                                                          \
    "SELECT CASE WHEN NOT s.is_ours THEN 2 ELSE ("                                            \
        "SELECT CASE WHEN m.highest IS NULL THEN 0"                                           \
        " WHEN coalesce(s.last_value, pg_catalog.nextval(s.sequence))" OP(>=) "m.highest"     \
        " THEN 0"                                                                             \
        " WHEN pg_catalog.setval(s.sequence, m.highest) IS NOT NULL THEN 1 END"               \
        " FROM (SELECT pg_catalog.max(id) AS highest FROM @contacts"                          \
        " WHERE id" OP(>=) "s.min_value AND id" OP(<=) "s.max_value) m"                       \
    ") END FROM (" SEQUENCE_SQL ") s"                                                         \
    " UNION ALL SELECT 2 LIMIT 1"

/* clang-format on */

int32_t bb_pg_ids_catch_up(bb_pg_session *session, int64_t deadline, int *ids, bb_error *error)
{
    int32_t answer = BB_PG_IDS_UNKNOWN;
    int32_t code = bb_pg_ask(session, CATCH_UP_SQL, deadline, &answer, error);

    *ids = code == BB_OK ? answer : BB_PG_IDS_UNKNOWN;
    if (*ids == BB_PG_IDS_MOVED)
        bb_pg_log(session->store, BB_LOG_WARN,
                  "ids were behind the contacts': their sequence goes on after the highest");
    return code;
}
