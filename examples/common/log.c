/*
 * log.c: lines on standard error.
 */
#include "log.h"

#include "command_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void log_line(void *ctx, int32_t level, const char *line, size_t len)
{
    const char *name = level == BB_LOG_ERROR ? "error" : level == BB_LOG_WARN ? "warning" : "info";

    (void)ctx;
    log_say("%s: %.*s", name, len > 1000 ? 1000 : (int)len, line);
}

void log_say(const char *format, ...)
{
    char line[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* One call, so that lines of several threads don't mix. */
    fprintf(stderr, "%s: %s\n", log_program, line);
}

int log_failure(const char *what, int32_t code, const bb_error *error)
{
    log_say("%s: %s", what, error->message[0] != '\0' ? error->message : bb_code_text(code));
    return code == BB_ERR_ARGUMENT ? EXIT_USAGE : EXIT_FAILURE;
}
