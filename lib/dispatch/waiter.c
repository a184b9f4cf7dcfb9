/*
 * waiter.c: a thread that waits for its answer, and can be called to work meanwhile.
 */
#define _GNU_SOURCE // NOLINT: for sem_clockwait()
#include "dispatch/waiter.h"

#include <errno.h>
#include <time.h>

#include "util/clock.h"

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 30)

static int wait_until(sem_t *semaphore, int64_t until_us)
{
    struct timespec until = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};

    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
}

#else

/* sem_timedwait() goes by the wall clock, which somebody may set meanwhile. So this waits in short
 * steps: a change of the clock then spoils no more than one. */
static int wait_until(sem_t *semaphore, int64_t until_us)
{
    enum { STEP_US = 100000 };
    int64_t left = until_us - bb_monotonic_us();
    int64_t end_us = bb_wall_clock_us() + (left < STEP_US ? left : STEP_US);
    struct timespec end = {(time_t)(end_us / 1000000), (long)(end_us % 1000000) * 1000};

    if (sem_timedwait(semaphore, &end) == 0)
        return 0;
    if (errno == ETIMEDOUT && left > STEP_US)
        errno = EINTR; /* not yet */
    return -1;
}

#endif

int bb_waiter_init(bb_waiter *waiter)
{
    atomic_init(&waiter->is_called, 0);
    atomic_init(&waiter->answer, NULL);
    return sem_init(&waiter->woken, 0, 0);
}

void bb_waiter_destroy(bb_waiter *waiter)
{
    sem_destroy(&waiter->woken);
}

void bb_waiter_answer(bb_waiter *waiter, bb_result *answer)
{
    atomic_store_explicit(&waiter->answer, answer, memory_order_release);
    sem_post(&waiter->woken);
}

void bb_waiter_call(bb_waiter *waiter)
{
    if (atomic_exchange_explicit(&waiter->is_called, 1, memory_order_acq_rel) == 0)
        sem_post(&waiter->woken);
}

/* Whether it was woken, and not by a signal of the host's, before the time. */
static int wait_for_wake(bb_waiter *waiter, int64_t until_us)
{
    int failed;

    do {
        failed =
            until_us == INT64_MAX ? sem_wait(&waiter->woken) : wait_until(&waiter->woken, until_us);
    } while (failed && errno == EINTR);
    return !failed;
}

bb_result *bb_waiter_wait(bb_waiter *waiter, int64_t until_us)
{
    if (!wait_for_wake(waiter, until_us) ||
        atomic_exchange_explicit(&waiter->is_called, 0, memory_order_acq_rel) != 0)
        return NULL;
    return atomic_load_explicit(&waiter->answer, memory_order_acquire);
}
