/*
 * shared_memory.h: the unit tests' allocator, for several threads.
 */
#ifndef BB_TESTS_SHARED_MEMORY_H
#define BB_TESTS_SHARED_MEMORY_H

#include <pthread.h>

#include "unit.h"

typedef struct shared_memory {
    unit_memory memory;
    bb_allocator allocator;
    pthread_mutex_t mutex;
} shared_memory;

static inline void *shared_alloc(void *ctx, size_t size)
{
    shared_memory *shared = ctx;
    void *ptr;

    pthread_mutex_lock(&shared->mutex);
    ptr = unit_alloc(&shared->memory, size);
    pthread_mutex_unlock(&shared->mutex);
    return ptr;
}

static inline void *shared_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    shared_memory *shared = ctx;
    void *ptr;

    pthread_mutex_lock(&shared->mutex);
    ptr = unit_realloc(&shared->memory, old, old_size, size);
    pthread_mutex_unlock(&shared->mutex);
    return ptr;
}

static inline void shared_free(void *ctx, void *ptr)
{
    shared_memory *shared = ctx;

    pthread_mutex_lock(&shared->mutex);
    unit_free(&shared->memory, ptr);
    pthread_mutex_unlock(&shared->mutex);
}

static inline void shared_fail(shared_memory *shared, size_t n, int after)
{
    pthread_mutex_lock(&shared->mutex);
    unit_memory_fail(&shared->memory, n, after);
    pthread_mutex_unlock(&shared->mutex);
}

static inline size_t shared_calls(shared_memory *shared)
{
    size_t calls;

    pthread_mutex_lock(&shared->mutex);
    calls = shared->memory.calls;
    pthread_mutex_unlock(&shared->mutex);
    return calls;
}

static inline void shared_init(shared_memory *shared)
{
    unit_memory_init(&shared->memory);
    shared->allocator = (bb_allocator){shared, shared_alloc, shared_realloc, shared_free};
    if (pthread_mutex_init(&shared->mutex, NULL) != 0)
        abort();
}

/* Checks that all has been given back. */
static inline void shared_destroy(shared_memory *shared)
{
    unit_memory_check(&shared->memory);
    pthread_mutex_destroy(&shared->mutex);
}

#endif
