/*
 * merging.h: SQL that merges members into a field that is a JSON object (D2, D3).
 */
#ifndef BB_POSTGRES_MERGING_H
#define BB_POSTGRES_MERGING_H

#include "backends/postgres/sql/columns.h"
#include "backends/postgres/sql/operators.h"

/*
 * The value of the field @field, for EACH_OBJECT, after a record and the contact `c`. `members` and
 * `removed` are jsonb.
 */
#define MERGED_SQL(flags, members, removed)                                                     \
    "CASE WHEN " flags OP(&) "@merge" OP(                                                       \
        <>) "0 AND c.id IS NOT NULL"                                                            \
            " THEN coalesce(c.@field, '@initial')" OP(||)                                       \
                members OP(-) "ARRAY(SELECT pg_catalog.jsonb_array_elements_text(" removed "))" \
                              " ELSE " members " END"

/*
 * Whether merging has made a value larger than it was, and larger than the limit. Both are measured
 * as text; but the server writes a space after each comma and colon, which does not count. Only
 * what would be too large with these is looked at more closely: without strings, all spaces are
 * such.
 */
#define SIZE_SQL(value) "pg_catalog.octet_length(" value "::pg_catalog.text)"
#define SPACES_SQL(value)                                                                \
    "pg_catalog.octet_length(pg_catalog.regexp_replace(pg_catalog.regexp_replace(" value \
    "::pg_catalog.text, E'\"(?:[^\"\\\\\\\\]|\\\\\\\\.)*\"', '', 'g'), '[^ ]', '', 'g'))"
#define IS_OVERSIZED_SQL(flags, value)                                                          \
    "CASE WHEN " flags OP(&) "@merge" OP(                                                       \
        =) "0 OR c.id IS NULL THEN false"                                                       \
           " WHEN " SIZE_SQL(value)                                                             \
               OP(<=) "$@limit::bigint THEN false"                                              \
                      " WHEN " SIZE_SQL(value) OP(<=)                                           \
                          SIZE_SQL("c.@field") " THEN false"                                    \
                                               " ELSE " SIZE_SQL(value) OP(-) SPACES_SQL(value) \
                                                   OP(>) "$@limit::bigint END"

#endif
