/*
 * citus_schema.c: gives the tables to Citus, where it is there.
 *
 * The contacts are distributed by chatbot_id. The other tables become reference tables, of which
 * each node has a copy, so that a request is authorized where its contacts are, and the version can
 * be read on each node that takes requests.
 */
#include "backends/postgres/schema/citus_schema.h"

#include <stddef.h>

#include "backends/postgres/sql/operators.h"
#include "backends/postgres/wire/ask.h"
#include "backends/postgres/wire/table_kind.h"

/* The SQL is laid out by hand. */
/* clang-format off */

/* Whether Citus does not have a table yet, or lists it only as a local one of this node. */
#define IS_LOCAL(table)                                                          \
    "NOT EXISTS (SELECT FROM pg_catalog.pg_dist_partition\n"                     \
    "            WHERE logicalrelid" OP(=) "E'" table "'::pg_catalog.regclass\n" \
    "            AND (partmethod" OP(<>) "'n' OR repmodel" OP(=) "'t'"           \
                    " OR colocationid" OP(<>) "0))"

/* DO blocks, so that one script serves databases with and without Citus: their contents are parsed
 * only when reached. */
#define BEGIN_IF_CITUS                                     \
    "DO $bb_citus$\n"                                      \
    "BEGIN\n"                                              \
    "    IF EXISTS (SELECT FROM pg_catalog.pg_extension\n" \
    "               WHERE extname" OP(=) "'citus') THEN\n"
#define END_IF_CITUS \
    "    END IF;\n"  \
    "END\n"          \
    "$bb_citus$"

#define REFERENCE_STEP(table)                                            \
    BEGIN_IF_CITUS                                                       \
    "    IF " IS_LOCAL(table) " THEN\n"                                  \
    "        PERFORM pg_catalog.create_reference_table(E'" table "');\n" \
    "    END IF;\n"                                                      \
    END_IF_CITUS

/* A unique constraint without the chatbot's id, which Citus does not accept, becomes one with
 * it. */
#define KEYS_STEP                                                                            \
    BEGIN_IF_CITUS                                                                           \
    "    IF " IS_LOCAL("@contacts") " THEN\n"                                                \
    "        DECLARE\n"                                                                      \
    "            alone pg_catalog.name DEFAULT " BB_PG_FREE_CONSTRAINT("'{id}'") ";\n"       \
    "        BEGIN\n"                                                                        \
    "            IF alone IS NOT NULL THEN\n"                                                \
    "                EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I,'\n"       \
    "                    ' ADD UNIQUE (id, chatbot_id)',\n"                                  \
    "                    E'@contacts'::pg_catalog.regclass, alone);\n"                       \
    "            END IF;\n"                                                                  \
    "        END;\n"                                                                         \
    "    END IF;\n"                                                                          \
    END_IF_CITUS

/* Citus copies the existing rows; the originals would take up invisible room. */
#define DISTRIBUTE_STEP                                                                        \
    BEGIN_IF_CITUS                                                                             \
    "    IF " IS_LOCAL("@contacts") " THEN\n"                                                  \
    "        PERFORM pg_catalog.create_distributed_table(E'@contacts', 'chatbot_id');\n"       \
    "        PERFORM pg_catalog.truncate_local_data_after_distributing_table(E'@contacts');\n" \
    "    END IF;\n"                                                                            \
    END_IF_CITUS

/* Citus draws the id on the node that received the request, and inserts it by name on the shard. */
#define GRANT_STEP                                   \
    BEGIN_IF_CITUS                                   \
    "    GRANT INSERT (id) ON @contacts TO @role;\n" \
    END_IF_CITUS

/* clang-format on */

const bb_pg_step bb_pg_citus_steps[] = {
    {REFERENCE_STEP("@version"), 0},
    {REFERENCE_STEP("@chatbots"), BB_PG_NEEDS_OWN_ACCESS},
    {REFERENCE_STEP("@api_keys"), BB_PG_NEEDS_OWN_ACCESS},
    {KEYS_STEP, 0},
    {DISTRIBUTE_STEP, 0},
    {GRANT_STEP, BB_PG_NEEDS_ROLE},
    {NULL, 0},
};

#define WAITING_SQL "SELECT (" IS_LOCAL("@contacts") " OR " IS_LOCAL("@version") ")::integer"
#define WAITING_OF_OWN_SQL \
    WAITING_SQL OP(|) "(" IS_LOCAL("@chatbots") " OR " IS_LOCAL("@api_keys") ")::integer"

int32_t bb_pg_citus_is_waiting(bb_pg_session *session, int64_t deadline, int *is_waiting,
                               bb_error *error)
{
    const char *sql = session->store->names.is_access_foreign ? WAITING_SQL : WAITING_OF_OWN_SQL;
    int has_citus;
    int32_t answer = 0;
    int32_t code = bb_pg_has_citus(session, deadline, &has_citus, error);

    if (code == BB_OK && has_citus)
        code = bb_pg_ask(session, sql, deadline, &answer, error);
    *is_waiting = answer != 0;
    return code;
}
