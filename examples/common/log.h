/*
 * log.h: lines on standard error.
 */
#ifndef BB_EXAMPLE_LOG_H
#define BB_EXAMPLE_LOG_H

#include "bb_contacts/bb_contacts.h"

/* The program's name, before every line; its main.c defines it. */
extern const char log_program[];

/* A bb_log_fn: writes the library's lines. */
void log_line(void *ctx, int32_t level, const char *line, size_t len);

/* Writes one line of the server's own. */
void log_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes what failed and why. Returns the exit status. */
int log_failure(const char *what, int32_t code, const bb_error *error);

#endif
