/*
 * wait.h: waiting for what is to happen, on machines of any speed.
 */
#ifndef BB_TEST_WAIT_H
#define BB_TEST_WAIT_H

#include <stdint.h>

/* How long what has to happen may take. A machine may be slow, busy with something else, or stand
 * still for seconds; whatever takes longer than this does not happen. */
enum { TEST_PATIENCE_MS = 60000 };

/* Milliseconds of a clock that nobody sets. */
int64_t test_now_ms(void);

void test_pause_ms(int64_t ms);

/* Asks again and again until it is so. 0: it was not within TEST_PATIENCE_MS. */
int test_wait_until(int (*is_so)(void *ctx), void *ctx);

#endif
