/*
 * test_requests.c: runs the request files over one backend, through the public API.
 *
 *     test_requests BACKEND FOLDER [PART-OF-A-FILE-NAME]
 *
 * With BB_TEST_BESIDE in the environment, as many threads write to another chatbot meanwhile, so
 * that the files' requests share transactions with theirs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/beside.h"
#include "support/check.h"
#include "support/request_file.h"
#include "support/settings.h"
#include "support/store.h"
#include "support/wait.h"
#include "support/way.h"

static int host_of_store(void *ctx, const char *words)
{
    return test_store_sql(ctx, words, NULL, 0);
}

/* Those who write beside a file. */
typedef struct others {
    bb_storage *storage;
    beside *threads;
} others;

static int begin_others(void *ctx, bb_contacts *contacts)
{
    others *o = ctx;

    o->threads = beside_start(o->storage, contacts, test_beside());
    return CHECK(o->threads != NULL);
}

static void end_others(void *ctx)
{
    beside_stop(((others *)ctx)->threads);
}

/* Runs one file on a fresh store. 0, 1 or TEST_SKIPPED. */
static int run_file(const json *file, request_place place, test_text *why)
{
    others writers = {0};
    test_store store;
    int status = test_store_open_migrated(&store, place.backend);

    if (status != 0)
        return status;
    place.storage = store.storage;
    place.host_ctx = &store;
    writers.storage = store.storage;
    if (test_beside() > 0) {
        place.begin = begin_others;
        place.end = end_others;
        place.begin_ctx = &writers;
    }
    status = request_file_run(file, &place, why) ? 0 : 1;
    test_store_close(&store);
    return status;
}

/* Runs the file of this name and prints its line. */
static int run_named(const char *folder, const char *name, const char *backend)
{
    const request_place place = {.backend = backend,
                                 .merges = 1,
                                 .dry_runs = 1,
                                 .workers = test_workers(),
                                 .timeout_ms = TEST_PATIENCE_MS,
                                 .host = host_of_store,
                                 .upsert = test_upsert,
                                 .authorize = test_authorize};
    size_t error_at;
    json *file = request_file_read(folder, name, &error_at);
    test_text why = {0};
    int status = 1;

    if (file == NULL) {
        printf("FAILED  %s: cannot be read, at byte %zu\n", name, error_at);
    } else if (!request_file_is_for(file, &place)) {
        printf("not for %s: %s\n", backend, name);
        status = 0;
    } else {
        status = run_file(file, place, &why);
        if (status == 1 && why.len > 0)
            fprintf(stderr, "%s\n", why.data);
        if (status != TEST_SKIPPED)
            printf("%s %s: %s\n", status == 0 ? "ok     " : "FAILED ", name,
                   json_text(file, "title", ""));
    }
    fflush(stdout);
    json_free(file);
    free(why.data);
    return status;
}

int main(int argc, char **argv)
{
    char **names;
    size_t count, failed = 0;
    int status = 0;

    if (argc < 3) {
        fputs("usage: test_requests BACKEND FOLDER [PART-OF-A-FILE-NAME]\n", stderr);
        return 2;
    }
    names = request_file_names(argv[2], argc > 3 ? argv[3] : "", &count);
    for (size_t i = 0; i < count; i++) {
        if (status != TEST_SKIPPED)
            status = run_named(argv[2], names[i], argv[1]);
        failed += status == 1;
        free(names[i]);
    }
    free(names);
    if (status == TEST_SKIPPED)
        return status;
    printf("%s: %zu files, %zu failed\n", argv[1], count, failed);
    return failed == 0 && count > 0 ? 0 : 1;
}
