/*
 * struct_size.h: reads and fills structs of callers who were built with another version of them.
 *
 * A struct that crosses the API begins with its size and only grows at its end, so its size tells
 * which members the other side knows. What it does not know is left at its default.
 */
#ifndef BB_UTIL_STRUCT_SIZE_H
#define BB_UTIL_STRUCT_SIZE_H

#include "util/struct_type.h"

/*
 * Copies what a caller asks for to `known`, which holds the defaults. Members that are unknown here
 * must be zero, since an option that is not heeded would be lost in silence: BB_ERR_ARGUMENT, also
 * for a size that is of no version; `error` names the struct. `known` is then as it was.
 */
int32_t bb_struct_read(const bb_struct_type *type, void *known, const void *given, bb_error *error);

/* The struct itself if it has all that is known here. Otherwise its members are copied to `room`,
 * which holds the defaults, and that is returned; NULL if its size is of no version. What is
 * unknown here is ignored: for what backends hand back. */
const void *bb_struct_view(const bb_struct_type *type, void *room, const void *given);

/* Copies a result to a caller's struct, as far as that goes; its size stays. 0 if its size is of no
 * version: nothing is copied then. */
int bb_struct_fill(const bb_struct_type *type, void *given, const void *result);

#endif
