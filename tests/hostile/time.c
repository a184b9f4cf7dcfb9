/*
 * time.c: what a request costs in processor time, by the shape of its body: no shape may cost much
 * more than its bytes (C7 for time).
 *
 *     test_hostile_time BACKEND [BYTES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hostile/shapes.h"
#include "support/settings.h"

/* A body of any shape may take this many times as long as an ordinary one of its size, plus a fixed
 * time, for work that does not depend on the size. */
enum { MOST_TIMES_ORDINARY = 30, MOST_MORE_MS = 100, TRIES = 5 };

static double cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The time of a first request, which creates, and of a second one. */
static int measure(const char *backend, const shape *s, size_t size, double ms[2])
{
    test_endpoint endpoint;
    test_text body = {0};
    bb_config config;
    int status;

    bb_config_init(&config);
    config.timeout_ms = 600000;
    config.max_body_bytes = 1 << 30;
    status = test_endpoint_open(&endpoint, backend, &config);
    if (status != 0)
        return status;
    shape_make(s, &body, size);
    for (int i = 0; i < 2; i++) {
        double start = cpu_ms();
        bb_result *result = test_send(&endpoint, body.data, body.len);
        ms[i] = cpu_ms() - start;
        if (bb_result_http_status(result) != s->http_status) {
            fprintf(stderr, "%s: %d, %.200s\n", s->name, bb_result_http_status(result),
                    bb_result_body(result, NULL));
            status = 1;
        }
        bb_result_free(result);
    }
    free(body.data);
    test_endpoint_close(&endpoint);
    return status;
}

/* Measures a shape until it takes no longer than `limit`, at most a few times: other programs on
 * the machine only make it take longer. */
static int measure_least(const char *backend, const shape *s, size_t size, double limit,
                         double *least)
{
    double ms[2] = {0, 0};
    int status = 0;

    *least = limit + 1;
    for (int i = 0; i < TRIES && status == 0 && *least > limit; i++) {
        double most;
        status = measure(backend, s, size, ms);
        most = ms[0] > ms[1] ? ms[0] : ms[1];
        if (i == 0 || most < *least)
            *least = most;
    }
    printf("%-28s first %8.1f ms, again %8.1f ms\n", s->name, ms[0], ms[1]);
    fflush(stdout);
    return status;
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : (size_t)test_times(100) * 40000;
    double limit = 1e9;
    int failed = 0;

    for (size_t i = 0; i < shape_count; i++) {
        double least;
        int status = measure_least(backend, &shapes[i], size, limit, &least);
        if (status != 0)
            return status;
        if (i == 0)
            limit = least * MOST_TIMES_ORDINARY + MOST_MORE_MS;
        if (least > limit) {
            fprintf(stderr, "C7: %s takes too long\n", shapes[i].name);
            failed = 1;
        }
    }
    return failed;
}
