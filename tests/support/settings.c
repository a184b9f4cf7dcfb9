/*
 * settings.c: how much a test does, from the environment.
 */
#include "support/settings.h"

#include <stdlib.h>

/* A number in the environment, or `otherwise`. Read before any thread is made. */
static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe)
    char *end;
    uint64_t number;

    if (value == NULL || *value == '\0')
        return otherwise;
    number = strtoull(value, &end, 10);
    return *end == '\0' && number > 0 ? number : otherwise;
}

uint32_t test_times(uint32_t full)
{
    uint64_t times = full * setting("BB_TEST_SHARE", 100) / 100;

    if (setting("BB_TEST_LONG", 0) != 0)
        times *= 10;
    return times > 0 ? (uint32_t)times : 1;
}

uint32_t test_threads(void)
{
    return (uint32_t)setting("BB_TEST_THREADS", 16);
}

uint32_t test_workers(void)
{
    return (uint32_t)setting("BB_TEST_WORKERS", 0);
}

uint32_t test_beside(void)
{
    return (uint32_t)setting("BB_TEST_BESIDE", 0);
}

uint64_t test_seed(void)
{
    return setting("BB_TEST_SEED", 1);
}
