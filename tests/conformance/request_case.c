/*
 * request_case.c: a file of requests and responses as a case.
 */
#include "request_case.h"

#include <stdlib.h>

#include "support/request_file.h"

/* What a file's host does, done by the author's function. */
static int host_of_case(void *ctx, const char *words)
{
    const bb_case *c = ctx;

    return c->options->host(c->options->ctx, &c->store, words) == BB_OK ? 0 : 1;
}

static void run_over(bb_case *c, const json *file, request_place *place)
{
    bb_storage_vtable table = c->table;
    test_text why = {0};
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    table.close = NULL; /* the store is closed as that of every case */
    code = bb_storage_new(&table, c->store.store, NULL, &place->storage, &error);
    if (code != BB_OK) {
        case_fail_code(c, __FILE__, __LINE__, error.message, code, BB_OK);
        return;
    }
    if (!request_file_run(file, place, &why))
        case_fail_saying(c, why.len > 0 ? why.data : "no memory for the test");
    free(why.data);
    bb_storage_close(place->storage);
}

void case_request_file(bb_case *c, const json *file)
{
    request_place place = {.workers = c->options->workers,
                           .host = c->options->host != NULL ? host_of_case : NULL,
                           .host_ctx = c};
    bb_error error;

    bb_error_init(&error);
    fixture_open_bare(c);
    CHECK_GOOD(c);
    place.backend = c->vtable->name;
    place.merges = (c->vtable->flags & BB_STORAGE_MERGES) != 0;
    place.dry_runs = (c->vtable->flags & BB_STORAGE_DRY_RUNS) != 0;
    place.timeout_ms = bb_deadline_left(soon());
    if (!request_file_is_for(file, &place)) {
        case_skip(c, "for other backends");
        return;
    }
    CHECK_CODE(c, BB_OK, c->vtable->migrate(c->session, soon(), &error));
    c->vtable->session_close(c->session);
    c->session_is_open = 0;
    run_over(c, file, &place);
}
