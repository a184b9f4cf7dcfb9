/*
 * server_time.h: what a PostgreSQL server on this machine has used of the processors.
 */
#ifndef BB_BENCH_SERVER_TIME_H
#define BB_BENCH_SERVER_TIME_H

#include "support/store.h"

/* The process that all of the server's belong to; ends the program if it can't be found. */
long bench_postmaster(const test_store *store);

/* Milliseconds of all its processes, those that have ended included. A load that keeps the
 * processors busy goes as fast as it uses little of them, whatever else the machine does. */
double bench_server_cpu_ms(long postmaster);

#endif
