/*
 * citus_statements.c: the SQL of a request on Citus.
 *
 * Citus sends a statement as it is to the node that has the chatbot's contacts if every distributed
 * table in it is bound to one chatbot_id by a parameter. All of these are such statements, except
 * the insert of several rows, which the coordinator hands on. So they read and lock on one node,
 * whichever node received them, and share one transaction there. A WITH that holds an INSERT is no
 * such statement.
 *
 * They are also right on tables that are not Citus's, with the locks of the ordinary write.
 */
#include "backends/postgres/sql/citus_statements.h"

#include "backends/postgres/sql/columns.h"
#include "backends/postgres/sql/merging.h"
#include "backends/postgres/sql/operators.h"
#include "backends/postgres/sql/record_parameters.h"
#include "backends/postgres/sql/types.h"

/* The SQL is laid out by hand. */
/* clang-format off */

/*
 * The settings of every transaction but the ordinary write's; on Citus, those of the coordinator.
 * There is no plan_cache_mode, as Citus could not find the shard with a plan for any parameters.
 * The last ends a transaction whose client has fallen silent between two round trips.
 */
#define TIMEOUTS_SQL                                                            \
    "SELECT pg_catalog.set_config('lock_timeout', $1, true),"                   \
    " pg_catalog.set_config('statement_timeout', $2, true),"                    \
    " CASE WHEN pg_catalog.current_setting('synchronous_commit')" OP(=) "'off'" \
    " THEN pg_catalog.set_config('synchronous_commit', 'local', true) END,"     \
    " pg_catalog.set_config('idle_in_transaction_session_timeout', $2, true)"

/* One row with one of the decisions of statement.h. The line break ends a comment at the end of the
 * host's query. */
#define DECISION_SQL "SELECT coalesce((@access\n)::integer, 0) AS decision"

/*
 * The decision, the settings and the locks, all on the contacts' node: it has copies of the
 * reference tables; advisory locks on a coordinator would not order the requests of two
 * coordinators; and settings do not travel. The settings are those of the ordinary write without
 * the plan's, as the node plans each statement for its parameters. In SQL, CASE fixes an order.
 *
 * Counting contacts, of which there are none, names the node. The locks refer to the count because
 * the host's query may read a table that only the coordinator has: Citus then runs it there, along
 * with each independent subquery.
 */
#define THE_DECISION "(SELECT decision FROM access)"
#define COUNT_LOCKS(function, locks)                                                           \
    "(SELECT pg_catalog.count(pg_catalog." function "(l)) FROM pg_catalog.unnest(" locks ") l" \
    " WHERE pg_catalog.count(c.id)" OP(>=) "0)"

#define ACCESS_SQL                                                                             \
    "WITH access AS MATERIALIZED (" DECISION_SQL ")"                                           \
    " SELECT " THE_DECISION " AS decision,"                                                    \
    " pg_catalog.set_config('bb_contacts.decision', " THE_DECISION "::pg_catalog.text, true)," \
    " CASE WHEN " THE_DECISION OP(=) "2"                                                       \
        " AND pg_catalog.set_config('lock_timeout', $8, true) IS NOT NULL THEN"                \
        " CASE WHEN " COUNT_LOCKS("pg_advisory_xact_lock_shared", "$6") OP(>=) "0 THEN "       \
            COUNT_LOCKS("pg_advisory_xact_lock", "$7")                                         \
        " END"                                                                                 \
    " END,"                                                                                    \
    " pg_catalog.set_config('statement_timeout', $9, true),"                                   \
    " pg_catalog.set_config('idle_in_transaction_session_timeout', $9, true),"                 \
    " CASE WHEN pg_catalog.current_setting('synchronous_commit')" OP(=) "'off'"                \
    " THEN pg_catalog.set_config('synchronous_commit', 'local', true) END,"                    \
    " pg_catalog.set_config('enable_seqscan', 'off', true),"                                   \
    " pg_catalog.set_config('enable_sort', 'off', true)"                                       \
    " FROM @contacts c WHERE c.chatbot_id" OP(=) "$4 AND c.external_id" OP(=) "''"

/* The columns that are handed back, in the order of citus_records.h. */
#define STORED   "id, created_at, updated_at" EACH(", @field")
#define C_STORED "c.id, c.created_at, c.updated_at" EACH(", c.@field")

/* What is handed back of a contact that was written: of one that nobody will see, for which $5 has 0
 * in place of how often the answer has it, no values. */
#define IS_SEEN_SQL "($5)[1]" OP(<>) "0"
#define SEEN(row)                                     \
    row "id, " row "created_at, " row "updated_at"    \
    EACH(", CASE WHEN " IS_SEEN_SQL " THEN " row "@field END")

#define SOME_RECORDS_SQL(more, more_names)                    \
    "ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)" \
        EACH(", pg_catalog.unnest($@parameter)") more ")"     \
    " AS b (external_id, flags" EACH(", @field") more_names ")"
#define RECORDS_SQL SOME_RECORDS_SQL("", "")

/* Whether a field that the record sets differs from the stored one; and its new value. JSON travels
 * as text, which the coordinator hands on as it is; the contacts' node casts it where needed. */
#define DIFFERS(collation, cast)                                                                 \
    "b.flags" OP(&) "@bit" OP(<>) "0 AND coalesce(c.@field" collation OP(<>) "b.@field" cast "," \
    " (c.@field IS NULL)" OP(<>) "(b.@field IS NULL))"
#define SET(cast)                                                                                \
    "@field = CASE WHEN b.flags" OP(&) "@bit" OP(<>) "0 THEN b.@field" cast " ELSE c.@field END"
#define AS_JSON "::pg_catalog.jsonb"

/*
 * The existing contacts, with what becomes of each (1 updated, 2 left as it is), and its values if
 * they are wanted or stay. Contacts are looked up as in ordinary_statements.c, and for the same
 * reason. The access statement has made the setting on the same node; where it has not run, this is
 * an error.
 */
#define FOUND_SQL                                                                        \
    "(SELECT external_id, " STORED " FROM @contacts"                                     \
        " WHERE chatbot_id" OP(=) "$1"                                                   \
        " AND external_id" OP(>=) "b.external_id AND external_id" OP(<=) "b.external_id" \
        " ORDER BY external_id LIMIT 1) c"
#define FIND_KIND_SQL(columns, from, first, objects)                                     \
    "SELECT c.external_id, k.kind, r.*" columns                                          \
    " FROM " from                                                                        \
    " CROSS JOIN LATERAL (SELECT CASE" first                                             \
        " WHEN b.flags" OP(&) "@touch" OP(<>) "0"                                        \
        EACH_TEXT(" OR " DIFFERS(" COLLATE pg_catalog.\"C\"", "")) objects               \
        " THEN 1 ELSE 2 END AS kind) k"                                                  \
    " LEFT JOIN LATERAL (SELECT " C_STORED ") r"                                         \
        " ON (k.kind" OP(=) "2 AND " IS_SEEN_SQL ") OR b.flags" OP(&) "@want_before" OP(<>) "0"                \
    " WHERE pg_catalog.current_setting('bb_contacts.decision')::integer" OP(=) "2"
#define FIND_SQL                                                                         \
    FIND_KIND_SQL("", RECORDS_SQL " CROSS JOIN LATERAL " FOUND_SQL, "",                  \
        EACH_JSON(" OR " DIFFERS("", AS_JSON)))

/*
 * The same where some records merge: the values that merging makes follow, and 5 says that one has
 * become too large (D3). The update then sets them as it sets any value, as no one who takes the
 * locks can have changed the contact meanwhile.
 */
#define FIND_MERGED_SQL                                                                  \
    FIND_KIND_SQL(EACH_OBJECT(", m.@field"),                                             \
        SOME_RECORDS_SQL(", pg_catalog.unnest($@removed)", ", removed")                  \
        " CROSS JOIN LATERAL " FOUND_SQL                                                 \
        " CROSS JOIN LATERAL (SELECT b.external_id" EACH_OBJECT(", "                     \
            MERGED_SQL("b.flags", "b.@field" AS_JSON, "b.removed" AS_JSON) " AS @field") \
            " OFFSET 0) m",                                                              \
        EACH_OBJECT(" WHEN " IS_OVERSIZED_SQL("b.flags", "m.@field") " THEN 5"),         \
        EACH_ARRAY(" OR " DIFFERS("", AS_JSON))                                          \
        EACH_OBJECT(" OR b.flags" OP(&) "@bit" OP(<>) "0 AND c.@field" OP(<>) "m.@field"))

/*
 * Fails if the contacts, each as often as the answer has it, will have more than $6 bytes there; or
 * those that the library wants as they were, before the write (A7). JSON comes back as the server
 * writes it. An id that has not been drawn yet counts 19 digits.
 */
#define LENGTH_SQL(value) "coalesce(pg_catalog.octet_length(" value "), 0)"
#define QUOTED_SQL(text)                                                                  \
    "coalesce(pg_catalog.octet_length(pg_catalog.to_json(" text ")::pg_catalog.text), 4)"
#define DIGITS_SQL(number) "pg_catalog.octet_length((" number ")::pg_catalog.text)"
#define SECONDS_SQL(time)  "pg_catalog.trunc(pg_catalog.date_part('epoch', " time "))"
#define NEXT_SQL(value)                                                                  \
    "CASE WHEN c.id IS NULL OR b.flags" OP(&) "@bit" OP(<>) "0"                          \
    " THEN " value " ELSE c.@field END"
#define ANSWER_BYTES_SQL(object)                                                         \
    "(@frame::bigint" OP(+) "coalesce(" DIGITS_SQL("c.id") ", 19)"                       \
    OP(+) DIGITS_SQL(SECONDS_SQL("coalesce(c.created_at, $2)"))                          \
    OP(+) DIGITS_SQL(SECONDS_SQL("$2")) OP(+) QUOTED_SQL("b.external_id")                \
    EACH_TEXT(OP(+) QUOTED_SQL(NEXT_SQL("b.@field")))                                    \
    EACH_ARRAY(OP(+) LENGTH_SQL("(" NEXT_SQL("b.@field" AS_JSON) ")::pg_catalog.text"))  \
    EACH_OBJECT(OP(+) LENGTH_SQL("(" NEXT_SQL(object) ")::pg_catalog.text")) ")"
#define BEFORE_BYTES_SQL                                                                 \
    "CASE WHEN b.flags" OP(&) "@want_before" OP(<>) "0 THEN 0::bigint"                   \
    EACH_TEXT(OP(+) LENGTH_SQL("c.@field"))                                              \
    EACH_JSON(OP(+) LENGTH_SQL("c.@field::pg_catalog.text")) " ELSE 0 END"
#define MEASURE_RECORDS_SQL(from, object)                                                \
    "SELECT pg_catalog.width_bucket(0, 0, 1, ("                                          \
        "coalesce(pg_catalog.sum(b.entries" OP(*) ANSWER_BYTES_SQL(object)                    \
            "), 0)" OP(<=) "$6"                                                          \
        " AND coalesce(pg_catalog.sum(" BEFORE_BYTES_SQL "), 0)" OP(<=) "$6)::integer)"  \
    " FROM " from " LEFT JOIN LATERAL " FOUND_SQL " ON true"                             \
    " WHERE pg_catalog.current_setting('bb_contacts.decision')::integer" OP(=) "2"
#define MEASURE_SQL                                                                      \
    MEASURE_RECORDS_SQL(                                                                 \
        SOME_RECORDS_SQL(", pg_catalog.unnest($5)", ", entries"), "b.@field" AS_JSON)
#define MEASURE_MERGED_SQL                                                               \
    MEASURE_RECORDS_SQL(                                                                 \
        SOME_RECORDS_SQL(", pg_catalog.unnest($5), pg_catalog.unnest($@removed)",        \
            ", entries, removed"),                                                       \
        MERGED_SQL("b.flags", "b.@field" AS_JSON, "b.removed" AS_JSON))

/* Updates the contacts that differ. The keys are named twice, so that they are looked up in the
 * index. Otherwise a planner without statistics may take the chatbot's contacts for few, and read
 * all of them. */
#define UPDATE_SQL                                           \
    "UPDATE @contacts c SET updated_at = $2"                 \
        EACH_TEXT(", " SET("")) EACH_JSON(", " SET(AS_JSON)) \
    " FROM " RECORDS_SQL                                     \
    " WHERE c.chatbot_id" OP(=) "$1"                         \
    " AND c.external_id" OP(=) "ANY ($3)"                    \
    " AND c.external_id" OP(=) "b.external_id"               \
    " RETURNING c.external_id, 1, " SEEN("c.")

/* Inserts those that were not found. Without ON CONFLICT, as in ordinary_statements.c. First the
 * texts, then the JSON, in both of the lists that must agree. */
#define INSERT_INTO_SQL                                 \
    "INSERT INTO @contacts"                             \
    " (chatbot_id, external_id, created_at, updated_at" \
        EACH_TEXT(", @field") EACH_JSON(", @field") ")"
#define INSERT_SQL                                          \
    INSERT_INTO_SQL " SELECT $1, external_id, $2, $2"       \
        EACH_TEXT(", @field") EACH_JSON(", @field" AS_JSON) \
    " FROM " RECORDS_SQL                                    \
    " RETURNING external_id, 0, " SEEN("")

/* The same for one, which Citus sends to the shard without a detour. */
#define INSERT_ONE_SQL                              \
    INSERT_INTO_SQL " VALUES ($1, ($3)[1], $2, $2"  \
        EACH_TEXT(", ($@parameter)[1]")             \
        EACH_JSON(", ($@parameter)[1]" AS_JSON) ")" \
    " RETURNING external_id, 0, " SEEN("")

/* clang-format on */

static const uint32_t timeout_types[] = {BB_PG_TEXT, BB_PG_TEXT};
static const uint32_t access_types[] = {BB_PG_BYTEA,      BB_PG_INT8,        BB_PG_INT8,
                                        BB_PG_INT8,       BB_PG_TIMESTAMPTZ, BB_PG_INT8_ARRAY,
                                        BB_PG_INT8_ARRAY, BB_PG_TEXT,        BB_PG_TEXT};

/* One list for all, so that a statement need not use every parameter. */
#define XX(name, NAME, KIND) , BB_PG_TEXT_ARRAY
static const uint32_t record_types[] = {BB_PG_INT8,       BB_PG_TIMESTAMPTZ,
                                        BB_PG_TEXT_ARRAY, BB_PG_INT4_ARRAY,
                                        BB_PG_INT4_ARRAY, BB_PG_INT8 BB_FIELD_MAP(XX)};
static const uint32_t merge_types[] = {
    BB_PG_INT8,       BB_PG_TIMESTAMPTZ,           BB_PG_TEXT_ARRAY, BB_PG_INT4_ARRAY,
    BB_PG_INT4_ARRAY, BB_PG_INT8 BB_FIELD_MAP(XX), BB_PG_TEXT_ARRAY, BB_PG_INT8};
#undef XX

_Static_assert(sizeof access_types / sizeof access_types[0] <= BB_PG_MAX_PARAMS,
               "more parameters than bb_pg_params has room for");
_Static_assert(sizeof merge_types / sizeof merge_types[0] <= BB_PG_MAX_PARAMS,
               "more parameters than bb_pg_params has room for");

const bb_pg_definition bb_pg_citus_definitions[BB_PG_STATEMENT_COUNT] = {
    [BB_PG_TIMEOUTS] = {TIMEOUTS_SQL, BB_PG_TYPES(timeout_types)},
    [BB_PG_CITUS_ACCESS] = {ACCESS_SQL, BB_PG_TYPES(access_types)},
    [BB_PG_CITUS_MEASURE] = {MEASURE_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_CITUS_MEASURE_MERGED] = {MEASURE_MERGED_SQL, BB_PG_TYPES(merge_types)},
    [BB_PG_CITUS_FIND] = {FIND_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_CITUS_FIND_MERGED] = {FIND_MERGED_SQL, BB_PG_TYPES(merge_types)},
    [BB_PG_CITUS_UPDATE] = {UPDATE_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_CITUS_INSERT] = {INSERT_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_CITUS_INSERT_ONE] = {INSERT_ONE_SQL, BB_PG_TYPES(record_types)},
};
