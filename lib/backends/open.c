/*
 * open.c: how every opener of a storage begins.
 */
#include "backends/open.h"

#include "util/alloc.h"
#include "util/struct_size.h"

int32_t bb_opening_begin(bb_opening *opening, const bb_storage_options *options, bb_storage **out,
                         bb_error *error)
{
    bb_storage_options known;
    int32_t code = BB_OK;

    if (out == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no place for the storage");
    *out = NULL;
    bb_storage_options_init(&known);
    if (options != NULL)
        code = bb_struct_read(&bb_storage_options_type, &known, options, error);
    if (code != BB_OK)
        return code;
    *opening = (bb_opening){.allocator = bb_allocator_or_default(known.allocator),
                            .log = known.log,
                            .log_ctx = known.log_ctx};
    if (!bb_allocator_is_valid(&opening->allocator))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the allocator lacks a function");
    return BB_OK;
}
