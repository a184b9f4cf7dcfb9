/*
 * executor.h: what a handle gives to those who execute its requests: the storage and its sessions,
 * memory, counters, and the host's log.
 */
#ifndef BB_EXECUTOR_H
#define BB_EXECUTOR_H

#include "execute/session_pool.h"
#include "execute/statistics.h"
#include "execute/storage.h"

typedef struct bb_executor {
    bb_allocator allocator;
    bb_storage *storage;
    bb_log_fn log; /* NULL: nothing is logged */
    void *log_ctx;
    bb_session_pool pool;
    bb_counters counters;
} bb_executor;

/* One line to the host's log, if it has one: what failed, the storage's name, and why. */
void bb_executor_log(const bb_executor *executor, int32_t level, const char *what,
                     const bb_error *error);

#endif
