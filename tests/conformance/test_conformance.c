/*
 * test_conformance.c: runs the conformance suite over one of the library's own backends.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bb_contacts/conformance.h"
#include "execute/storage.h"
#include "support/settings.h"
#include "support/store.h"

typedef struct run {
    const char *backend;
    unsigned cases;
} run;

static void lend(const test_store *store, bb_conformance_store *out)
{
    out->vtable = &store->storage->vtable;
    out->store = store->storage->store;
}

static int32_t open_store(void *ctx, bb_conformance_store *out)
{
    const run *r = ctx;
    test_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return BB_ERR_NOMEM;
    if (test_store_open(store, r->backend) != 0) {
        free(store);
        return BB_ERR_UNAVAILABLE;
    }
    out->owner = store;
    lend(store, out);
    return BB_OK;
}

static int32_t reopen_store(void *ctx, bb_conformance_store *out)
{
    test_store *store = out->owner;

    (void)ctx;
    if (test_store_reopen(store) != 0)
        return BB_ERR_UNAVAILABLE;
    lend(store, out);
    return BB_OK;
}

static void close_store(void *ctx, bb_conformance_store *store)
{
    (void)ctx;
    test_store_close(store->owner);
    free(store->owner);
}

static void report(void *ctx, const char *name, int32_t outcome, const char *detail)
{
    static const char *const words[] = {"ok     ", "FAILED ", "skipped"};
    run *r = ctx;

    r->cases++;
    printf("%s %s%s%s\n", words[outcome], name, *detail != '\0' ? ": " : "", detail);
    fflush(stdout);
}

/* Whether there is something to run on. */
static int try_store(const char *backend)
{
    test_store store;
    int status = test_store_open(&store, backend);

    if (status == 0)
        test_store_close(&store);
    return status;
}

/* Where a backend differs by design; its own comments say why. */
static uint32_t differences_of(const char *backend)
{
    if (strcmp(backend, "memory") == 0)
        return BB_CONFORMANCE_NO_LOCK_WAIT;
    if (strcmp(backend, "postgres") == 0)
        return BB_CONFORMANCE_PUT_AFTER_COMMIT; /* COMMIT travels in the same round trip */
    return 0;
}

int main(int argc, char **argv)
{
    run r = {.backend = argc > 1 ? argv[1] : "memory"};
    bb_conformance_options options;
    int status = try_store(r.backend);
    int32_t failures;

    if (status != 0)
        return status;
    bb_conformance_options_init(&options);
    options.ctx = &r;
    options.open = open_store;
    options.reopen = strcmp(r.backend, "memory") == 0 ? NULL : reopen_store;
    options.close = close_store;
    options.report = report;
    options.threads = test_threads();
    options.writes = test_times(200);
    options.seed = test_seed();
    options.only = argc > 2 ? argv[2] : NULL;
    options.differences = differences_of(r.backend);
    failures = bb_conformance_run(&options);
    printf("%s: %u cases, %d failed\n", r.backend, r.cases, (int)failures);
    return failures == 0 && r.cases > 0 ? 0 : 1;
}
