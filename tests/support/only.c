/*
 * only.c: lets one function of a cmocka program run alone: BB_TEST_ONLY, with * and ? as in a
 * shell, says which.
 *
 * A constructor does it, for every program that this is linked to, whatever its main() does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void choose(void)
{
    const char *pattern = getenv("BB_TEST_ONLY"); // NOLINT(concurrency-mt-unsafe)

    if (pattern != NULL && *pattern != '\0')
        cmocka_set_test_filter(pattern);
}
