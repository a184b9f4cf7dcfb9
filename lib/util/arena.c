/*
 * arena.c: memory that is handed out piece by piece and given back all at once.
 */
#include "util/arena.h"

#include <stdalign.h>
#include <stdint.h>

enum { FIRST_CHUNK = 2048, LARGEST_CHUNK = 64 * 1024 };

struct bb_arena_chunk {
    bb_arena_chunk *before;
    size_t size; /* of the bytes after this header */
    alignas(max_align_t) char bytes[];
};

void bb_arena_init(bb_arena *arena, const bb_allocator *allocator)
{
    arena->allocator = *allocator;
    arena->chunk = NULL;
    arena->at = NULL;
    arena->end = NULL;
}

void bb_arena_free(bb_arena *arena)
{
    bb_arena_chunk *chunk = arena->chunk;

    while (chunk != NULL) {
        bb_arena_chunk *before = chunk->before;
        bb_free(&arena->allocator, chunk);
        chunk = before;
    }
    bb_arena_init(arena, &arena->allocator);
}

/* Takes a new chunk with room for `size` bytes into use. Chunks double in size up to a bound, so a
 * small request takes little memory, and a large one few chunks. */
static int add_chunk(bb_arena *arena, size_t size)
{
    size_t capacity = FIRST_CHUNK;
    bb_arena_chunk *chunk;

    if (arena->chunk != NULL)
        capacity = arena->chunk->size > LARGEST_CHUNK / 2 ? LARGEST_CHUNK : arena->chunk->size * 2;
    if (capacity < size)
        capacity = size;
    if (capacity > SIZE_MAX - sizeof *chunk)
        return 0;
    chunk = bb_alloc(&arena->allocator, sizeof *chunk + capacity);
    if (chunk == NULL)
        return 0;
    chunk->before = arena->chunk;
    chunk->size = capacity;
    arena->chunk = chunk;
    arena->at = chunk->bytes;
    arena->end = chunk->bytes + capacity;
    return 1;
}

static char *take(bb_arena *arena, size_t size, size_t padding)
{
    char *ptr;

    if (arena->at == NULL || (size_t)(arena->end - arena->at) < padding ||
        (size_t)(arena->end - arena->at) - padding < size) {
        if (!add_chunk(arena, size))
            return NULL;
        padding = 0;
    }
    ptr = arena->at + padding;
    arena->at = ptr + size;
    return ptr;
}

void *bb_arena_alloc(bb_arena *arena, size_t size)
{
    size_t past = (uintptr_t)arena->at % alignof(max_align_t);

    return take(arena, size, past == 0 ? 0 : alignof(max_align_t) - past);
}

void *bb_arena_alloc_array(bb_arena *arena, size_t count, size_t size)
{
    if (count > SIZE_MAX / size)
        return NULL;
    return bb_arena_alloc(arena, count * size);
}

char *bb_arena_alloc_bytes(bb_arena *arena, size_t size)
{
    return take(arena, size, 0);
}

void bb_arena_trim(bb_arena *arena, char *from)
{
    arena->at = from;
}
