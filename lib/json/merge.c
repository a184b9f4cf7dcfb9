/*
 * merge.c: merges members into a JSON object that is text (D2).
 */
#include <stdlib.h>
#include <string.h>

#include "util/buffer.h"
#include "json/check.h"
#include "json/names.h"

/* Stands for a member's place in the text: its name is to be removed. */
#define REMOVED SIZE_MAX

typedef struct merging {
    bb_arena arena;        /* decoded names */
    bb_slice set;          /* the members to set */
    bb_json_members patch; /* these with their places in `set`, and the names to remove; by name */
    uint8_t *is_done;      /* for each: the object had the name */
    bb_buffer out;
    int has_changed;
} merging;

static int by_name(const void *left, const void *right)
{
    const bb_json_member *a = left;
    const bb_json_member *b = right;

    return bb_slice_compare(a->name, b->name);
}

static int32_t read_patch(merging *m, bb_slice removed)
{
    bb_json_iterator it = bb_json_iterate(m->set);
    bb_slice name;
    bb_slice value;
    int32_t code = BB_OK;

    while (code == BB_OK && bb_json_next_member(&it, &name, &value))
        code = bb_json_members_push(&m->patch, name, (size_t)(name.data - m->set.data));
    it = bb_json_iterate(removed);
    while (code == BB_OK && bb_json_next_element(&it, &name))
        code = bb_json_members_push(&m->patch, name, REMOVED);
    if (code != BB_OK || m->patch.count == 0)
        return code;
    qsort(m->patch.list, m->patch.count, sizeof *m->patch.list, by_name);
    m->is_done = bb_arena_alloc(&m->arena, m->patch.count);
    if (m->is_done == NULL)
        return BB_ERR_NOMEM;
    memset(m->is_done, 0, m->patch.count);
    return BB_OK;
}

/* The place of a name (in quotes) in the patch; its count if it is not there. */
static int32_t find_in_patch(merging *m, bb_slice quoted, size_t *place)
{
    size_t low = 0;
    size_t high = m->patch.count;
    bb_slice name;
    int32_t code = bb_json_name(&m->arena, quoted, &name);

    *place = m->patch.count;
    while (code == BB_OK && low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bb_slice_compare(m->patch.list[middle].name, name);
        if (order == 0)
            *place = middle;
        if (order < 0)
            low = middle + 1;
        else
            high = order == 0 ? low : middle;
    }
    return code;
}

static void append_member(merging *m, bb_slice name, bb_slice value)
{
    bb_buffer_append_char(&m->out, m->out.len == 0 ? '{' : ',');
    bb_buffer_append(&m->out, name.data, name.len);
    bb_buffer_append_char(&m->out, ':');
    bb_buffer_append(&m->out, value.data, value.len);
}

/* A member of the object that the patch names: it goes, gets a new value, or, if it has that
 * already, stays as it is. */
static int32_t replace(merging *m, size_t place, bb_slice name, bb_slice value)
{
    size_t at = m->patch.list[place].at;
    bb_json_iterator it = bb_json_iterate(m->set);
    bb_slice new_name;
    bb_slice new_value;
    int32_t equal = 0;
    int32_t code;

    m->is_done[place] = 1;
    if (at == REMOVED) {
        m->has_changed = 1;
        return BB_OK;
    }
    it.at = m->set.data + at;
    bb_json_next_member(&it, &new_name, &new_value);
    code = bb_json_equal(&m->arena.allocator, value, new_value, &equal);
    if (!equal)
        m->has_changed = 1;
    append_member(m, name, equal ? value : new_value);
    return code;
}

static int32_t go_over_object(merging *m, bb_slice object)
{
    bb_json_iterator it = bb_json_iterate(object);
    int32_t code = BB_OK;
    bb_slice name;
    bb_slice value;
    size_t place;

    while (code == BB_OK && bb_json_next_member(&it, &name, &value)) {
        code = find_in_patch(m, name, &place);
        if (code != BB_OK)
            return code;
        if (place < m->patch.count)
            code = replace(m, place, name, value);
        else
            append_member(m, name, value);
    }
    return code;
}

/* In the order in which they were sent. */
static int32_t add_new_members(merging *m)
{
    bb_json_iterator it = bb_json_iterate(m->set);
    int32_t code = BB_OK;
    bb_slice name;
    bb_slice value;
    size_t place;

    while (code == BB_OK && bb_json_next_member(&it, &name, &value)) {
        code = find_in_patch(m, name, &place);
        if (code != BB_OK || m->is_done[place])
            continue;
        append_member(m, name, value);
        m->has_changed = 1;
    }
    return code;
}

static int32_t merge(merging *m, bb_slice object, bb_slice removed)
{
    int32_t code = read_patch(m, removed);

    if (code == BB_OK)
        code = go_over_object(m, object);
    if (code == BB_OK)
        code = add_new_members(m);
    if (m->out.len == 0)
        bb_buffer_append_char(&m->out, '{');
    bb_buffer_append_char(&m->out, '}');
    return code == BB_OK && m->out.failed ? BB_ERR_NOMEM : code;
}

/* White space at its beginning is cut off. */
static int32_t check_object(const bb_allocator *allocator, bb_slice *object)
{
    bb_json_facts facts;
    const char *end;

    if (object->data == NULL)
        return BB_ERR_ARGUMENT;
    if (!bb_json_check(allocator, object->data, object->len, &facts))
        return facts.is_out_of_memory ? BB_ERR_NOMEM : BB_ERR_ARGUMENT;
    end = object->data + object->len;
    object->data = bb_json_skip_space(object->data, end);
    object->len = (size_t)(end - object->data);
    return object->data[0] == '{' ? BB_OK : BB_ERR_ARGUMENT;
}

int32_t bb_json_merge(const bb_allocator *allocator, bb_slice object, bb_slice set,
                      bb_slice removed, bb_slice *merged, void **memory)
{
    bb_allocator own = bb_allocator_or_default(allocator);
    bb_slice trimmed = object;
    merging m = {.set = set};
    int32_t code;

    if (merged == NULL || memory == NULL)
        return BB_ERR_ARGUMENT;
    *merged = object;
    *memory = NULL;
    code = check_object(&own, &trimmed);
    if (code != BB_OK)
        return code;
    bb_arena_init(&m.arena, &own);
    bb_json_members_init(&m.patch, &own, &m.arena);
    bb_buffer_init(&m.out, &own, SIZE_MAX);
    code = merge(&m, trimmed, removed);
    if (code == BB_OK && m.has_changed) {
        *merged = bb_slice_of(m.out.data, m.out.len);
        *memory = m.out.data;
    } else {
        bb_buffer_free(&m.out);
    }
    bb_json_members_free(&m.patch);
    bb_arena_free(&m.arena);
    return code;
}
