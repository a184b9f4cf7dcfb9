/*
 * ordinary_statements.c: the SQL of a request on tables that are this server's own.
 *
 * A write sends begin, settings, access, write and commit at once; see ordinary_write.c. Several
 * writes in one transaction send an access statement for each asker, and the locks after those.
 */
#include "backends/postgres/sql/ordinary_statements.h"

#include "backends/postgres/sql/columns.h"
#include "backends/postgres/sql/merging.h"
#include "backends/postgres/sql/operators.h"
#include "backends/postgres/sql/record_parameters.h"
#include "backends/postgres/sql/types.h"

/* C asks compilers only for literals of 4095 bytes, but all compilers in use take far longer
 * ones. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Woverlength-strings"
#endif

/* The SQL is laid out by hand. */
/* clang-format off */

/*
 * Settings of this transaction alone, so that nothing is left on a connection that a pooler hands
 * to someone else. synchronous_commit off would break E8. The next three keep the write's plan: it
 * is made once, for any arrays, and must be good when the table, empty or small at that time, has
 * grown. To the planner, a disabled scan costs so much that a query of the host's which needs one
 * would be compiled each time, hence the last.
 */
#define SETTINGS_SQL                                                            \
    "SELECT pg_catalog.set_config('lock_timeout', $1::pg_catalog.text, true),"  \
    " pg_catalog.set_config('statement_timeout', $2::pg_catalog.text, true),"   \
    " CASE WHEN pg_catalog.current_setting('synchronous_commit')" OP(=) "'off'" \
    " THEN pg_catalog.set_config('synchronous_commit', 'local', true) END,"     \
    " pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),"    \
    " pg_catalog.set_config('enable_seqscan', 'off', true),"                    \
    " pg_catalog.set_config('enable_sort', 'off', true),"                       \
    " pg_catalog.set_config('jit', 'off', true)"

/* One row with one of the decisions of statement.h. The line break ends a comment at the end of the
 * host's query. */
#define DECISION_SQL "SELECT coalesce((@access\n)::integer, 0) AS decision"

/*
 * A setting of the transaction holds the decisions, one after the other, for the later statements:
 * 2 means that an asker may write. Askers are numbered from 1. Like the other settings, it is for
 * this transaction alone.
 */
#define NOTED_SQL "pg_catalog.current_setting('bb_contacts.decision')"
#define NOTE_SQL(before)                                        \
    "pg_catalog.set_config('bb_contacts.decision', " before     \
    "CASE WHEN decision" OP(=) "2 THEN '2' ELSE '0' END, true)"
#define IS_ALLOWED_SQL(asker) "pg_catalog.substr(" NOTED_SQL ", " asker ", 1)" OP(=) "'2'"

/* Takes the locks. In SQL, CASE fixes an order. */
#define COUNT_SQL(function, locks)                                         \
    "(SELECT pg_catalog.count(pg_catalog." function "(l)) FROM " locks ")"
#define TAKE_SQL(shared, exclusive)                                           \
    "CASE WHEN " COUNT_SQL("pg_advisory_xact_lock_shared", shared) OP(>=) "0" \
    " THEN " COUNT_SQL("pg_advisory_xact_lock", exclusive) " END"

/* The first asker's decision, and then the locks in their order ($6 shared, $7 exclusive). */
#define LOCKING_SQL                                                           \
    "WITH access AS MATERIALIZED (" DECISION_SQL ")"                          \
    " SELECT decision, " NOTE_SQL("") ","                                     \
    " CASE WHEN decision" OP(=) "2 THEN "                                     \
        TAKE_SQL("pg_catalog.unnest($6) l", "pg_catalog.unnest($7) l") " END" \
    " FROM access"

/* The decision about another asker. */
#define NEXT_SQL                                                   \
    "WITH access AS MATERIALIZED (" DECISION_SQL ")"               \
    " SELECT decision, " NOTE_SQL(NOTED_SQL OP(||)) " FROM access"

/* The locks of several askers, of whom some may be refused: $1 shared, $3 exclusive, and the asker
 * of each, $2 and $4. */
#define ALLOWED_SQL(locks, askers)                               \
    "ROWS FROM (pg_catalog.unnest(" locks "::bigint[]),"         \
    " pg_catalog.unnest(" askers "::integer[])) AS u (l, asker)" \
    " WHERE " IS_ALLOWED_SQL("u.asker")
#define LOCKS_SQL "SELECT " TAKE_SQL(ALLOWED_SQL("$1", "$2"), ALLOWED_SQL("$3", "$4"))

/* The columns that are handed back: as they stand, by their alias, and as they were found. */
#define STORED     "id, created_at, updated_at" EACH(", @field")
#define C_STORED   "c.id, c.created_at, c.updated_at" EACH(", c.@field")
#define OLD_STORED "id, old_created_at, old_updated_at" EACH(", old_@field")

/*
 * Values that the client knows (those of a new contact, and those that a record sets) are not
 * handed back, as writing them out takes more time than anything else about a row. A record that
 * wants the contact as it was gets all values found.
 */
#define SHOWN_OLD                                                                     \
    EACH(", CASE WHEN b.flags" OP(&) "(@want_before" OP(|) "@bit)" OP(<>) "@bit"      \
         " THEN c.@field END AS old_@field")
#define SHOWN_UPDATED EACH(", CASE WHEN j.flags" OP(&) "@bit" OP(=) "0 THEN c.@field END AS @field")
#define NO_VALUES     EACH(", NULL")

/* Whether a field that the record sets differs from the stored one; and its new value. Texts are
 * compared byte by byte, whatever the column's collation. */
#define DIFFERS(collation)                                                               \
    "b.flags" OP(&) "@bit" OP(<>) "0 AND coalesce(c.@field" collation OP(<>) "b.@field," \
    " (c.@field IS NULL)" OP(<>) "(b.@field IS NULL))"
#define SET                                                     \
    EACH(", @field = CASE WHEN j.flags" OP(&) "@bit" OP(<>) "0" \
         " THEN j.@field ELSE c.@field END")

/* The asker of a record, and its chatbot. */
#define ASKER(record)   record ".flags" OP(>>) "@asker_shift"
#define CHATBOT(record) "($1::bigint[])[" ASKER(record) "]"

/*
 * A record's contact, or no row. It is written as a range in index order with a limit, so that the
 * only possible plan is one probe of the primary key for each record. With an equality the planner
 * may read all of a chatbot's contacts while the table is small, and keep that plan after the table
 * has grown, until it is analyzed.
 */
#define FOUND_SQL(record, more)                             \
    "SELECT c.ctid AS place, c.tableoid AS part, " C_STORED \
    " FROM @contacts c"                                     \
    " WHERE c.chatbot_id" OP(=) CHATBOT(record) more        \
    " AND c.external_id" OP(>=) record ".external_id"       \
    " AND c.external_id" OP(<=) record ".external_id"       \
    " ORDER BY c.external_id LIMIT 1"

/*
 * The records, numbered from 1. A set in a SELECT list is made as it is read; unnest() in FROM
 * would first store one array after the other. Empty JSON comes as NULL; see records.c.
 */
#define COLUMN_SQL(parameter, type) "pg_catalog.unnest(" parameter "::" type "[]) AS "
#define RECORDS_SQL(name, source)                                                    \
    "SELECT n, external_id, flags" name EACH_TEXT(", @field")                        \
        EACH_JSON(", coalesce(@field, '@initial') AS @field") " FROM ("              \
    "SELECT pg_catalog.generate_subscripts($3::pg_catalog.text[], 1)::bigint AS n, " \
        COLUMN_SQL("$3", "pg_catalog.text") "external_id, "                          \
        COLUMN_SQL("$4", "integer") "flags" source                                   \
        EACH_TEXT(", " COLUMN_SQL("$@parameter", "pg_catalog.text") "@field")        \
        EACH_JSON(", " COLUMN_SQL("$@parameter", "pg_catalog.jsonb") "@field") ") r"

/* Each record `b` beside its contact `c`, if there is one. */
#define PAIRS_SQL(more)                                      \
    "(" RECORDS_SQL("", "") ") b"                            \
    " LEFT JOIN LATERAL (" FOUND_SQL("b", more) ") c ON true"

/* The same where some records merge: they have the merged value. OFFSET keeps the planner from
 * merging anew wherever the value is named. */
#define MERGED_PAIRS_SQL(more)                                                               \
    "(" RECORDS_SQL(", removed", ", " COLUMN_SQL("$@removed", "pg_catalog.jsonb") "removed") \
    ") r"                                                                                    \
    " LEFT JOIN LATERAL (" FOUND_SQL("r", more) ") c ON true"                                \
    " CROSS JOIN LATERAL (SELECT r.n, r.external_id, r.flags" EACH_OTHER(", r.@field")       \
        EACH_OBJECT(", " MERGED_SQL("r.flags", "r.@field", "r.removed") " AS @field")        \
        " OFFSET 0) b"

/*
 * Each record beside its contact, if there is one. kind says what becomes of it: 0 created, 1
 * updated, 2 left as it is. The columns that later parts filter by come first, as reading a column
 * means passing all before it.
 */
#define JOINED_OLD_SQL(pairs, old, more_columns)                               \
    "SELECT CASE"                                                     \
        " WHEN c.id IS NULL THEN 0"                                   \
        " WHEN b.flags" OP(&) "@touch" OP(<>) "0"                     \
        EACH_TEXT(" OR " DIFFERS(" COLLATE pg_catalog.\"C\""))        \
        EACH_JSON(" OR " DIFFERS("")) " THEN 1"                       \
        " ELSE 2 END AS kind,"                                        \
    " c.id, b.flags, b.n, c.place, c.part, b.external_id"             \
        EACH(", b.@field") ","                                        \
    " c.created_at AS old_created_at, c.updated_at AS old_updated_at" \
        old more_columns                                              \
    " FROM " pairs                                                    \
    " WHERE " IS_ALLOWED_SQL(ASKER("b"))
#define JOINED_SQL(pairs, more_columns) JOINED_OLD_SQL(pairs, SHOWN_OLD, more_columns)

/*
 * Finds a row by its place, which saves a second lookup. The condition on the key is for a row that
 * someone else changed meanwhile; its form keeps the planner from using an index.
 */
#define UPDATE_SQL(more)                                                 \
    "UPDATE @contacts c SET updated_at = $2::pg_catalog.timestamptz" SET \
    " FROM joined j"                                                     \
    " WHERE j.kind" OP(=) "1 AND c.ctid" OP(=) "j.place"                 \
    " AND c.tableoid" OP(=) "j.part"                                     \
    " AND (c.external_id" OP(=) "j.external_id) IS TRUE" more

/*
 * Without ON CONFLICT, which would cost one more lookup and more WAL for each row: a key that
 * someone else has just added is a unique violation, after which ordinary_write.c tries once more.
 * Only this draws ids (E4).
 */
#define INSERT_SQL(more_columns, more_values)                                         \
    "INSERT INTO @contacts"                                                           \
    " (chatbot_id, external_id, created_at, updated_at" EACH(", @field") more_columns \
    ") SELECT " CHATBOT("j") ", external_id,"                                         \
        " $2::pg_catalog.timestamptz, $2::pg_catalog.timestamptz"                     \
        EACH(", @field") more_values                                                  \
    " FROM joined j WHERE kind" OP(=) "0"

/* The rows about what was found: unchanged contacts and contacts as they were. */
#define FOUND_ROWS_SQL                                                                          \
    " SELECT CASE WHEN kind" OP(=) "2 THEN 2 ELSE 3 END, n, NULL::pg_catalog.text, " OLD_STORED \
        " FROM joined WHERE kind" OP(=) "2"                                                     \
        " OR (kind" OP(=) "1 AND flags" OP(&) "@want_before" OP(<>) "0)"

/*
 * What must hold in the end; otherwise the last branch of the write, which has no rows, raises an
 * error. Every record was written: a trigger, rule or policy of the host's may leave one out, and
 * someone who does not take the locks may change a row between the lookup and the rest. And the
 * table has no triggers or rules, which may store another value than the record's, and no
 * partitions or children, which may have some of their own.
 */
#define FAIL_IF_0(number) "pg_catalog.width_bucket(0, 0, 1, (" number ")::integer)"
#define ALL_WRITTEN_SQL                                                    \
    "(SELECT pg_catalog.count(*) FROM joined WHERE kind" OP(<>) "2)" OP(=) \
    "((SELECT pg_catalog.count(*) FROM updated)" OP(+)                     \
    "(SELECT pg_catalog.count(*) FROM inserted))"
#define MAY_DIFFER_SQL                                                                \
    "(SELECT relkind" OP(<>) "'r' OR relhastriggers OR relhasrules OR relhassubclass" \
    " FROM pg_catalog.pg_class WHERE oid" OP(=) "E'@contacts'::pg_catalog.regclass)"

/*
 * What rows take of the memory of client and library (A7). No row may be sent before their sum is
 * known to be small enough, as the client takes a result whole. TEXT_SQL and JSON_SQL are bounds
 * that cost little: no character's escape is longer than six bytes.
 */
#define LENGTH_SQL(value)     "coalesce(pg_catalog.octet_length(" value "), 0)"
#define TEXT_SQL(value)       "(6::bigint" OP(*) LENGTH_SQL(value) ")"
#define JSON_SQL(value)       LENGTH_SQL("(" value ")::pg_catalog.text")
#define VALUES_SQL(row)       EACH_TEXT(OP(+) TEXT_SQL(row "@field")) EACH_JSON(OP(+) JSON_SQL(row "@field"))
#define ENTRIES_SQL(n)        "coalesce(($5::integer[])[(" n ")::integer], 1)"
#define SUM_SQL(bytes, from)  "(SELECT coalesce(pg_catalog.sum(" bytes "), 0) FROM " from ")"
#define ALL_SHOWN_SQL(n, row, from) SUM_SQL(ENTRIES_SQL(n) OP(*) "(0::bigint" VALUES_SQL(row) ")", from)

/* The same, as many bytes as an answer has of a contact, with a comma (storage.h): at most, and
 * exactly. */
#define QUOTED_SQL(text)                                                                   \
    "coalesce(pg_catalog.octet_length(pg_catalog.to_json(" text ")::pg_catalog.text), 4)"
#define DIGITS_SQL(number) "pg_catalog.octet_length((" number ")::pg_catalog.text)"
#define SECONDS_SQL(time)  "pg_catalog.trunc(pg_catalog.date_part('epoch', " time "))"
#define AT_MOST_SQL                                                                        \
    "(@frame" OP(+) "100" OP(+) TEXT_SQL("key") EACH_TEXT(OP(+) "4" OP(+) TEXT_SQL("@field")) \
    EACH_JSON(OP(+) "2" OP(+) JSON_SQL("@field")) ")"
#define EXACTLY_SQL                                                                        \
    "(@frame::bigint" OP(+) DIGITS_SQL("id") OP(+) DIGITS_SQL(SECONDS_SQL("created_at"))   \
    OP(+) DIGITS_SQL(SECONDS_SQL("updated_at")) OP(+) QUOTED_SQL("key")                    \
    EACH_TEXT(OP(+) QUOTED_SQL("@field")) EACH_JSON(OP(+) JSON_SQL("@field")) ")"

/*
 * The parameters are those of record_parameters.h: $1 the askers' chatbots, $2 the time, from $3
 * the records, one array a column; $5 how often the answer has each; $6 what may be handed back in
 * bytes, or NULL if there is nothing to be handed back but what the client knows. The first branch
 * has no rows: it raises an error if there is more than that. The rows: unchanged contacts and
 * contacts as they were, updated ones, created ones.
 */
#define TOO_MUCH_SQL                                                                         \
    " SELECT NULL, NULL, NULL, NULL, NULL, NULL" NO_VALUES                                   \
    " WHERE CASE WHEN $6::bigint IS NULL THEN false ELSE "                                   \
    FAIL_IF_0("(" ALL_SHOWN_SQL("j.n", "j.old_", "joined j WHERE j.kind" OP(=) "2"                  \
                                " OR j.flags" OP(&) "@want_before" OP(<>) "0")               \
              OP(+) ALL_SHOWN_SQL("u.n", "u.", "updated u") ")" OP(<=) "$6") " IS NULL END UNION ALL"
#define WRITE_SQL                                                                            \
    "WITH joined AS MATERIALIZED (" JOINED_SQL(PAIRS_SQL(""), "") "),"                       \
    " updated AS (" UPDATE_SQL("")                                                           \
        " RETURNING j.n, c.id, c.created_at, c.updated_at" SHOWN_UPDATED "),"                \
    " inserted AS (" INSERT_SQL("", "")                                                      \
        " RETURNING chatbot_id, external_id, id, created_at, updated_at)"                    \
    TOO_MUCH_SQL FOUND_ROWS_SQL                                                                           \
    " UNION ALL SELECT 1, n, NULL, " STORED " FROM updated"                                  \
    " UNION ALL SELECT 0, chatbot_id, external_id, id, created_at, updated_at" NO_VALUES     \
        " FROM inserted"                                                                     \
    " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL" NO_VALUES                         \
        " WHERE " FAIL_IF_0(ALL_WRITTEN_SQL) " IS NULL"                                      \
        " OR " FAIL_IF_0("NOT " MAY_DIFFER_SQL) " IS NULL"

/*
 * The host's triggers and expressions may raise the same error. So a write that fails with it is
 * sent again as a careful write, as are all writes that may meet triggers. A careful write reports
 * what does not hold in one more row, and in a setting of the transaction that makes CHECK_SQL, the
 * last statement before the commit, fail. The check calls nothing of the host's, and no value
 * reaches it, so its error is the library's own.
 *
 * The rows say what became of each record, in place of what it became, which is read afterwards; and
 * they have contacts as they were, if all these have no more bytes than $6 says (NULL: no bound).
 * What is updated is counted, and so done, before what is inserted, as in a plain write: a new
 * contact may take over a unique value.
 */
#define IS_WANTED_SQL    "kind" OP(<>) "0 AND flags" OP(&) "@want_before" OP(<>) "0"
#define WANTED_ROWS_SQL(condition)                                                        \
    " SELECT CASE WHEN kind" OP(=) "2 THEN 2 ELSE 3 END, n, NULL::pg_catalog.text, "      \
        OLD_STORED " FROM joined WHERE " IS_WANTED_SQL condition                          \
    " UNION ALL SELECT kind, n, NULL, NULL, NULL, NULL" NO_VALUES                         \
        " FROM joined WHERE kind" OP(<>) "2 OR flags" OP(&) "@want_before" OP(=) "0"
#define BEFORE_BYTES_SQL EACH_TEXT(OP(+) LENGTH_SQL("old_@field")) EACH_JSON(OP(+) JSON_SQL("old_@field"))
#define COUNT_KIND_SQL(kind) "pg_catalog.count(CASE WHEN kind" OP(=) #kind " THEN 1 END)"
#define VERDICT_SQL                                                                        \
    "SELECT j.updates" OP(-) "(SELECT pg_catalog.count(*) FROM updated) AS not_updated,"   \
    " j.inserts" OP(-) "(SELECT pg_catalog.count(*) FROM inserted) AS not_inserted,"       \
    " CASE WHEN $6::bigint IS NULL THEN true ELSE " SUM_SQL("0::bigint" BEFORE_BYTES_SQL,  \
        "joined WHERE " IS_WANTED_SQL) OP(<=) "$6 END AS fits"                             \
    " FROM (SELECT " COUNT_KIND_SQL(0) " AS inserts, " COUNT_KIND_SQL(1) " AS updates"     \
    " FROM joined) j"
#define UNDO_SETTING "'bb_contacts.undo'"
#define UNDO_SQL     "pg_catalog.set_config(" UNDO_SETTING ", '1', true)"
#define CAREFUL_SQL(joined, update_more, insert, more_rows)                               \
    "WITH joined AS MATERIALIZED (" joined "),"                                           \
    " updated AS (" UPDATE_SQL(update_more) " RETURNING 1),"                              \
    " inserted AS (" insert " RETURNING 1),"                                          \
    " verdict AS MATERIALIZED (" VERDICT_SQL ")"                                          \
    WANTED_ROWS_SQL(" AND (SELECT fits FROM verdict)")                                    \
        more_rows                                                                         \
    " UNION ALL SELECT 5, NULL, NULL, NULL, NULL, NULL" NO_VALUES                         \
        " FROM verdict WHERE CASE WHEN fits THEN false ELSE " UNDO_SQL " IS NOT NULL END" \
    " UNION ALL SELECT 4, not_inserted, NULL, not_updated, NULL, NULL" NO_VALUES          \
        " FROM verdict WHERE CASE"                                                        \
        " WHEN not_inserted" OP(=) "0 AND not_updated" OP(=) "0 THEN false"               \
        " ELSE " UNDO_SQL " IS NOT NULL END"

/* A write of which some records merge is a careful one, since what they make is read back in any
 * case. A record that becomes too large has one more row, and undoes the write (D3). */
#define OVERSIZED_SQL \
    EACH_OBJECT(", " IS_OVERSIZED_SQL("b.flags", "b.@field") " AS is_oversized")
#define MERGE_SQL(found_more, update_more, insert)                                        \
    CAREFUL_SQL(JOINED_SQL(MERGED_PAIRS_SQL(found_more), OVERSIZED_SQL),                  \
        update_more, insert,                                                              \
        " UNION ALL SELECT 6, n, NULL, NULL, NULL, NULL" NO_VALUES                        \
            " FROM joined WHERE CASE WHEN is_oversized THEN " UNDO_SQL " IS NOT NULL END")

/*
 * What a write would do, without doing it: no row, no id and no lock (A6). The rows are those of a
 * write with all values, and those of records that become too large. One more row says that the
 * table has rules, triggers or policies of the host's, whose effect reading does not show.
 */
#define ALL_OLD EACH(", c.@field AS old_@field")
#define TABLE_SQL "E'@contacts'::pg_catalog.regclass"
#define HOST_RULES_SQL                                                                         \
    "(SELECT relhastriggers OR relhasrules OR relrowsecurity"                                  \
        " FROM pg_catalog.pg_class WHERE oid" OP(=) TABLE_SQL ")"                              \
    " OR EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid" OP(=) TABLE_SQL          \
        " AND (contype" OP(=) "'c' OR contype" OP(=) "'x'))"                                   \
    " OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid" OP(=) TABLE_SQL           \
        " AND i.indisunique AND NOT i.indisprimary"                                            \
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a"                               \
            " WHERE a.attrelid" OP(=) "i.indrelid AND a.attnum" OP(=) "i.indkey[0]"            \
            " AND a.attname" OP(=) "'id'))"
#define DRY_VALUE(name) \
    "CASE WHEN kind" OP(=) "0 OR kind" OP(=) "1 AND flags" OP(&) "@bit" OP(<>) "0" \
    " THEN @field ELSE old_@field END" name
/* The library measures the answer itself (A7); this only bounds what it is sent for that. The
 * server writes JSON with spaces, so twice the bound is enough. */
#define DRY_BYTES_SQL \
    EACH_TEXT(OP(+) LENGTH_SQL(DRY_VALUE(""))) EACH_JSON(OP(+) JSON_SQL(DRY_VALUE("")))
#define DRY_FITS_SQL                                                                           \
    "SELECT CASE WHEN $6::bigint IS NULL THEN true ELSE "                                      \
        SUM_SQL("0::bigint" DRY_BYTES_SQL, "joined") OP(<=) "(2::bigint" OP(*) "$6) AND "      \
        SUM_SQL("0::bigint" BEFORE_BYTES_SQL, "joined WHERE " IS_WANTED_SQL) OP(<=) "$6"       \
        " END AS fits"
#define DRY_WRITE_SQL(more)                                                                    \
    "WITH joined AS MATERIALIZED ("                                                            \
        JOINED_OLD_SQL(MERGED_PAIRS_SQL(more), ALL_OLD, OVERSIZED_SQL) "),"                    \
    " measured AS MATERIALIZED (" DRY_FITS_SQL ")"                                             \
    " SELECT kind, n, NULL::pg_catalog.text AS key, id,"                                       \
        " CASE WHEN kind" OP(=) "0 THEN $2::pg_catalog.timestamptz ELSE old_created_at END,"   \
        " CASE WHEN kind" OP(<>) "2 THEN $2::pg_catalog.timestamptz ELSE old_updated_at END"   \
        EACH(", " DRY_VALUE(""))                                                               \
    " FROM joined WHERE (SELECT fits FROM measured)"                                           \
    " UNION ALL SELECT 3, n, NULL, " OLD_STORED                                                \
        " FROM joined WHERE kind" OP(=) "1 AND flags" OP(&) "@want_before" OP(<>) "0"          \
        " AND (SELECT fits FROM measured)"                                                     \
    " UNION ALL SELECT 5, NULL, NULL, NULL, NULL, NULL" NO_VALUES                              \
        " FROM measured WHERE NOT fits"                                                        \
    " UNION ALL SELECT 6, n, NULL, NULL, NULL, NULL" NO_VALUES                                 \
        " FROM joined WHERE is_oversized"                                                      \
    " UNION ALL SELECT 7, NULL, NULL, NULL, NULL, NULL" NO_VALUES " WHERE " HOST_RULES_SQL

/* Where there are such, a dry run writes as a careful write does, with ids that no contact has, and
 * is rolled back. */
#define TRIAL_INSERT_SQL INSERT_SQL(", id", ", 0" OP(-) "n")
/*
 * A plain write whose contacts nobody will see (A4): what became of each record, and contacts as
 * they were, if $6 is not NULL and has room for them. It fails like the other plain write.
 */
#define WRITE_UNSEEN_SQL                                                                  \
    "WITH joined AS MATERIALIZED (" JOINED_SQL(PAIRS_SQL(""), "") "),"                    \
    " updated AS (" UPDATE_SQL("") " RETURNING 1),"                                       \
    " inserted AS (" INSERT_SQL("", "") " RETURNING 1)"                                   \
    " SELECT NULL, NULL, NULL, NULL, NULL, NULL" NO_VALUES                                \
        " WHERE CASE WHEN $6::bigint IS NULL THEN false ELSE "                            \
        FAIL_IF_0(SUM_SQL("0::bigint" BEFORE_BYTES_SQL, "joined WHERE " IS_WANTED_SQL)    \
                  OP(<=) "$6") " IS NULL END UNION ALL"                                   \
    WANTED_ROWS_SQL("")                                                                   \
    " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL" NO_VALUES                      \
        " WHERE " FAIL_IF_0(ALL_WRITTEN_SQL) " IS NULL"                                   \
        " OR " FAIL_IF_0("NOT " MAY_DIFFER_SQL) " IS NULL"

/* Has what is deferred to the commit done now, and what comes after it at once, so that nothing
 * changes after it is read. */
#define DEFERRED_SQL "SET CONSTRAINTS ALL IMMEDIATE"

/*
 * The contacts as they are to be committed, by their keys: triggers may have changed a value or a
 * key, or deleted a row, before it was written or when all were. One that is not there undoes the
 * write; keys are compared byte by byte, like texts. The parameters are the first of the write's, up
 * to $6, the bytes that they may have in the answer (NULL: no bound). If they have more, there is one
 * row of number 0 in their place, and the write is undone.
 *
 * A careful write with all that follows takes about a quarter more of the server's time than a
 * plain one, be it of one contact or of 1000: too little to ask each time which kinds of triggers
 * there are, and whether those can change what has been written.
 */
#define KEYS_SQL                                                  \
    "SELECT pg_catalog.generate_subscripts($3, 1)::bigint AS n, " \
        COLUMN_SQL("$3", "pg_catalog.text") "external_id, "       \
        COLUMN_SQL("$4", "integer") "flags"
#define SAME_KEY_SQL " AND c.external_id COLLATE pg_catalog.\"C\"" OP(=) "b.external_id"
#define FOUND_BYTES_SQL(bytes) SUM_SQL(ENTRIES_SQL("n") OP(*) "" bytes "", "found") OP(<=) "$6"
#define READ_SQL(more)                                                         \
    "WITH found AS MATERIALIZED (SELECT b.n, " C_STORED ","                    \
        " CASE WHEN c.id IS NULL THEN " UNDO_SQL " END AS gone,"               \
        " b.external_id AS key FROM (" KEYS_SQL ") b"                          \
        " LEFT JOIN LATERAL (" FOUND_SQL("b", SAME_KEY_SQL more) ") c ON true" \
        " WHERE " IS_ALLOWED_SQL(ASKER("b")) "),"                              \
    " size AS MATERIALIZED (SELECT CASE WHEN $6::bigint IS NULL THEN true"     \
        " WHEN " FOUND_BYTES_SQL(AT_MOST_SQL) " THEN true"                     \
        " ELSE " FOUND_BYTES_SQL(EXACTLY_SQL) " END AS fits)"                  \
    " SELECT n, " STORED ", gone FROM found WHERE (SELECT fits FROM size)"     \
    " UNION ALL SELECT 0, NULL, NULL, NULL" NO_VALUES ", " UNDO_SQL            \
        " FROM size WHERE NOT fits"

/* The same for contacts that nobody will see: only whether they are there. */
#define LOOK_SQL(more)                                                                    \
    "SELECT b.n, c.id, CASE WHEN c.id IS NULL THEN " UNDO_SQL " END FROM (" KEYS_SQL ") b" \
    " LEFT JOIN LATERAL (" FOUND_SQL("b", SAME_KEY_SQL more) ") c ON true"                     \
    " WHERE " IS_ALLOWED_SQL(ASKER("b"))

/* One row: whether the table has what makes a write need care. */
#define CHECK_SQL                                                                                  \
    "SELECT " MAY_DIFFER_SQL "::integer, "                                                         \
    FAIL_IF_0("coalesce(pg_catalog.current_setting(" UNDO_SETTING ", true), '')" OP(=) "''")

/*
 * The same for contacts that are partitioned by chatbot_id. A plan for any parameters holds all
 * partitions, and the time to plan, lock and start grows with their number. So each write is
 * planned for its own chatbots, in a form by which the planner finds the partitions; the chatbot of
 * each record then picks one of these.
 */
#define ASKED_SQL " AND c.chatbot_id" OP(=) "ANY ($1::bigint[])"
#define UPDATE_ASKED_SQL ASKED_SQL " AND c.chatbot_id" OP(=) CHATBOT("j")
#define WRITE_TO_PARTITIONS_SQL \
    CAREFUL_SQL(JOINED_SQL(PAIRS_SQL(ASKED_SQL), ""), UPDATE_ASKED_SQL, INSERT_SQL("", ""), "")
#define READ_PARTITIONS_SQL READ_SQL(ASKED_SQL)
#define LOOK_PARTITIONS_SQL LOOK_SQL(ASKED_SQL)
#define PLAN_ANEW_SQL "SELECT pg_catalog.set_config('plan_cache_mode', 'force_custom_plan', true)"

/* clang-format on */

/* The types are given, so that the host's query need not use or cast every parameter. */
static const uint32_t access_types[] = {BB_PG_BYTEA, BB_PG_INT8, BB_PG_INT8, BB_PG_INT8,
                                        BB_PG_TIMESTAMPTZ};
static const uint32_t locking_types[] = {BB_PG_BYTEA,     BB_PG_INT8,        BB_PG_INT8,
                                         BB_PG_INT8,      BB_PG_TIMESTAMPTZ, BB_PG_INT8_ARRAY,
                                         BB_PG_INT8_ARRAY};
#define ARRAY_OF_TEXT        BB_PG_TEXT_ARRAY
#define ARRAY_OF_ARRAY       BB_PG_JSONB_ARRAY
#define ARRAY_OF_OBJECT      BB_PG_JSONB_ARRAY
#define XX(name, NAME, KIND) , ARRAY_OF_##KIND
static const uint32_t record_types[] = {BB_PG_INT8_ARRAY, BB_PG_TIMESTAMPTZ,
                                        BB_PG_TEXT_ARRAY, BB_PG_INT4_ARRAY,
                                        BB_PG_INT4_ARRAY, BB_PG_INT8 BB_FIELD_MAP(XX)};
static const uint32_t merge_types[] = {
    BB_PG_INT8_ARRAY, BB_PG_TIMESTAMPTZ,           BB_PG_TEXT_ARRAY,  BB_PG_INT4_ARRAY,
    BB_PG_INT4_ARRAY, BB_PG_INT8 BB_FIELD_MAP(XX), BB_PG_JSONB_ARRAY, BB_PG_INT8};
#undef XX

_Static_assert(BB_PG_LAST_FIELD_PARAM == sizeof record_types / sizeof record_types[0] &&
                   BB_PG_LAST_PARAM == sizeof merge_types / sizeof merge_types[0],
               "these are not the parameters of record_parameters.h");

const bb_pg_definition bb_pg_ordinary_definitions[BB_PG_STATEMENT_COUNT] = {
    [BB_PG_BEGIN] = {"BEGIN ISOLATION LEVEL READ COMMITTED", NULL, 0},
    [BB_PG_SETTINGS] = {SETTINGS_SQL, NULL, 0},
    [BB_PG_ACCESS] = {LOCKING_SQL, BB_PG_TYPES(locking_types)},
    [BB_PG_NEXT_ACCESS] = {NEXT_SQL, BB_PG_TYPES(access_types)},
    [BB_PG_LOCKS] = {LOCKS_SQL, NULL, 0},
    [BB_PG_WRITE] = {WRITE_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_CAREFUL_WRITE] = {CAREFUL_SQL(JOINED_SQL(PAIRS_SQL(""), ""), "", INSERT_SQL("", ""), ""),
                             BB_PG_TYPES(record_types)},
    [BB_PG_PLAN_ANEW] = {PLAN_ANEW_SQL, NULL, 0},
    [BB_PG_WRITE_TO_PARTITIONS] = {WRITE_TO_PARTITIONS_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_DEFERRED] = {DEFERRED_SQL, NULL, 0},
    [BB_PG_READ] = {READ_SQL(""), record_types, BB_PG_PARAM_ROOM},
    [BB_PG_MERGE] = {MERGE_SQL("", "", INSERT_SQL("", "")), BB_PG_TYPES(merge_types)},
    [BB_PG_MERGE_PARTITIONS] = {MERGE_SQL(ASKED_SQL, UPDATE_ASKED_SQL, INSERT_SQL("", "")),
                                BB_PG_TYPES(merge_types)},
    [BB_PG_DRY_WRITE] = {DRY_WRITE_SQL(""), BB_PG_TYPES(merge_types)},
    [BB_PG_DRY_WRITE_TO_PARTITIONS] = {DRY_WRITE_SQL(ASKED_SQL), BB_PG_TYPES(merge_types)},
    [BB_PG_TRIAL] = {MERGE_SQL("", "", TRIAL_INSERT_SQL), BB_PG_TYPES(merge_types)},
    [BB_PG_TRIAL_IN_PARTITIONS] = {MERGE_SQL(ASKED_SQL, UPDATE_ASKED_SQL, TRIAL_INSERT_SQL),
                                   BB_PG_TYPES(merge_types)},
    [BB_PG_READ_PARTITIONS] = {READ_PARTITIONS_SQL, record_types, BB_PG_PARAM_ROOM},
    [BB_PG_WRITE_UNSEEN] = {WRITE_UNSEEN_SQL, BB_PG_TYPES(record_types)},
    [BB_PG_LOOK] = {LOOK_SQL(""), record_types, BB_PG_PARAM_ROOM},
    [BB_PG_LOOK_AT_PARTITIONS] = {LOOK_PARTITIONS_SQL, record_types, BB_PG_PARAM_ROOM},
    [BB_PG_CHECK] = {CHECK_SQL, NULL, 0},
    [BB_PG_COMMIT] = {"COMMIT", NULL, 0},
    [BB_PG_ROLLBACK] = {"ROLLBACK", NULL, 0},
    [BB_PG_AUTHORIZE] = {DECISION_SQL, BB_PG_TYPES(access_types)},
};
