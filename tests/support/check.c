/*
 * check.c: counts the checks that failed, and lets test functions run alone.
 */
#include "support/check.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wait.h"

static atomic_uint failures;

/* The function that runs, the failures before it, and when it began. */
static char test[100];
static unsigned failures_before;
static int64_t began;

static unsigned tests_there;
static unsigned tests_run;

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    failures++;
}

void check_failed_msg(const char *file, int line, const char *condition, const char *format, ...)
{
    char text[2000];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* in one call, so that threads do not mix their lines */
    fprintf(stderr, "%s:%d: not so: %s: %s\n", file, line, condition, text);
    failures++;
}

static int is_wanted(void)
{
    const char *pattern = getenv("BB_TEST_ONLY"); // NOLINT(concurrency-mt-unsafe)

    return pattern == NULL || *pattern == '\0' || fnmatch(pattern, test, 0) == 0;
}

int check_begin(const char *call)
{
    snprintf(test, sizeof test, "%.*s", (int)strcspn(call, "("), call);
    tests_there++;
    if (!is_wanted())
        return 0;
    tests_run++;
    failures_before = failures;
    began = test_now_ms();
    return 1;
}

void check_end(void)
{
    printf("%s: %s, %lld ms\n", test, failures == failures_before ? "ok" : "FAILED",
           (long long)(test_now_ms() - began));
    fflush(stdout);
}

unsigned check_failures(void)
{
    return failures;
}

int check_status(void)
{
    if (tests_there > 0 && tests_run == 0) {
        fputs("BB_TEST_ONLY names no function of this program\n", stderr);
        return 1;
    }
    return failures > 0 ? 1 : 0;
}
