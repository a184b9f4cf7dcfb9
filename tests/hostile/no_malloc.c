/*
 * no_malloc.c: whole requests over a backend while malloc itself fails, for libpq as for all else
 * in the process: the n-th call fails, once or with all later ones, for every n until the request
 * succeeds (A2, A3, E11).
 *
 *     test_hostile_no_malloc BACKEND
 *
 * The program's malloc, calloc and realloc replace the C library's, which it calls by glibc's own
 * names. no_memory.c tells the library's, cJSON's and SQLite's allocations apart and finds leaks;
 * this test reaches allocations that those hooks don't.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

/* No answer waits for the deadline: a lack of memory is known at once. */
enum { MADE = 12, TIMEOUT_MS = 2 * TEST_PATIENCE_MS, MOST_MS = TEST_PATIENCE_MS };

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nmemb, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* For one thread: nothing else runs while these are not 0. */
static size_t calls;
static size_t fail_at;
static int fails_on;

static int fails(void)
{
    if (fail_at == 0)
        return 0;
    calls++;
    if (calls != fail_at && !(fails_on && calls > fail_at))
        return 0;
    errno = ENOMEM;
    return 1;
}

/* Seen by the shared libraries. */
#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t nmemb, size_t size)
{
    return fails() ? NULL : __libc_calloc(nmemb, size);
}

EXPORTED void *realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __libc_realloc(ptr, size);
}

/* ------------------------------------------------------------------------------------ the loop */

/* New contacts, all with one name; with escapes, so that cJSON has a part in it. */
static void make_body(test_text *body, const char *name)
{
    body->len = 0;
    test_append(body, "{\"users\":[");
    for (int i = 0; i < MADE; i++)
        test_append(body,
                    "%s{\"external_id\":\"%s-%d\",\"name\":\"%s\",\"custom_attributes\":"
                    "{\"\\u0061\":[1,{\"b\":\"\\n\"}]}}",
                    i > 0 ? "," : "", name, i, name);
    test_append(body, "]}");
}

/* How many contacts have this name; -1 where there is no SQL to ask by. */
static int count_named(const test_endpoint *endpoint, const char *name)
{
    const test_store *store = &endpoint->store;
    char sql[200];
    char count[24] = "";

    if (strcmp(store->backend, "memory") == 0)
        return -1;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE name = '%s'",
             strcmp(store->backend, "sqlite") == 0 ? "bb_contacts" : "bb_contacts.contacts", name);
    if (test_store_sql(store, sql, count, sizeof count) != 0)
        return -2;
    return (int)strtol(count, NULL, 10);
}

/* A handle without sessions, so that the next request opens one. */
static void reopen(test_endpoint *endpoint)
{
    bb_config config;

    bb_config_init(&config);
    config.timeout_ms = TIMEOUT_MS;
    bb_contacts_close(endpoint->contacts);
    CHECK_MSG(bb_contacts_open(endpoint->store.storage, &config, &endpoint->contacts, NULL) ==
                  BB_OK,
              "opening");
}

/* Sends a body with the n-th call failing. Returns 1 if it was never made. */
static int fail_once(const test_endpoint *endpoint, test_text *body, size_t n, int on)
{
    char name[40];
    bb_result *result;
    int64_t begin;
    int64_t took;
    int32_t status;
    int reached;
    int count;

    snprintf(name, sizeof name, "n%zu%s", n, on ? "on" : "");
    make_body(body, name);
    begin = test_now_ms();
    calls = 0;
    fails_on = on;
    fail_at = n;
    result = test_send(endpoint, body->data, body->len);
    fail_at = 0;
    reached = calls >= n;
    took = test_now_ms() - begin;
    status = bb_result_http_status(result);
    CHECK_MSG(status == 200 || (reached && (status == 500 || status == 503)), "call %zu: %d", n,
              status);
    CHECK_MSG(took < MOST_MS, "call %zu: %lld ms", n, (long long)took);
    bb_result_free(result);
    count = count_named(endpoint, name);
    CHECK_MSG(count == -1 || count == MADE || (count == 0 && status != 200),
              "A2: call %zu: %d, and %d contacts are there", n, status, count);
    return !reached;
}

/* Without failures the same handle serves 200. */
static void expect_200(const test_endpoint *endpoint, test_text *body, size_t n, int on)
{
    char name[40];
    bb_result *result;

    snprintf(name, sizeof name, "n%zu%s", n, on ? "on" : "");
    make_body(body, name);
    result = test_send(endpoint, body->data, body->len);
    CHECK_MSG(bb_result_http_status(result) == 200, "after call %zu: %.100s", n,
              bb_result_body(result, NULL));
    bb_result_free(result);
}

/* With an open session, or with one that must be opened. */
static void run(test_endpoint *endpoint, const char *backend, size_t stride, int is_new, int on)
{
    test_text body = {0};
    size_t n = 1;

    while (check_failures() < 10) {
        if (is_new)
            reopen(endpoint);
        if (fail_once(endpoint, &body, n, on))
            break;
        expect_200(endpoint, &body, n, on);
        n += stride;
    }
    CHECK_MSG(n > 20, "only %zu calls", n);
    printf("%s, %s session, %s: %zu calls of malloc\n", backend, is_new ? "a new" : "an open",
           on ? "from then on" : "once", n - 1);
    fflush(stdout);
    free(body.data);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    int is_quick = strcmp(backend, "memory") == 0;
    int is_long = test_times(100) > 100;
    test_endpoint endpoint;
    int status = test_endpoint_open(&endpoint, backend, NULL);

    if (status != 0)
        return status;
    reopen(&endpoint);
    for (int on = 0; on < 2; on++) {
        run(&endpoint, backend, is_quick || is_long ? 1 : 3, 0, on);
        run(&endpoint, backend, is_quick || is_long ? 1 : 29, 1, on);
    }
    test_endpoint_close(&endpoint);
    return check_status();
}
