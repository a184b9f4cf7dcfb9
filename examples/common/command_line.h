/*
 * command_line.h: what the programs' command lines have in common.
 */
#ifndef BB_EXAMPLE_COMMAND_LINE_H
#define BB_EXAMPLE_COMMAND_LINE_H

#include <stdint.h>

/* The exit status for a wrong command line; other failures are EXIT_FAILURE. */
#define EXIT_USAGE 2

/* The most that --workers can ask for (bb_config.workers), and its default: with two, one group can
 * begin while another is written. More are for stores that are far away. */
enum { MAX_WORKERS = 256, DEFAULT_WORKERS = 2 };

/* Seconds for --timeout. */
enum { MAX_TIMEOUT = 86400, DEFAULT_TIMEOUT = 10 };

/* The most that --max-answer can ask for (bb_config.max_answer_bytes). */
#define MAX_ANSWER_BYTES ((int64_t)16 << 30)

/* Values of options for getopt_long() begin here, above the characters, so that option_error()
 * tells them from letters. */
enum { FIRST_OPTION = 0x100 };

/* A decimal number of at least `min`, and nothing else; -1 if `text` is not one. */
int64_t parse_number(const char *text, int64_t min);

/* Says what is wrong with the command line. Returns the exit status. */
int usage_error(const char *message, const char *about);

/* The same for the option at which getopt_long() stopped with `result`, '?' or ':'. */
int option_error(char **argv, int result);

/* Writes a line to standard output, where callers read keys and addresses. Returns the exit status,
 * which is a failure if it could not. */
int print_line(const char *prefix, const char *text);

#endif
