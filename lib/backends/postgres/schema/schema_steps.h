/*
 * schema_steps.h: the statements that lead from one version of the schema to the next.
 */
#ifndef BB_POSTGRES_SCHEMA_STEPS_H
#define BB_POSTGRES_SCHEMA_STEPS_H

#include <stdint.h>

#include "backends/postgres/sql/operators.h"

/* What a step needs; the bits of bb_pg_step.needs. */
#define BB_PG_NEEDS_OWN_ACCESS (1u << 0) /* chatbots and keys are the library's own tables */
#define BB_PG_NEEDS_ROLE       (1u << 1) /* the host named the role that serves requests */

typedef struct bb_pg_step {
    const char *sql; /* with names as in names.h; NULL: the end */
    uint32_t needs;
} bb_pg_step;

/* Element i leads from version i to version i + 1; NULL after the last. */
extern const bb_pg_step *const bb_pg_schema_steps[];

/* SQL for the name of a unique constraint of the contacts on exactly these columns to which no
 * foreign key refers; NULL: there is none. */
/* clang-format off */
#define BB_PG_FREE_CONSTRAINT(columns)                                                          \
    "(SELECT u.conname FROM pg_catalog.pg_constraint u\n"                                       \
    "         WHERE u.conrelid" OP(=) "E'@contacts'::pg_catalog.regclass"                       \
    " AND u.contype" OP(=) "'u'\n"                                                              \
    "         AND (SELECT pg_catalog.array_agg(a.attname ORDER BY k.n)\n"                       \
    "              FROM ROWS FROM (pg_catalog.unnest(u.conkey)) WITH ORDINALITY AS k (c, n)\n"  \
    "              JOIN pg_catalog.pg_attribute a\n"                                            \
    "                  ON a.attrelid" OP(=) "u.conrelid AND a.attnum" OP(=) "k.c)"              \
    OP(=) columns "::pg_catalog.name[]\n"                                                       \
    "         AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint f\n"                         \
    "              WHERE f.conindid" OP(=) "u.conindid AND f.contype" OP(=) "'f')\n"            \
    "         LIMIT 1)"
/* clang-format on */

#endif
