/*
 * kit.c: runs the conformance kit over the backend: the first test that an author writes.
 */
#include <bb_contacts/conformance.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lmdb_storage.h"

/* A map so small that it must grow in many cases. */
static const lmdb_storage_options small = {.map_bytes = 1 << 20};

/* A store's folder. */
typedef struct place {
    char folder[200];
    char file[220];
} place;

static int32_t open_place(bb_conformance_store *out)
{
    place *p = out->owner;

    out->vtable = &lmdb_storage_vtable;
    return lmdb_storage_store_new(p->file, &small, &out->store, NULL);
}

static int32_t open_store(void *ctx, bb_conformance_store *out)
{
    const char *parent = getenv("TMPDIR");
    place *p = calloc(1, sizeof *p);
    int32_t code;

    (void)ctx;
    if (p == NULL)
        return BB_ERR_NOMEM;
    snprintf(p->folder, sizeof p->folder, "%s/lmdb.XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(p->folder) == NULL) {
        free(p);
        return BB_ERR_INTERNAL;
    }
    snprintf(p->file, sizeof p->file, "%s/contacts", p->folder);
    out->owner = p;
    code = open_place(out);
    if (code != BB_OK) {
        rmdir(p->folder);
        free(p);
    }
    return code;
}

static int32_t reopen_store(void *ctx, bb_conformance_store *store)
{
    (void)ctx;
    lmdb_storage_vtable.close(store->store);
    store->store = NULL;
    return open_place(store);
}

static void close_store(void *ctx, bb_conformance_store *store)
{
    static const char *const suffixes[] = {"", "-lock", "-writer"};
    place *p = store->owner;
    char name[240];

    (void)ctx;
    if (store->store != NULL)
        lmdb_storage_vtable.close(store->store);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", p->file, suffixes[i]);
        unlink(name);
    }
    rmdir(p->folder);
    free(p);
}

int main(int argc, char **argv)
{
    bb_conformance_options options;

    bb_conformance_options_init(&options);
    options.open = open_store;
    options.reopen = reopen_store;
    options.close = close_store;
    return bb_conformance_main(&options, argc, argv);
}
