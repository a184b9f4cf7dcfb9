/*
 * load_postgres.c: the openers of the PostgreSQL backend where it is in a library of its own.
 */
#include <dlfcn.h>

#include "backends/open_postgres.h"

/* The module, which stays loaded, as storages hold functions of it. NULL if it can't be loaded.
 * Each call asks the loader, which remembers it; so nothing is kept here. */
static const bb_postgres_module *find_module(bb_error *error)
{
    void *library = dlopen(BB_POSTGRES_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const bb_postgres_module *module;

    if (library == NULL) {
        bb_error_set(error, BB_ERR_UNSUPPORTED, "the PostgreSQL backend cannot be loaded: %s",
                     dlerror()); // NOLINT(concurrency-mt-unsafe): of this thread alone
        return NULL;
    }
    module = dlsym(library, "bb_contacts_postgres");
    dlclose(library);
    if (module == NULL || module->version != BB_POSTGRES_MODULE_VERSION) {
        bb_error_set(error, BB_ERR_UNSUPPORTED, "%s is not of this library's version",
                     BB_POSTGRES_LIBRARY);
        return NULL;
    }
    return module;
}

int32_t bb_storage_open_postgres_with(const char *conninfo, size_t conninfo_len,
                                      const bb_storage_options *options,
                                      const bb_postgres_options *postgres, bb_storage **out,
                                      bb_error *error)
{
    const bb_postgres_module *module = find_module(error);

    if (module == NULL) {
        if (out != NULL)
            *out = NULL;
        return BB_ERR_UNSUPPORTED;
    }
    return bb_postgres_open(module, conninfo, conninfo_len, options, postgres, out, error);
}

int32_t bb_storage_open_postgres(const char *conninfo, size_t conninfo_len,
                                 const bb_storage_options *options, bb_storage **out,
                                 bb_error *error)
{
    return bb_storage_open_postgres_with(conninfo, conninfo_len, options, NULL, out, error);
}

int32_t bb_postgres_schema_sql(const bb_postgres_options *postgres, int32_t from_version, char *out,
                               size_t out_size, size_t *len, bb_error *error)
{
    const bb_postgres_module *module = find_module(error);

    if (module == NULL)
        return BB_ERR_UNSUPPORTED;
    return module->schema_sql(postgres, from_version, out, out_size, len, error);
}
