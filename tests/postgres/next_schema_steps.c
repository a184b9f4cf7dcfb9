/*
 * next_schema_steps.c: the schema of a build to come: versions 1 and 2 as they are, and a
 * version 3.
 */
#include <stddef.h>

#define bb_pg_schema_steps released_schema_steps
#include "backends/postgres/schema/schema_steps.c" // NOLINT(bugprone-suspicious-include)
#undef bb_pg_schema_steps

static const bb_pg_step version_3[] = {
    {"ALTER TABLE @contacts ADD COLUMN source text NOT NULL DEFAULT 'api'", 0},
    {"UPDATE @contacts SET source = 'old' WHERE external_id LIKE 'first-%'", 0},
    {"CREATE INDEX ON @contacts (chatbot_id, email)", 0},
    {NULL, 0},
};

const bb_pg_step *const bb_pg_schema_steps[] = {version_1, version_2, version_3, NULL};
