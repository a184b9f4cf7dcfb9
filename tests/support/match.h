/*
 * match.h: compares a response with what a request file expects; see requests/README.md.
 */
#ifndef BB_TEST_MATCH_H
#define BB_TEST_MATCH_H

#include "support/json.h"

enum { MATCH_NAMES = 64 };

/* What {"$new": ...} and {"$same": ...} have seen; one for all steps of a file. */
typedef struct match_memory {
    const char *names[MATCH_NAMES]; /* of the file's */
    char *values[MATCH_NAMES];      /* printed */
    size_t count;
} match_memory;

void match_memory_free(match_memory *memory);

/* Whether `actual` is as `expected` says. If not, `problem` says where and how. */
int match(match_memory *memory, const json *expected, const json *actual, char *problem,
          size_t problem_size);

#endif
