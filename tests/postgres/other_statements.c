/*
 * other_statements.c: the statements of another build of the library: other texts, which answer
 * alike.
 */
#include "backends/postgres/sql/statements.h"

#include <string.h>

int released_statements_init(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                             const bb_pg_names *names);

#define bb_pg_statements_init released_statements_init
#include "backends/postgres/sql/statements.c" // NOLINT(bugprone-suspicious-include)
#undef bb_pg_statements_init

int bb_pg_statements_init(bb_pg_statement statements[BB_PG_STATEMENT_COUNT],
                          const bb_pg_names *names)
{
    static const char mark[] = " /* another build */";

    if (!released_statements_init(statements, names))
        return 0;
    for (int i = 0; i < BB_PG_STATEMENT_COUNT; i++) {
        size_t len = strlen(statements[i].text);
        char *text = bb_alloc(&names->allocator, len + sizeof mark);
        if (text == NULL)
            return 0;
        memcpy(text, statements[i].text, len);
        memcpy(text + len, mark, sizeof mark);
        bb_free(&names->allocator, statements[i].text);
        statements[i].text = text;
        set_name(&statements[i]);
    }
    return 1;
}
