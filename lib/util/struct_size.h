/*
 * struct_size.h: reads and fills structs of callers that were built with another version of them.
 *
 * A struct that crosses the API begins with its size and only grows at its end, so its size tells
 * which members the other side knows. All others have their defaults.
 */
#ifndef BB_UTIL_STRUCT_SIZE_H
#define BB_UTIL_STRUCT_SIZE_H

#include "util/struct_type.h"

/*
 * Copies a caller's options to `known`, which holds the defaults. Members that are unknown here
 * must be zero, since such an option would be lost in silence: otherwise, and for a size that is of
 * no version, BB_ERR_ARGUMENT. `error` names the struct, and `known` is then as it was.
 */
int32_t bb_struct_read(const bb_struct_type *type, void *known, const void *given, bb_error *error);

/* For what backends hand back. Returns the struct itself if it has all members that are known here.
 * Otherwise copies its members to `room`, which holds the defaults, and returns that; NULL if its
 * size is of no version. Members that are unknown here are ignored. */
const void *bb_struct_view(const bb_struct_type *type, void *room, const void *given);

/* Copies a result to a caller's struct, as far as the caller knows it; its size stays. Returns 0,
 * and copies nothing, if the size is of no version. */
int bb_struct_fill(const bb_struct_type *type, void *given, const void *result);

#endif
