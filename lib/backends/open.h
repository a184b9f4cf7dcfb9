/*
 * open.h: how every opener of a storage begins.
 */
#ifndef BB_BACKENDS_OPEN_H
#define BB_BACKENDS_OPEN_H

#include "bb_contacts/backends.h"

/* The options of any storage, with their defaults. */
typedef struct bb_opening {
    bb_allocator allocator;
    bb_log_fn log; /* NULL: nothing is logged */
    void *log_ctx;
} bb_opening;

/* Sets `*out` to NULL, and reads options of any version. BB_ERR_ARGUMENT if `out` is NULL, or for
 * options that cannot be used. */
int32_t bb_opening_begin(bb_opening *opening, const bb_storage_options *options, bb_storage **out,
                         bb_error *error);

#endif
