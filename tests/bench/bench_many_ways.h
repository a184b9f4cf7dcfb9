/*
 * bench_many_ways.h: the ways to have many requests under way at once, beside each other.
 */
#ifndef BB_BENCH_MANY_WAYS_H
#define BB_BENCH_MANY_WAYS_H

#include "bench_many_waits.h"

/* Measures each way with 64 and with 1000 requests at once, on SQLite and on PostgreSQL, with the
 * given bench's numbers, and prints. */
void many_run_ways(const many_bench *bench);

#endif
