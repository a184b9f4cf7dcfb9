/*
 * settings.h: how much a test does, from the environment.
 */
#ifndef BB_TEST_SETTINGS_H
#define BB_TEST_SETTINGS_H

#include <stdint.h>

/* The exit status of a test that was skipped, as tests/CMakeLists.txt tells ctest. */
#define TEST_SKIPPED 77

/* How often to do something that is done `full` times in an ordinary run: BB_TEST_SHARE percent of
 * it under a sanitizer, ten times as often if BB_TEST_LONG is set; at least once. */
uint32_t test_times(uint32_t full);

/* How many threads a case with several of them has: BB_TEST_THREADS, or 16. */
uint32_t test_threads(void);

/* How many workers handles have: BB_TEST_WORKERS, or none. */
uint32_t test_workers(void);

/* How many threads write beside a file of requests: BB_TEST_BESIDE, or none. */
uint32_t test_beside(void);

/* Where random choices start: BB_TEST_SEED, or 1, so that a run can be repeated. */
uint64_t test_seed(void);

#endif
