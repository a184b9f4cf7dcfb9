/*
 * executor.c: lends the sessions of a handle, and writes to its log.
 */
#include "execute/executor.h"

#include <stdio.h>

int32_t bb_executor_with_session(bb_executor *executor, int64_t deadline, bb_session_fn work,
                                 void *ctx, bb_error *error)
{
    void *session = NULL;
    int32_t code = bb_session_pool_take(&executor->pool, deadline, &session, error);

    if (code != BB_OK)
        return code;
    code = work(&executor->storage->vtable, session, ctx, error);
    bb_session_pool_give(&executor->pool, session, code == BB_ERR_LOST);
    return code;
}

void bb_executor_log(const bb_executor *executor, int32_t level, const char *what,
                     const bb_error *error)
{
    char line[BB_LOG_LINE_SIZE];
    int len;

    if (executor->log == NULL)
        return;
    len = snprintf(line, sizeof line, "%s: %s: %s%s%s%s", what, executor->storage->vtable.name,
                   error->message, error->sqlstate[0] != '\0' ? " (SQLSTATE " : "", error->sqlstate,
                   error->sqlstate[0] != '\0' ? ")" : "");
    if (len < 0)
        return;
    if ((size_t)len >= sizeof line)
        len = sizeof line - 1;
    for (int i = 0; i < len; i++) { /* a storage engine's message may have several lines */
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    }
    executor->log(executor->log_ctx, level, line, (size_t)len);
}
