/*
 * table_kind.c: what kind of table the contacts are: this server's own, partitioned, or Citus's.
 */
#include "backends/postgres/wire/table_kind.h"

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/ask.h"

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

int32_t bb_pg_has_citus(bb_pg_session *session, int64_t deadline, int *has_citus, bb_error *error)
{
    int32_t count;
    int32_t code = bb_pg_ask(session, HAS_CITUS_SQL, deadline, &count, error);

    *has_citus = count > 0;
    return code;
}

int32_t bb_pg_table_kind_ask(bb_pg_session *session, int64_t deadline, int *kind, bb_error *error)
{
    int has_citus;
    int32_t distributed = 0;
    int32_t partitioned = 0;
    int32_t code = bb_pg_has_citus(session, deadline, &has_citus, error);

    if (code == BB_OK && has_citus)
        code = bb_pg_ask(session, IS_CITUS_TABLE_SQL, deadline, &distributed, error);
    if (code == BB_OK && distributed == 0)
        code = bb_pg_ask(session, IS_PARTITIONED_SQL, deadline, &partitioned, error);
    *kind = distributed > 0   ? BB_PG_TABLE_CITUS
            : partitioned > 0 ? BB_PG_TABLE_PARTITIONED
                              : BB_PG_TABLE_ORDINARY;
    if (code == BB_OK)
        atomic_store(&session->store->table_kind, *kind);
    return code;
}

int32_t bb_pg_table_kind_find_out(bb_pg_session *session, int64_t deadline, int *kind,
                                  bb_error *error)
{
    *kind = atomic_load(&session->store->table_kind);
    return *kind == BB_PG_TABLE_UNKNOWN ? bb_pg_table_kind_ask(session, deadline, kind, error)
                                        : BB_OK;
}

void bb_pg_table_kind_forget(bb_pg_store *store)
{
    int known = atomic_load(&store->table_kind);

    if (known != BB_PG_TABLE_CITUS)
        atomic_compare_exchange_strong(&store->table_kind, &known, BB_PG_TABLE_UNKNOWN);
}
