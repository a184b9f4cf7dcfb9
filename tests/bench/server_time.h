/*
 * server_time.h: the processor time of a PostgreSQL server on this machine.
 */
#ifndef BB_BENCH_SERVER_TIME_H
#define BB_BENCH_SERVER_TIME_H

#include "support/store.h"

/* The server's first process; ends the program if it can't be found. */
long bench_postmaster(const test_store *store);

/* Milliseconds of all its processes, ended ones included. A load that keeps the processors busy is
 * as fast as its use of them is small, whatever else the machine does. */
double bench_server_cpu_ms(long postmaster);

#endif
