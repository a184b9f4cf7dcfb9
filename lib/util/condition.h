/*
 * condition.h: condition variables on the clock that deadlines are of.
 */
#ifndef BB_UTIL_CONDITION_H
#define BB_UTIL_CONDITION_H

#include <pthread.h>
#include <stdint.h>

/* 0, or an error number. Destroyed with pthread_cond_destroy(). */
int bb_condition_init(pthread_cond_t *condition);

/* Waits, with the mutex held, until a deadline at most. Whether it was woken, which may have been
 * for nothing; 0 if the time had come. */
int bb_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline);

/* The same until a time of bb_monotonic_us(). */
int bb_condition_wait_us(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_us);

#endif
