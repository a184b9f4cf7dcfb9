/*
 * process.h: tells a process from its children by fork().
 *
 * A child has its parent's handles in memory, but not the threads that would answer, and it must
 * not use the connections. Locks that another thread held stay locked in it for ever.
 */
#ifndef BB_UTIL_PROCESS_H
#define BB_UTIL_PROCESS_H

#include <sys/types.h>

typedef struct bb_process {
    int *mark; /* on a page that is empty in every child; NULL: the kernel has no such pages */
    pid_t id;
} bb_process;

/* Remembers the process that calls this. Never fails. */
void bb_process_remember(bb_process *process);

/* Whether this is still that process. Any thread may ask; no system call where the kernel clears
 * the page. */
int bb_process_is_this(const bb_process *process);

/* Frees the page, in any process. */
void bb_process_forget(bb_process *process);

#endif
