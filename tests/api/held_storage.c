/*
 * held_storage.c: a storage whose writes wait until a test lets them go on to another one.
 */
#include "api/held_storage.h"

#include "execute/storage.h"

/* Sessions are the other storage's own, so there is no other place for these. */
static const bb_storage_vtable *behind;
static held_fn wait_before;
static void *wait_ctx;

static int32_t held_write(void *session, const bb_write *write, bb_error *error)
{
    wait_before(wait_ctx, 1);
    return behind->write(session, write, error);
}

static int32_t held_write_group(void *session, const bb_write_group *group, bb_error *error)
{
    wait_before(wait_ctx, group->write_count);
    return behind->write_group(session, group, error);
}

static void leave_open(void *store)
{
    (void)store; /* it is the other storage's */
}

bb_storage *held_storage_open(const bb_storage *storage, held_fn wait, void *ctx)
{
    bb_storage_vtable table = storage->vtable;
    bb_storage *held = NULL;

    behind = &storage->vtable;
    wait_before = wait;
    wait_ctx = ctx;
    table.write = held_write;
    table.write_group = held_write_group;
    table.close = leave_open;
    return bb_storage_new(&table, storage->store, NULL, &held, NULL) == BB_OK ? held : NULL;
}
