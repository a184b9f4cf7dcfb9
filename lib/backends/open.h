/*
 * open.h: how every opener of a storage begins.
 */
#ifndef BB_BACKENDS_OPEN_H
#define BB_BACKENDS_OPEN_H

#include "bb_contacts/backends.h"

/* What the host says about any storage, with its defaults. */
typedef struct bb_opening {
    bb_allocator allocator;
    bb_log_fn log; /* NULL: nothing is logged */
    void *log_ctx;
} bb_opening;

/* Sets `*out` to NULL until there is a storage, and reads the options, of whatever version they
 * are. BB_ERR_ARGUMENT if `out` is NULL, or for options that cannot be used. */
int32_t bb_opening_begin(bb_opening *opening, const bb_storage_options *options, bb_storage **out,
                         bb_error *error);

#endif
