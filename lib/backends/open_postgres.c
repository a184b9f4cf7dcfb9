/*
 * open_postgres.c: opens a storage by the module of the PostgreSQL backend.
 */
#include "backends/open_postgres.h"

int32_t bb_postgres_open(const bb_postgres_module *module, const char *conninfo,
                         size_t conninfo_len, const bb_storage_options *options,
                         const bb_postgres_options *postgres, bb_storage **out, bb_error *error)
{
    bb_storage_vtable vtable;
    bb_opening opening;
    void *store;
    int32_t code = bb_opening_begin(&opening, options, out, error);

    if (code == BB_OK)
        code =
            module->store_new(&opening, conninfo, conninfo_len, postgres, &vtable, &store, error);
    if (code != BB_OK)
        return code;
    code = bb_storage_new(&vtable, store, &opening.allocator, out, error);
    if (code != BB_OK)
        vtable.close(store);
    return code;
}
