/*
 * clock.c: deadlines on the monotonic clock, the default wall clock, and pauses.
 */
#include "util/clock.h"

#include <time.h>

#include "bb_contacts/storage.h"

int64_t bb_monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t monotonic_ms(void)
{
    return bb_monotonic_us() / 1000;
}

int64_t bb_deadline_in(int64_t timeout_ms)
{
    int64_t now = monotonic_ms();

    if (timeout_ms < 0)
        timeout_ms = 0;
    return timeout_ms > INT64_MAX - now ? INT64_MAX : now + timeout_ms;
}

int64_t bb_timeout_or(int64_t timeout_ms, int64_t default_ms)
{
    if (timeout_ms == BB_TIMEOUT_NONE_LEFT)
        return 0;
    return timeout_ms > 0 ? timeout_ms : default_ms;
}

int32_t bb_deadline_left(int64_t deadline)
{
    int64_t now = monotonic_ms();

    if (deadline <= now)
        return 0;
    return deadline - now > INT32_MAX ? INT32_MAX : (int32_t)(deadline - now);
}

int64_t bb_wall_clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < 0 ? 0 : (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void bb_pause_ms(int32_t ms)
{
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}
