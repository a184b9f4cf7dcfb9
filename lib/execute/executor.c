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

/* What snprintf() has written to a buffer of this size. */
static int written(int result, size_t size)
{
    if (result < 0)
        return 0;
    return (size_t)result < size ? result : (int)size - 1;
}

void bb_executor_log(const bb_executor *executor, int32_t level, const char *what,
                     const bb_error *error, const char *request_ids)
{
    enum { MOST_TEXT = 512 };
    char line[BB_LOG_LINE_SIZE]; /* the ids are of use only whole, so the text is cut before them */
    int len;

    if (executor->log == NULL)
        return;
    len =
        written(snprintf(line, MOST_TEXT, "%s: %s: %s%s%s%s", what, executor->storage->vtable.name,
                         error->message, error->sqlstate[0] != '\0' ? " (SQLSTATE " : "",
                         error->sqlstate, error->sqlstate[0] != '\0' ? ")" : ""),
                MOST_TEXT);
    if (request_ids[0] != '\0')
        len +=
            written(snprintf(line + len, sizeof line - (size_t)len, " [request %s]", request_ids),
                    sizeof line - (size_t)len);
    for (int i = 0; i < len; i++) { /* a storage engine's message may have several lines */
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    }
    executor->log(executor->log_ctx, level, line, (size_t)len);
}
