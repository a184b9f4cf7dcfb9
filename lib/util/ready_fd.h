/*
 * ready_fd.h: a file descriptor that is readable while it is set, for event loops to watch.
 */
#ifndef BB_UTIL_READY_FD_H
#define BB_UTIL_READY_FD_H

#include <stdint.h>

/* Not locked. */
typedef struct bb_ready_fd {
    int32_t fd;       /* to watch */
    int32_t write_fd; /* the same, or a pipe's other end */
    int is_set;
} bb_ready_fd;

/* A way to open one. Returns 0 if the process or the system has no file descriptor left. Programs
 * that the process executes do not inherit it. */
typedef int (*bb_ready_fd_open_fn)(bb_ready_fd *ready);

/* An eventfd, or a pipe where the system has none. */
int bb_ready_fd_open(bb_ready_fd *ready);

/* A pipe. */
int bb_ready_fd_open_pipe(bb_ready_fd *ready);

void bb_ready_fd_close(bb_ready_fd *ready);

/* Makes it readable, or not. Neither waits, nor fails. */
void bb_ready_fd_set(bb_ready_fd *ready, int is_set);

#endif
