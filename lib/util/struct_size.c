/*
 * struct_size.c: reads and fills structs of callers that were built with another version of them.
 */
#include "util/struct_size.h"

/* All but the size, which each side keeps. */
static void copy_members(void *to, const void *from, size_t size)
{
    memcpy((char *)to + sizeof size, (const char *)from + sizeof size, size - sizeof size);
}

static int is_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0)
            return 0;
    }
    return 1;
}

int32_t bb_struct_read(const bb_struct_type *type, void *known, const void *given, bb_error *error)
{
    size_t size = bb_struct_size(given);

    if (!bb_struct_is_known(type, given))
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "%s: its size is of no version; %s_init() sets it", type->name,
                            type->name);
    if (size > type->size) {
        if (!is_zero((const unsigned char *)given + type->size, size - type->size))
            return bb_error_set(error, BB_ERR_ARGUMENT,
                                "%s: it sets a member that version %s of the library does not know",
                                type->name, bb_version());
        size = type->size;
    }
    copy_members(known, given, size);
    return BB_OK;
}

const void *bb_struct_view(const bb_struct_type *type, void *room, const void *given)
{
    size_t size = bb_struct_size(given);

    if (!bb_struct_is_known(type, given))
        return NULL;
    if (size >= type->size)
        return given;
    copy_members(room, given, size);
    return room;
}

int bb_struct_fill(const bb_struct_type *type, void *given, const void *result)
{
    size_t size = bb_struct_size(given);

    if (!bb_struct_is_known(type, given))
        return 0;
    copy_members(given, result, size < type->size ? size : type->size);
    return 1;
}

void bb_struct_init(void *given, size_t size)
{
    if (given == NULL || size < sizeof size)
        return;
    memset(given, 0, size);
    memcpy(given, &size, sizeof size);
}
