/*
 * open_postgres.h: the PostgreSQL backend as a module, and how a storage of it is opened.
 *
 * The static library has the module in it. The shared library loads it from a library of its own
 * that lies beside it, when the first such storage is opened: libpq brings 22 libraries into a
 * process and makes its start longer, which programs that use other backends should not pay for.
 */
#ifndef BB_BACKENDS_OPEN_POSTGRES_H
#define BB_BACKENDS_OPEN_POSTGRES_H

#include "backends/open.h"
#include "bb_contacts/storage.h"

/* Changes whenever anything below does, or what it is made of: module and library are of one
 * release. */
#define BB_POSTGRES_MODULE_VERSION \
    (BB_VERSION_MAJOR * 1000000 + BB_VERSION_MINOR * 1000 + BB_VERSION_PATCH)

typedef struct bb_postgres_module {
    int32_t version; /* BB_POSTGRES_MODULE_VERSION; comes first in every version */
    int32_t reserved;
    /* Makes a store, and fills in the table for it. */
    int32_t (*store_new)(const bb_opening *opening, const char *conninfo, size_t conninfo_len,
                         const bb_postgres_options *postgres, bb_storage_vtable *vtable,
                         void **store, bb_error *error);
    /* bb_postgres_schema_sql() */
    int32_t (*schema_sql)(const bb_postgres_options *postgres, int32_t from_version, char *out,
                          size_t out_size, size_t *len, bb_error *error);
} bb_postgres_module;

/* bb_storage_open_postgres_with() by a module. */
int32_t bb_postgres_open(const bb_postgres_module *module, const char *conninfo,
                         size_t conninfo_len, const bb_storage_options *options,
                         const bb_postgres_options *postgres, bb_storage **out, bb_error *error);

#endif
