/*
 * wait.c: waits for events, on machines of any speed.
 */
#include "support/wait.h"

#include <time.h>

enum { STEP_MS = 2 };

int64_t test_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void test_pause_ms(int64_t ms)
{
    const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

int test_wait_until(int (*is_so)(void *ctx), void *ctx)
{
    int64_t end = test_now_ms() + TEST_PATIENCE_MS;

    while (!is_so(ctx)) {
        if (test_now_ms() > end)
            return 0;
        test_pause_ms(STEP_MS);
    }
    return 1;
}
