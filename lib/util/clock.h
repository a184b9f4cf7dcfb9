/*
 * clock.h: the default wall clock, and pauses; deadlines are in storage.h.
 */
#ifndef BB_UTIL_CLOCK_H
#define BB_UTIL_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970, not negative. */
int64_t bb_wall_clock_us(void);

/* Microseconds of the clock of deadlines. */
int64_t bb_monotonic_us(void);

/* Lets this thread sleep for that long; less if a signal comes. */
void bb_pause_ms(int32_t ms);

#endif
