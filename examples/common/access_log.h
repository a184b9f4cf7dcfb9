/*
 * access_log.h: one line of JSON for each request (--access-log).
 *
 *     {"time":"2026-01-31T12:00:00.123Z","id":"...","status":200,"entries":2,"created":1,
 *      "updated":0,"unchanged":1,"bytes":451,"ms":1.204}
 *
 * (on one line). `time` is when the answer was ready, `bytes` the length of its body, `ms` the time
 * since the request's first byte was read. Writing a line never waits for who reads the log: while
 * a pipe is full, lines are left out, and before the next one {"time":"...","dropped":N} says how
 * many.
 */
#ifndef BB_EXAMPLE_ACCESS_LOG_H
#define BB_EXAMPLE_ACCESS_LOG_H

#include "reply.h"

/* Opens a file for appending, or standard output for "-"; NULL: there is no log. Says what went
 * wrong, and returns the program's exit status. */
int access_log_open(const char *path);

/* One line about a request and its answer. Any thread. */
void access_log_write(const struct reply *reply);

#endif
