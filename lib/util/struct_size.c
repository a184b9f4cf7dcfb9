/*
 * struct_size.c: reads and fills structs of callers who were built with another version of them.
 */
#include "util/struct_size.h"

/* Larger ones are taken for garbage, and what they claim to hold is not looked at. */
enum { LARGEST_STRUCT = 4096 };

/* What sizeof said in a version whose last member this was. */
#define SIZE_WITH(type, last) \
    ((BB_END_OF(type, last) + _Alignof(type) - 1) / _Alignof(type) * _Alignof(type))

#if UINTPTR_MAX == UINT64_MAX
#define XX(type, last, bytes) \
    _Static_assert(SIZE_WITH(type, last) == (bytes), #type " has changed before its end");
BB_FIRST_RELEASE_MAP(XX)
#undef XX
#endif

#define XX(type, last, bytes)                                                                     \
    _Static_assert(offsetof(type, size) == 0 && sizeof(type) <= LARGEST_STRUCT, #type "'s size"); \
    const bb_struct_type type##_type = {#type, SIZE_WITH(type, last), sizeof(type)};
BB_FIRST_RELEASE_MAP(XX)
#undef XX

static size_t size_of(const void *given)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    return size;
}

static int is_known(const bb_struct_type *type, size_t size)
{
    return size >= type->first_size && size <= LARGEST_STRUCT;
}

int bb_struct_is_known(const bb_struct_type *type, const void *given)
{
    return is_known(type, size_of(given));
}

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
    size_t size = size_of(given);

    if (!is_known(type, size))
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
    size_t size = size_of(given);

    if (!is_known(type, size))
        return NULL;
    if (size >= type->size)
        return given;
    copy_members(room, given, size);
    return room;
}

int bb_struct_fill(const bb_struct_type *type, void *given, const void *result)
{
    size_t size = size_of(given);

    if (!is_known(type, size))
        return 0;
    copy_members(given, result, size < type->size ? size : type->size);
    return 1;
}
