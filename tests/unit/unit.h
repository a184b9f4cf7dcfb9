/*
 * unit.h: what the unit tests share: cmocka, slices, tight copies, and an allocator that counts and
 * fails.
 */
#ifndef BB_TESTS_UNIT_H
#define BB_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bb_contacts/storage.h"
#include "support/random.h"
#include "support/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* A slice of a literal, which may hold NUL. */
#define LITERAL(text) ((bb_slice){(text), sizeof(text) - 1})
/* The same as an initializer of a static table. */
#define ROW(text)                \
    {                            \
        (text), sizeof(text) - 1 \
    }

static inline bb_slice slice_of(const char *text)
{
    bb_slice slice = {text, text != NULL ? strlen(text) : 0};

    return slice;
}

static inline int slice_is(bb_slice slice, const char *text)
{
    if (text == NULL || slice.data == NULL)
        return text == NULL && slice.data == NULL;
    return slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}

#define assert_slice(slice, text)                                                         \
    do {                                                                                  \
        bb_slice slice_ = (slice);                                                        \
        if (!slice_is(slice_, (text)))                                                    \
            fail_msg("is \"%.*s\"", (int)slice_.len, slice_.data ? slice_.data : "null"); \
    } while (0)

static inline void *must_alloc(size_t size)
{
    void *ptr = malloc(size > 0 ? size : 1);

    if (ptr == NULL)
        abort();
    return ptr;
}

/* A copy that ends where its block ends, so that ASan and valgrind see reads past it. Freed with
 * free_tight(). */
static inline bb_slice tight(bb_slice from)
{
    char *copy = must_alloc(from.len);
    bb_slice slice = {copy, from.len};

    if (from.len > 0)
        memcpy(copy, from.data, from.len);
    return slice;
}

static inline void free_tight(bb_slice slice)
{
    union {
        const char *lent;
        char *own;
    } copy = {slice.data};

    free(copy.own);
}

/* `text`, repeated. Freed with free(). */
static inline char *repeat(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *all = must_alloc(len * times + 1);

    for (size_t i = 0; i < times; i++)
        memcpy(all + i * len, text, len);
    all[len * times] = '\0';
    return all;
}

static inline bb_slice built(const test_text *text)
{
    bb_slice slice = {text->data, text->len};

    return slice;
}

/* ---------------------------------------------------------------------------------- memory */

/* An allocator that counts, checks old sizes, and fails when told to. For one thread. */
typedef struct unit_memory {
    bb_allocator allocator;
    size_t live;       /* blocks that are out */
    size_t live_bytes; /* and their sizes */
    size_t peak_bytes;
    size_t calls;   /* of alloc and realloc */
    size_t fail_at; /* the call that fails, from 1 on; 0: none */
    int fail_after; /* all calls after that one fail too */
    size_t wrong_sizes;
} unit_memory;

typedef union unit_block {
    size_t size;
    max_align_t alignment;
} unit_block;

static inline int unit_fails(unit_memory *memory)
{
    memory->calls++;
    if (memory->fail_at == 0)
        return 0;
    return memory->calls == memory->fail_at ||
           (memory->fail_after && memory->calls > memory->fail_at);
}

static inline void unit_count(unit_memory *memory, size_t added, size_t removed)
{
    memory->live_bytes += added;
    memory->live_bytes -= removed;
    if (memory->live_bytes > memory->peak_bytes)
        memory->peak_bytes = memory->live_bytes;
}

static inline void *unit_alloc(void *ctx, size_t size)
{
    unit_memory *memory = ctx;
    unit_block *block;

    if (unit_fails(memory))
        return NULL;
    block = must_alloc(sizeof *block + size);
    block->size = size;
    memory->live++;
    unit_count(memory, size, 0);
    memset(block + 1, 0xA5, size);
    return block + 1;
}

static inline void *unit_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    unit_memory *memory = ctx;
    unit_block *block = (unit_block *)ptr - 1;
    unit_block *moved;

    if (block->size != old_size)
        memory->wrong_sizes++;
    if (unit_fails(memory))
        return NULL;
    moved = must_alloc(sizeof *moved + size);
    moved->size = size;
    memset(moved + 1, 0xA5, size);
    memcpy(moved + 1, ptr, block->size < size ? block->size : size);
    unit_count(memory, size, block->size);
    free(block);
    return moved + 1;
}

static inline void unit_free(void *ctx, void *ptr)
{
    unit_memory *memory = ctx;
    unit_block *block = (unit_block *)ptr - 1;

    memory->live--;
    unit_count(memory, 0, block->size);
    memset(ptr, 0x5A, block->size);
    free(block);
}

static inline void unit_memory_init(unit_memory *memory)
{
    memset(memory, 0, sizeof *memory);
    memory->allocator.ctx = memory;
    memory->allocator.alloc = unit_alloc;
    memory->allocator.realloc = unit_realloc;
    memory->allocator.free = unit_free;
}

/* Makes the n-th call from now on fail, and with `after` those that come later too. */
static inline void unit_memory_fail(unit_memory *memory, size_t n, int after)
{
    memory->calls = 0;
    memory->fail_at = n;
    memory->fail_after = after;
}

/* Checks that everything was given back, and that realloc was always told the right size. */
static inline void unit_memory_check(const unit_memory *memory)
{
    assert_int_equal(memory->live, 0);
    assert_int_equal(memory->live_bytes, 0);
    assert_int_equal(memory->wrong_sizes, 0);
}

#endif
