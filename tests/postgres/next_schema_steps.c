/*
 * next_schema_steps.c: the schema of a build to come: version 1 as it is, and a version 2.
 */
#include <stddef.h>

#define bb_pg_schema_steps released_schema_steps
#include "backends/postgres/schema/schema_steps.c" // NOLINT(bugprone-suspicious-include)
#undef bb_pg_schema_steps

static const bb_pg_step version_2[] = {
    {"ALTER TABLE @contacts ADD COLUMN source text NOT NULL DEFAULT 'api'", 0},
    {"UPDATE @contacts SET source = 'old' WHERE external_id LIKE 'first-%'", 0},
    {"CREATE INDEX ON @contacts (chatbot_id, email)", 0},
    {NULL, 0},
};

const bb_pg_step *const bb_pg_schema_steps[] = {version_1, version_2, NULL};
