/*
 * arena.h: memory that is handed out piece by piece and given back all at once.
 *
 * All that a request needs until it is answered lives in one arena. Addresses never move.
 */
#ifndef BB_UTIL_ARENA_H
#define BB_UTIL_ARENA_H

#include "util/alloc.h"

typedef struct bb_arena_chunk bb_arena_chunk;

typedef struct bb_arena {
    bb_allocator allocator;
    bb_arena_chunk *chunk; /* the one in use, which links to those before it */
    char *at;              /* the next free byte of the chunk */
    char *end;             /* the first byte past the chunk */
} bb_arena;

void bb_arena_init(bb_arena *arena, const bb_allocator *allocator);
void bb_arena_free(bb_arena *arena);

/* `size` bytes aligned for any type, or NULL. */
void *bb_arena_alloc(bb_arena *arena, size_t size);

/* The same for count * size bytes; NULL if that overflows. */
void *bb_arena_alloc_array(bb_arena *arena, size_t count, size_t size);

/* `size` bytes, aligned for chars only. */
char *bb_arena_alloc_bytes(bb_arena *arena, size_t size);

/* Gives back the unused part of the last bb_arena_alloc_bytes(), which begins at `from`. */
void bb_arena_trim(bb_arena *arena, char *from);

#endif
