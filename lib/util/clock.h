/*
 * clock.h: the default wall clock, and pauses; deadlines are in storage.h.
 */
#ifndef BB_UTIL_CLOCK_H
#define BB_UTIL_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970, not negative. */
int64_t bb_wall_clock_us(void);

/* How long a call may take for which its caller asked for `timeout_ms`: BB_TIMEOUT_NONE_LEFT is 0,
 * and any other number that is not positive is the default. */
int64_t bb_timeout_or(int64_t timeout_ms, int64_t default_ms);

/* Microseconds of the clock of deadlines. */
int64_t bb_monotonic_us(void);

/* Lets this thread sleep for that long; less if a signal comes. */
void bb_pause_ms(int32_t ms);

#endif
