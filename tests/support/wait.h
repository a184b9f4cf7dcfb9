/*
 * wait.h: waits for events, on machines of any speed.
 */
#ifndef BB_TEST_WAIT_H
#define BB_TEST_WAIT_H

#include <stdint.h>

/* How long an expected event may take. A machine may be slow, busy with something else, or stand
 * still for seconds; an event that takes longer than this does not happen. */
enum { TEST_PATIENCE_MS = 60000 };

/* Milliseconds of a clock that nobody sets. */
int64_t test_now_ms(void);

void test_pause_ms(int64_t ms);

/* Asks again and again until the answer is yes. Returns 0 if it was not within TEST_PATIENCE_MS. */
int test_wait_until(int (*is_so)(void *ctx), void *ctx);

#endif
