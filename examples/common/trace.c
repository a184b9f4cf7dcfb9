/*
 * trace.c: what is kept of a request for its answer's headers and for the access log.
 */
#include "trace.h"

#include "http.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void trace_begin(struct trace *trace)
{
    memset(trace, 0, sizeof *trace);
    trace->began_us = now_us();
}

void trace_set_id(struct trace *trace, const char *value, size_t len)
{
    len = http_trim(&value, len);
    bb_request_id_clean(value, len, trace->id, sizeof trace->id);
    trace_ensure_id(trace);
}

/* A UUID of version 4 (RFC 9562). */
void trace_ensure_id(struct trace *trace)
{
    unsigned char random[16];
    char *to = trace->id;

    if (trace->id[0] != '\0' || getentropy(random, sizeof random) != 0)
        return;
    random[6] = (unsigned char)((random[6] & 0x0f) | 0x40);
    random[8] = (unsigned char)((random[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof random; i++)
        to += snprintf(to, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", random[i]);
}

int64_t trace_elapsed_us(const struct trace *trace)
{
    return now_us() - trace->began_us;
}
