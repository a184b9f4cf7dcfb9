/*
 * schema_steps.h: the statements that lead from one version of the schema to the next.
 */
#ifndef BB_POSTGRES_SCHEMA_STEPS_H
#define BB_POSTGRES_SCHEMA_STEPS_H

#include <stdint.h>

/* What a step is only taken with; the bits of bb_pg_step.needs. */
#define BB_PG_NEEDS_OWN_ACCESS (1u << 0) /* chatbots and keys are the library's own tables */
#define BB_PG_NEEDS_ROLE       (1u << 1) /* the host named the role that serves requests */

typedef struct bb_pg_step {
    const char *sql; /* with names as in names.h; NULL: the end */
    uint32_t needs;
} bb_pg_step;

/* Element i leads from version i to version i + 1; NULL after the last. */
extern const bb_pg_step *const bb_pg_schema_steps[];

#endif
