/*
 * command_line.c: what the programs' command lines have in common.
 */
#include "command_line.h"

#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t parse_number(const char *text, int64_t min)
{
    size_t len = strlen(text);
    long long value;

    if (len == 0 || strspn(text, "0123456789") != len)
        return -1;
    errno = 0;
    value = strtoll(text, NULL, 10);
    return errno != 0 || value < min ? -1 : value;
}

int usage_error(const char *message, const char *about)
{
    log_say("%s%s%s (see --help)", about, about[0] == '\0' ? "" : ": ", message);
    return EXIT_USAGE;
}

int option_error(char **argv, int result)
{
    char name[64];

    if (optopt > 0 && optopt < FIRST_OPTION) /* an option of one letter, perhaps one of several in
                                                an argument */
        snprintf(name, sizeof name, "-%c", optopt);
    else /* without its value, which may be a secret */
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
    return usage_error(result == ':'            ? "needs a value"
                       : optopt >= FIRST_OPTION ? "takes no value"
                                                : "no such option",
                       name);
}

int print_line(const char *prefix, const char *text)
{
    printf("%s%s\n", prefix, text);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    log_say("could not write to standard output");
    return EXIT_FAILURE;
}
