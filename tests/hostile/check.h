/*
 * check.h: counts what is not as it should be, and says where.
 */
#ifndef BB_HOSTILE_CHECK_H
#define BB_HOSTILE_CHECK_H

#include <stdio.h>

/* For one thread, and one program: main() returns check_status(). */
static int check_failures;

/* CHECK(condition, format, ...): the text says what was tried. */
#define CHECK(condition, ...)                                                       \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                           \
            fputc('\n', stderr);                                                    \
            check_failures++;                                                       \
        }                                                                           \
    } while (0)

static inline int check_status(void)
{
    return check_failures > 0 ? 1 : 0;
}

#endif
