/*
 * attributes.c: the custom_attributes of one contact while several entries merge into them, one
 * after the other (D2, E1).
 *
 * All members of all entries are sorted by name and then by entry. So each name has its own short
 * history, and the work does not grow with the product of entries and members.
 */
#include "request/attributes.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "json/quote.h"

/* What one entry does to one name, or what the contact had. Pointers with short lengths, as a
 * request may hold millions. */
typedef struct step {
    const char *name; /* decoded */
    const char *value;
    uint32_t name_len;
    uint32_t value_len;
    uint32_t turn; /* 0: the contact had it; otherwise the entry's place in turns, from 1 */
} step;

typedef struct history {
    bb_allocator allocator;
    bb_arena names;
    const bb_turns *turns;
    step *steps;
    size_t count;
    size_t capacity;
    size_t resets;        /* entries that reset everything (null) */
    uint32_t *next_reset; /* for each turn, the first of them after it; past the last if none is */
    int is_from_nothing;  /* what is not named in turn 0 was not there; otherwise nobody knows */
    uint8_t *has_changed; /* for each turn: it changes something, whatever the store has */
} history;

enum { FIRST_STEPS = 64 };

static bb_slice name_of(const step *s)
{
    return bb_slice_of(s->name, s->name_len);
}

static bb_slice value_of(const step *s)
{
    return bb_slice_of(s->value, s->value_len);
}

/* The entry of a turn. */
static const bb_entry *entry_at(const bb_turns *turns, size_t turn)
{
    return &turns->entries[turns->order[turn - 1]];
}

static int is_reset(const bb_turns *turns, size_t turn)
{
    return (entry_at(turns, turn)->nulls & BB_FIELD_CUSTOM_ATTRIBUTES) != 0;
}

static int is_merge(const bb_turns *turns, size_t turn)
{
    const bb_entry *entry = entry_at(turns, turn);

    return (entry->fields & ~entry->nulls & BB_FIELD_CUSTOM_ATTRIBUTES) != 0;
}

/* Whether a member of an entry removes its name. */
static int is_null(bb_slice value)
{
    return value.data[0] == 'n';
}

/* ------------------------------------------------------------------------------------- history */

static int32_t add_step(history *h, bb_slice name, bb_slice value, size_t turn)
{
    size_t capacity = h->capacity == 0 ? FIRST_STEPS : h->capacity * 2;
    step *steps = h->steps;

    if (h->count == h->capacity) {
        if (capacity > SIZE_MAX / sizeof *steps)
            return BB_ERR_NOMEM;
        steps =
            bb_realloc(&h->allocator, steps, h->capacity * sizeof *steps, capacity * sizeof *steps);
        if (steps == NULL)
            return BB_ERR_NOMEM;
        h->steps = steps;
        h->capacity = capacity;
    }
    if (bb_json_name(&h->names, name, &name) != BB_OK)
        return BB_ERR_NOMEM;
    steps[h->count++] = (step){.name = name.data,
                               .value = value.data,
                               .name_len = (uint32_t)name.len,
                               .value_len = (uint32_t)value.len,
                               .turn = (uint32_t)turn};
    return BB_OK;
}

static int32_t add_object(history *h, bb_slice object, size_t turn)
{
    bb_json_iterator it;
    bb_slice name;
    bb_slice value;
    int32_t code = BB_OK;

    object.data = bb_json_skip_space(object.data, object.data + object.len);
    it = bb_json_iterate(object);
    while (code == BB_OK && bb_json_next_member(&it, &name, &value))
        code = add_step(h, name, value, turn);
    return code;
}

static int by_name_and_turn(const void *left, const void *right)
{
    const step *a = left;
    const step *b = right;
    int order = bb_slice_compare(name_of(a), name_of(b));

    return order != 0 ? order : (a->turn > b->turn) - (a->turn < b->turn);
}

static void find_resets(history *h)
{
    uint32_t next = (uint32_t)h->turns->count + 1;

    for (size_t turn = h->turns->count; turn > 0; turn--) {
        h->next_reset[turn] = next;
        if (is_reset(h->turns, turn)) {
            next = (uint32_t)turn;
            h->resets++;
        }
    }
    h->next_reset[0] = next;
}

/* `before` null: nobody knows what the contact has. */
static int32_t history_init(history *h, const bb_turns *turns, const bb_allocator *allocator,
                            bb_slice before)
{
    int32_t code = BB_OK;

    *h = (history){.allocator = *allocator, .turns = turns, .is_from_nothing = before.data != NULL};
    bb_arena_init(&h->names, allocator);
    h->has_changed = bb_zalloc(allocator, turns->count + 1);
    h->next_reset = bb_alloc_array(allocator, turns->count + 1, sizeof *h->next_reset);
    if (h->has_changed == NULL || h->next_reset == NULL)
        return BB_ERR_NOMEM;
    find_resets(h);
    if (before.data != NULL)
        code = add_object(h, before, 0);
    for (size_t turn = 1; turn <= turns->count && code == BB_OK; turn++) {
        if (is_merge(turns, turn))
            code =
                add_object(h, entry_at(turns, turn)->value[BB_FIELD_INDEX_CUSTOM_ATTRIBUTES], turn);
    }
    if (h->count > 1)
        qsort(h->steps, h->count, sizeof *h->steps, by_name_and_turn);
    return code;
}

static void history_free(history *h)
{
    bb_free(&h->allocator, h->steps);
    bb_free(&h->allocator, h->next_reset);
    bb_free(&h->allocator, h->has_changed);
    bb_arena_free(&h->names);
}

/* ---------------------------------------------------------------------------------- one name */

/* How one name stands at some turn. */
typedef struct standing {
    const step *set; /* what set it last; NULL: it is not there, or nobody knows */
    int is_known;
} standing;

/* Takes the resets between two turns into account; the first of them removes the name. */
static void pass_resets(history *h, size_t after, size_t before, standing *now)
{
    size_t reset = h->next_reset[after];

    if (reset >= before)
        return;
    if (now->set != NULL)
        h->has_changed[reset] = 1;
    *now = (standing){.is_known = 1};
}

/* Applies one step; only a step of the contact's own may set null. */
static int32_t apply(history *h, const step *s, standing *now)
{
    const step *set = s->turn > 0 && is_null(value_of(s)) ? NULL : s;
    int32_t equal = set == now->set;
    int32_t code = BB_OK;

    if (now->is_known && set != NULL && now->set != NULL)
        code = bb_json_equal(&h->allocator, value_of(now->set), value_of(set), &equal);
    if (now->is_known && !equal)
        h->has_changed[s->turn] = 1;
    *now = (standing){.set = set, .is_known = 1};
    return code;
}

/* Follows the name of the step at `*at`, and moves past its last. */
static int32_t follow(history *h, size_t *at, standing *now)
{
    bb_slice name = name_of(&h->steps[*at]);
    int32_t code = BB_OK;
    size_t turn = 0;

    *now = (standing){.is_known = h->is_from_nothing};
    while (code == BB_OK && *at < h->count && bb_slice_equal(name_of(&h->steps[*at]), name)) {
        const step *s = &h->steps[(*at)++];
        pass_resets(h, turn, s->turn, now);
        code = apply(h, s, now);
        turn = s->turn;
    }
    pass_resets(h, turn, h->turns->count + 1, now);
    return code;
}

/* ------------------------------------------------------------------------------------- folding */

typedef struct folded {
    bb_buffer set;
    bb_buffer removed;
} folded;

static void begin_item(bb_buffer *list, char open)
{
    bb_buffer_append_char(list, list->len == 0 ? open : ',');
}

static void end_list(bb_buffer *list, char open, char close)
{
    if (list->len == 0)
        bb_buffer_append_char(list, open);
    bb_buffer_append_char(list, close);
}

static int32_t fold_names(history *h, folded *f)
{
    standing now;

    for (size_t at = 0; at < h->count;) {
        bb_slice name = name_of(&h->steps[at]);
        int32_t code = follow(h, &at, &now);
        bb_buffer *list = now.set != NULL ? &f->set : &f->removed;
        if (code != BB_OK)
            return code;
        begin_item(list, now.set != NULL ? '{' : '[');
        bb_json_append_string(list, name.data, name.len);
        if (now.set == NULL)
            continue;
        bb_buffer_append_char(list, ':');
        bb_buffer_append(list, now.set->value, now.set->value_len);
    }
    return BB_OK;
}

/* A copy in the arena. */
static int32_t keep(const bb_buffer *text, bb_arena *arena, bb_slice *out)
{
    char *copy = text->failed ? NULL : bb_arena_alloc_bytes(arena, text->len);

    if (copy == NULL)
        return BB_ERR_NOMEM;
    memcpy(copy, text->data, text->len);
    *out = bb_slice_of(copy, text->len);
    return BB_OK;
}

/* After a reset nothing of the store's is left, so nothing is merged into it. */
static int32_t fill_record(const history *h, folded *f, bb_arena *arena, bb_record *record)
{
    int32_t code;

    end_list(&f->set, '{', '}');
    end_list(&f->removed, '[', ']');
    for (size_t turn = 1; turn <= h->turns->count; turn++) {
        if (h->has_changed[turn])
            record->flags |= BB_RECORD_TOUCH;
    }
    code = keep(&f->set, arena, &record->custom_attributes);
    if (code != BB_OK || h->resets > 0)
        return code;
    record->flags |= BB_RECORD_MERGE;
    return keep(&f->removed, arena, &record->removed_attributes);
}

static int32_t fold_several(const bb_turns *turns, bb_arena *arena, bb_record *record)
{
    const bb_allocator *allocator = &arena->allocator;
    const bb_slice unknown = {NULL, 0};
    folded f;
    history h;
    int32_t code = history_init(&h, turns, allocator, unknown);

    bb_buffer_init(&f.set, allocator, SIZE_MAX);
    bb_buffer_init(&f.removed, allocator, SIZE_MAX);
    if (code == BB_OK)
        code = fold_names(&h, &f);
    if (code == BB_OK)
        code = fill_record(&h, &f, arena, record);
    bb_buffer_free(&f.removed);
    bb_buffer_free(&f.set);
    history_free(&h);
    return code;
}

static int has_nulls(bb_slice object)
{
    bb_json_iterator it = bb_json_iterate(object);
    bb_slice name;
    bb_slice value;

    while (bb_json_next_member(&it, &name, &value)) {
        if (is_null(value))
            return 1;
    }
    return 0;
}

/* The most frequent case: one entry that sends members and removes none is its own merge. */
static int is_simple(const bb_turns *turns)
{
    return turns->count == 1 && is_merge(turns, 1) &&
           !has_nulls(entry_at(turns, 1)->value[BB_FIELD_INDEX_CUSTOM_ATTRIBUTES]);
}

int32_t bb_attributes_fold(const bb_turns *turns, bb_arena *arena, bb_record *record)
{
    static const bb_slice none = {"[]", 2};
    uint32_t fields = 0;
    int32_t code = BB_OK;

    for (size_t turn = 1; turn <= turns->count; turn++)
        fields |= entry_at(turns, turn)->fields;
    if (!(fields & BB_FIELD_CUSTOM_ATTRIBUTES))
        return BB_OK;
    record->fields |= BB_FIELD_CUSTOM_ATTRIBUTES;
    if (is_simple(turns)) {
        record->flags |= BB_RECORD_MERGE;
        record->custom_attributes = entry_at(turns, 1)->value[BB_FIELD_INDEX_CUSTOM_ATTRIBUTES];
        record->removed_attributes = none;
    } else {
        code = fold_several(turns, arena, record);
    }
    if (record->flags & BB_RECORD_MERGE && record->custom_attributes.len == strlen("{}") &&
        record->removed_attributes.len == strlen("[]")) { /* merges nothing */
        record->flags &= ~(uint32_t)BB_RECORD_MERGE;
        record->fields &= ~(uint32_t)BB_FIELD_CUSTOM_ATTRIBUTES;
    }
    return code;
}

/* ----------------------------------------------------------------------------------- comparing */

int32_t bb_attributes_compare(const bb_turns *turns, const bb_allocator *allocator, bb_slice before,
                              uint8_t *has_changed)
{
    history h;
    standing now;
    int32_t code = history_init(&h, turns, allocator, before);

    for (size_t at = 0; at < h.count && code == BB_OK;)
        code = follow(&h, &at, &now);
    for (size_t turn = 1; turn <= turns->count && code == BB_OK; turn++)
        has_changed[turn - 1] |= h.has_changed[turn];
    history_free(&h);
    return code;
}
