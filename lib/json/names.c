/*
 * names.c: the names of an object's members, and which of them are repeated (C4).
 */
#include "json/names.h"

#include <stdlib.h>
#include <string.h>

/* Up to this many members, comparing each with each is faster than sorting. */
enum { FEW = 12 };

void bb_json_members_init(bb_json_members *members, const bb_allocator *allocator, bb_arena *arena)
{
    memset(members, 0, sizeof *members);
    members->allocator = *allocator;
    members->arena = arena;
}

void bb_json_members_free(bb_json_members *members)
{
    bb_free(&members->allocator, members->list);
}

static int32_t grow(bb_json_members *members)
{
    size_t capacity = members->capacity == 0 ? 32 : members->capacity * 2;
    bb_json_member *list;

    if (capacity > SIZE_MAX / sizeof *list)
        return BB_ERR_NOMEM;
    list = bb_realloc(&members->allocator, members->list, members->capacity * sizeof *list,
                      capacity * sizeof *list);
    if (list == NULL)
        return BB_ERR_NOMEM;
    members->list = list;
    members->capacity = capacity;
    return BB_OK;
}

/* Replaces each U+0000 of a string (in quotes) by the bytes C0 80, which mean nothing else: a name
 * with U+0000 will be refused, but until then it is a name like any other. */
static int spell_nul(bb_arena *arena, bb_slice *name)
{
    char *copy = bb_arena_alloc_bytes(arena, name->len);
    const char *end = name->data + name->len;
    size_t len = 0;

    if (copy == NULL)
        return 0;
    for (const char *at = name->data; at < end;) {
        size_t step = *at == '\\' ? 2 : 1;
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0) {
            memcpy(copy + len, "\xC0\x80", 2);
            len += 2;
            at += 6;
            continue;
        }
        memcpy(copy + len, at, step);
        len += step;
        at += step;
    }
    name->data = copy;
    name->len = len;
    return 1;
}

int32_t bb_json_name(bb_arena *arena, bb_slice quoted, bb_slice *name)
{
    name->data = quoted.data + 1;
    name->len = quoted.len - 2;
    if (memchr(quoted.data, '\\', quoted.len) == NULL)
        return BB_OK;
    if (bb_json_has_nul(quoted) && !spell_nul(arena, &quoted))
        return BB_ERR_NOMEM;
    return bb_json_decode(arena, quoted, name);
}

int32_t bb_json_members_push(bb_json_members *members, bb_slice name, size_t at)
{
    bb_json_member *member;

    if (members->count == members->capacity && grow(members) != BB_OK)
        return BB_ERR_NOMEM;
    member = &members->list[members->count];
    member->at = at;
    if (bb_json_name(members->arena, name, &member->name) != BB_OK)
        return BB_ERR_NOMEM;
    members->count++;
    return BB_OK;
}

static int drop_among_few(bb_json_member *list, size_t count)
{
    int repeated = 0;

    for (size_t i = 0; i + 1 < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (bb_slice_equal(list[i].name, list[j].name)) {
                list[i].name = bb_slice_of(NULL, 0);
                repeated = 1;
                break;
            }
        }
    }
    return repeated;
}

/* By name, then by place. */
static int compare_members(const void *left, const void *right)
{
    const bb_json_member *a = *(bb_json_member *const *)left;
    const bb_json_member *b = *(bb_json_member *const *)right;
    int order = bb_slice_compare(a->name, b->name);

    return order != 0 ? order : (a > b) - (a < b);
}

static int32_t drop_among_many(bb_json_members *members, size_t first, int *repeated)
{
    size_t count = members->count - first;
    bb_json_member **sorted = bb_alloc_array(&members->allocator, count, sizeof(bb_json_member *));

    if (sorted == NULL)
        return BB_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &members->list[first + i];
    qsort(sorted, count, sizeof *sorted, compare_members);
    for (size_t i = 0; i + 1 < count; i++) {
        if (bb_slice_equal(sorted[i]->name, sorted[i + 1]->name)) {
            sorted[i]->name = bb_slice_of(NULL, 0);
            *repeated = 1;
        }
    }
    bb_free(&members->allocator, sorted);
    return BB_OK;
}

int32_t bb_json_members_drop_repeated(bb_json_members *members, size_t first, int *repeated)
{
    size_t count = members->count - first;

    *repeated = 0;
    if (count > FEW)
        return drop_among_many(members, first, repeated);
    if (count > 1)
        *repeated = drop_among_few(members->list + first, count);
    return BB_OK;
}
