/*
 * process.h: programs that a test runs beside it.
 */
#ifndef BB_TEST_PROCESS_H
#define BB_TEST_PROCESS_H

#include <sys/types.h>

/* Starts a program with this NULL-terminated list of arguments, the program first; -1 if it can't
 * be started. */
pid_t process_start(const char *const *arguments);

/* Waits for it; 0 if it exited with 0. */
int process_wait(pid_t process);

#endif
