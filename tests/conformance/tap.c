/*
 * tap.c: the results as text in the Test Anything Protocol, version 13.
 */
#include "tap.h"

#include <stdio.h>

enum { LINE_SIZE = 2048 };

/* One line, without its newline. */
typedef struct line {
    char text[LINE_SIZE];
    size_t len;
} line;

/* What does not fit is left out. In a line `#` begins a directive, and a newline ends it. */
static void add(line *to, const char *text, int is_escaped)
{
    for (; *text != '\0' && to->len + 3 < LINE_SIZE; text++) {
        if (is_escaped && (*text == '#' || *text == '\\'))
            to->text[to->len++] = '\\';
        to->text[to->len++] = *text == '\n' || *text == '\r' ? ' ' : *text;
    }
}

static void send(const bb_conformance_options *options, line *out)
{
    out->text[out->len++] = '\n';
    options->tap(options->tap_ctx, out->text, out->len);
}

void tap_begin(const bb_conformance_options *options)
{
    line out = {.len = 0};

    if (options->tap == NULL)
        return;
    add(&out, "TAP version 13", 0);
    send(options, &out);
}

void tap_result(const bb_conformance_options *options, uint32_t number, const char *name,
                int32_t outcome, const char *detail)
{
    line out = {.len = 0};
    line why = {.len = 0};
    char start[40];

    if (options->tap == NULL)
        return;
    snprintf(start, sizeof start, "%s %u - ", outcome == BB_CONFORMANCE_FAILED ? "not ok" : "ok",
             (unsigned)number);
    add(&out, start, 0);
    add(&out, name, 1);
    if (outcome == BB_CONFORMANCE_SKIPPED) {
        add(&out, " # SKIP ", 0);
        add(&out, detail, 1);
    }
    send(options, &out);
    if (outcome != BB_CONFORMANCE_FAILED)
        return;
    add(&why, "# ", 0);
    add(&why, detail, 0);
    send(options, &why);
}

void tap_end(const bb_conformance_options *options, uint32_t count)
{
    line out = {.len = 0};
    char plan[24];

    if (options->tap == NULL)
        return;
    snprintf(plan, sizeof plan, "1..%u", (unsigned)count);
    add(&out, plan, 0);
    send(options, &out);
}
