/*
 * main.c: the kit as the main() of a program: its arguments, and TAP on standard output.
 */
#include <stdio.h>
#include <stdlib.h>

#include "options.h"

static void print(void *ctx, const char *text, size_t len)
{
    FILE *out = ctx;

    fwrite(text, 1, len, out);
    fflush(out);
}

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--requests FOLDER] [--threads N] [--writes N] [--seed N]"
            " [PART-OF-A-NAME]\n",
            program);
    return 0;
}

/* A number from 1 to 2^31 - 1. */
static int read_number(const char *text, uint32_t *number)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < 1 || value > INT32_MAX)
        return 0;
    *number = (uint32_t)value;
    return 1;
}

/* Takes an option and its value. */
static int read_option(bb_conformance_options *options, const char *name, const char *value)
{
    uint32_t seed;

    if (value == NULL)
        return 0;
    if (strcmp(name, "--threads") == 0)
        return read_number(value, &options->threads);
    if (strcmp(name, "--writes") == 0)
        return read_number(value, &options->writes);
    if (strcmp(name, "--seed") == 0) {
        if (!read_number(value, &seed))
            return 0;
        options->seed = seed;
        return 1;
    }
    if (strcmp(name, "--requests") != 0)
        return 0;
    options->requests = value;
    return 1;
}

static int read_arguments(bb_conformance_options *options, int argc, char **argv)
{
    int at = 1;

    while (at < argc && strncmp(argv[at], "--", 2) == 0) {
        if (!read_option(options, argv[at], at + 1 < argc ? argv[at + 1] : NULL))
            return usage(argv[0]);
        at += 2;
    }
    if (at < argc)
        options->only = argv[at++];
    return at >= argc ? 1 : usage(argv[0]);
}

int32_t bb_conformance_main(const bb_conformance_options *given, int argc, char **argv)
{
    bb_conformance_options options;
    int32_t failed;

    bb_conformance_options_init(&options);
    if (!options_read(given, &options) || !read_arguments(&options, argc, argv))
        return 2;
    options.tap = print;
    options.tap_ctx = stdout;
    failed = bb_conformance_run(&options);
    if (failed < 0)
        fprintf(stderr, "%s: no case has such a name, or the options are unusable\n", argv[0]);
    return failed < 0 ? 2 : failed > 0;
}
