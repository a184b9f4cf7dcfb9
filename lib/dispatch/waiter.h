/*
 * waiter.h: a thread that waits for its answer, and can be called to work meanwhile.
 */
#ifndef BB_WAITER_H
#define BB_WAITER_H

#include <semaphore.h>
#include <stdatomic.h>

#include "bb_contacts/bb_contacts.h"

/*
 * A semaphore may be destroyed as soon as the wait for it is over, and the woken thread meets no
 * mutex that the other still holds. Calls and the answer share it: each call that is not noticed
 * yet is in `is_called`, so a wake without it is the answer's. That is right only if nobody calls
 * any more once another thread may answer.
 */
typedef struct bb_waiter {
    sem_t woken;
    atomic_int is_called;
    _Atomic(bb_result *) answer;
} bb_waiter;

/* 0, or -1 if the system has no more semaphores. */
int bb_waiter_init(bb_waiter *waiter);
void bb_waiter_destroy(bb_waiter *waiter);

/* Ends the wait. The waiter may be gone when this returns. Any thread, once. */
void bb_waiter_answer(bb_waiter *waiter, bb_result *answer);

/* Wakes it for something else. Any thread, before the answer. */
void bb_waiter_call(bb_waiter *waiter);

/* Waits for the answer, a call, or a time of bb_monotonic_us(), INT64_MAX for none; whichever comes
 * first. The answer, or NULL for the others. */
bb_result *bb_waiter_wait(bb_waiter *waiter, int64_t until_us);

#endif
