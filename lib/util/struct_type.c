/*
 * struct_type.c: the structs that begin with their size, and the sizes that they have had.
 */
#include "util/struct_type.h"

/* Larger sizes are taken for garbage, and nothing at those addresses is read. */
enum { LARGEST_STRUCT = 4096 };

/* sizeof in a version whose last member this was. */
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

size_t bb_struct_size(const void *given)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    return size;
}

int bb_struct_is_known(const bb_struct_type *type, const void *given)
{
    size_t size = bb_struct_size(given);

    return size >= type->first_size && size <= LARGEST_STRUCT;
}
