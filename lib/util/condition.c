/*
 * condition.c: condition variables on the clock that deadlines are of.
 */
#include "util/condition.h"

#include <time.h>

int bb_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);

    if (failed != 0)
        return failed;
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (failed == 0)
        failed = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return failed;
}

static int wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, struct timespec until)
{
    return pthread_cond_timedwait(condition, mutex, &until) == 0;
}

int bb_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline)
{
    struct timespec until = {(time_t)(deadline / 1000), (long)(deadline % 1000) * 1000000};

    return wait_until(condition, mutex, until);
}

int bb_condition_wait_us(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_us)
{
    struct timespec until = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};

    return wait_until(condition, mutex, until);
}
