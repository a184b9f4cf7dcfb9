/*
 * executor.h: what the execution of requests needs of a handle: the storage and its sessions,
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
    size_t max_answer_bytes;
    bb_session_pool pool;
    bb_counters counters;
} bb_executor;

/* Does something on a session. Returns a code. */
typedef int32_t (*bb_session_fn)(const bb_storage_vtable *table, void *session, void *ctx,
                                 bb_error *error);

/* Waits for a session until the deadline and lends it to a function. Returns the function's code,
 * or that of bb_session_pool_take(). After BB_ERR_LOST the session is closed. */
int32_t bb_executor_with_session(bb_executor *executor, int64_t deadline, bb_session_fn work,
                                 void *ctx, bb_error *error);

/* One line to the host's log, if it has one: what failed, the storage's name, why, and the ids of
 * the requests that it is about, or "". */
void bb_executor_log(const bb_executor *executor, int32_t level, const char *what,
                     const bb_error *error, const char *request_ids);

#endif
