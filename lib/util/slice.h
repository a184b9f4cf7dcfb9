/*
 * slice.h: functions for bytes that someone else owns.
 */
#ifndef BB_UTIL_SLICE_H
#define BB_UTIL_SLICE_H

#include <string.h>

#include "bb_contacts/storage.h"

/* Null if `data` is NULL, whatever `len` says. */
static inline bb_slice bb_slice_of(const char *data, size_t len)
{
    bb_slice slice = {data, data != NULL ? len : 0};

    return slice;
}

/* Compares byte by byte; a prefix comes first. This is the order of keys and names everywhere.
 * Neither may be null. */
static inline int bb_slice_compare(bb_slice a, bb_slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Whether both are null or have the same bytes, which are not read if they are at the same
 * address. */
static inline int bb_slice_equal(bb_slice a, bb_slice b)
{
    if (a.data == NULL || b.data == NULL)
        return a.data == b.data;
    return a.len == b.len && (a.data == b.data || memcmp(a.data, b.data, a.len) == 0);
}

#endif
