/*
 * heap.c: the heap that a request takes at its peak, the answer included, by the size and shape of
 * its body (C7). Prints the table of tests/bench/README.md, and fails if a shape takes more than
 * its bound.
 *
 *     test_hostile_heap [BYTES...]
 *
 * It counts what the library takes through the handle's allocator, and what cJSON takes from malloc
 * for it. The body itself is the host's, and what a storage keeps is the storage's.
 */
#include <cjson/cJSON.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "hostile/shapes.h"
#include "support/settings.h"

/* Bytes in use, and the most that ever were. For one thread. */
static size_t live;
static size_t peak;

typedef union block {
    size_t size;
    max_align_t alignment;
} block;

static void *count_alloc(void *ctx, size_t size)
{
    block *made = malloc(sizeof *made + size);

    (void)ctx;
    if (made == NULL)
        return NULL;
    made->size = size;
    live += size;
    if (live > peak)
        peak = live;
    return made + 1;
}

static void count_free(void *ctx, void *ptr)
{
    block *made;

    (void)ctx;
    if (ptr == NULL)
        return;
    made = (block *)ptr - 1;
    live -= made->size;
    free(made);
}

/* Counts as the worst realloc would: both blocks at once. */
static void *count_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    void *moved = count_alloc(ctx, size);

    if (moved == NULL)
        return NULL;
    memcpy(moved, ptr, old_size < size ? old_size : size);
    count_free(ctx, ptr);
    return moved;
}

static void *cjson_alloc(size_t size)
{
    return count_alloc(NULL, size);
}

static void cjson_free(void *ptr)
{
    count_free(NULL, ptr);
}

static const bb_allocator counting = {NULL, count_alloc, count_realloc, count_free};

/* Measures two requests with the same body: the first creates, the second compares. */
static int measure(const shape *s, size_t size, double *times, double *again)
{
    test_endpoint endpoint;
    test_text body = {0};
    bb_config config;
    int status;

    bb_config_init(&config);
    config.allocator = &counting;
    config.timeout_ms = 600000;
    status = test_endpoint_open(&endpoint, "memory", &config);
    if (status != 0)
        return status;
    shape_make(s, &body, size);
    for (int i = 0; i < 2; i++) {
        size_t before = live;
        bb_result *result;
        peak = live;
        result = test_send(&endpoint, body.data, body.len);
        *(i == 0 ? times : again) = (double)(peak - before) / (double)body.len;
        if (bb_result_http_status(result) != s->http_status)
            status = 1;
        bb_result_free(result);
        if (live != before)
            status = 1;
    }
    free(body.data);
    test_endpoint_close(&endpoint);
    if (status != 0)
        fprintf(stderr, "%s: another answer, or a leak\n", s->name);
    return status;
}

static int run_shape(const shape *s, const size_t *sizes, size_t count)
{
    int failed = 0;

    printf("| %s |", s->name);
    for (size_t i = 0; i < count; i++) {
        double times;
        double again;
        if (measure(s, sizes[i], &times, &again) != 0)
            return 1;
        if (again > times)
            times = again;
        printf(" %.1f |", times);
        if (times > s->most_heap) {
            fprintf(stderr, "C7: %s: %.1f times its body, not %.1f\n", s->name, times,
                    s->most_heap);
            failed = 1;
        }
    }
    printf("\n");
    return failed;
}

int main(int argc, char **argv)
{
    /* the last, for long runs, is as near to the limit as shapes that overshoot allow */
    size_t sizes[8] = {1 << 16, 1 << 20, (1 << 24) - 8192};
    size_t count = test_times(100) > 100 ? 3 : 2;
    cJSON_Hooks hooks = {cjson_alloc, cjson_free};
    int failed = 0;

    cJSON_InitHooks(&hooks);
    if (argc > 1 && argc <= 9) {
        for (count = 0; count < (size_t)argc - 1; count++)
            sizes[count] = strtoul(argv[count + 1], NULL, 10);
    }
    printf("| Body |");
    for (size_t i = 0; i < count; i++)
        printf(" %zu KiB |", (sizes[i] + 8192) / 65536 * 64);
    printf("\n|---|");
    for (size_t i = 0; i < count; i++)
        printf("---:|");
    printf("\n");
    for (size_t i = 0; i < shape_count; i++)
        failed |= run_shape(&shapes[i], sizes, count);
    return failed;
}
