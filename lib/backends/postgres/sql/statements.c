/*
 * statements.c: all statements of a store, as they are sent, and the names under which they are
 * prepared.
 */
#include "backends/postgres/sql/statements.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/postgres/sql/citus_statements.h"
#include "backends/postgres/sql/ordinary_statements.h"
#include "util/alloc.h"
#include "util/hash.h"

/* The name is a hash of the text, because two builds of the library may share a server connection
 * behind a pooler, where one name with two texts would run the wrong one. */
static void set_name(bb_pg_statement *statement)
{
    uint64_t hash = bb_hash_fnv(BB_HASH_FNV_START, statement->text, strlen(statement->text));

    (void)snprintf(statement->name, sizeof statement->name, "bbc_%016" PRIx64, hash);
}

static const bb_pg_definition *definition_of(int id)
{
    return bb_pg_ordinary_definitions[id].text != NULL ? &bb_pg_ordinary_definitions[id]
                                                       : &bb_pg_citus_definitions[id];
}

int bb_pg_statements_init(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                          const bb_pg_names *names)
{
    int ok = 1;

    for (int i = 0; i < BB_PG_STATEMENT_COUNT; i++) {
        const bb_pg_definition *definition = definition_of(i);
        bb_pg_statement *statement = &statements[i];
        *statement = (bb_pg_statement){.text = bb_pg_names_expand(names, definition->text),
                                       .types = definition->types,
                                       .type_count = definition->type_count};
        if (statement->text == NULL)
            ok = 0;
        else
            set_name(statement);
    }
    return ok;
}

void bb_pg_statements_free(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                           const bb_pg_names *names)
{
    for (int i = 0; i < BB_PG_STATEMENT_COUNT; i++)
        bb_free(&names->allocator, statements[i].text);
}
