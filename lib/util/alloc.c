/*
 * alloc.c: calls through a bb_allocator, and the default one.
 */
#include "util/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *default_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *default_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return realloc(ptr, size);
}

static void default_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

bb_allocator bb_allocator_or_default(const bb_allocator *allocator)
{
    static const bb_allocator system_allocator = {NULL, default_alloc, default_realloc,
                                                  default_free};

    return allocator != NULL ? *allocator : system_allocator;
}

int bb_allocator_is_valid(const bb_allocator *allocator)
{
    return allocator->alloc != NULL && allocator->realloc != NULL && allocator->free != NULL;
}

void *bb_alloc(const bb_allocator *allocator, size_t size)
{
    return allocator->alloc(allocator->ctx, size);
}

void *bb_zalloc(const bb_allocator *allocator, size_t size)
{
    void *ptr = bb_alloc(allocator, size);

    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void *bb_realloc(const bb_allocator *allocator, void *ptr, size_t old_size, size_t size)
{
    if (ptr == NULL)
        return bb_alloc(allocator, size);
    return allocator->realloc(allocator->ctx, ptr, old_size, size);
}

void bb_free(const bb_allocator *allocator, void *ptr)
{
    if (ptr != NULL)
        allocator->free(allocator->ctx, ptr);
}

void *bb_alloc_array(const bb_allocator *allocator, size_t count, size_t size)
{
    if (count > SIZE_MAX / size)
        return NULL;
    return bb_alloc(allocator, count * size);
}

char *bb_strndup(const bb_allocator *allocator, const char *data, size_t len)
{
    char *copy = len == SIZE_MAX ? NULL : bb_alloc(allocator, len + 1);

    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}
