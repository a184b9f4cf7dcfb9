/*
 * executor.c: the log of those who execute requests.
 */
#include "execute/executor.h"

#include <stdio.h>

void bb_executor_log(const bb_executor *executor, int32_t level, const char *what,
                     const bb_error *error)
{
    char line[512];
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
    for (int i = 0; i < len; i++) { /* an engine's message may have several lines */
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    }
    executor->log(executor->log_ctx, level, line, (size_t)len);
}
