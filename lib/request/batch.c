/*
 * batch.c: entries become records: ids made, sorted by key, those of one contact folded (E1).
 */
#include "request/batch.h"

#include <stdlib.h>
#include <string.h>

#include "request/generated_id.h"

/* A contact's values, each in its field's place. */
typedef struct values {
    bb_slice value[BB_FIELD_COUNT];
} values;

static values values_of_contact(const bb_contact *contact)
{
    values v;

    for (int i = 0; i < BB_FIELD_COUNT; i++)
        v.value[i] = bb_contact_value(contact, &bb_fields[i]);
    return v;
}

/* The values of a contact of which the request says nothing (section D). */
static values values_of_new(void)
{
    values v;

    for (int i = 0; i < BB_FIELD_COUNT; i++)
        v.value[i] = bb_fields[i].initial;
    return v;
}

static int32_t equal_values(const bb_allocator *allocator, int i, bb_slice a, bb_slice b,
                            int32_t *equal)
{
    *equal = bb_slice_equal(a, b);
    if (*equal || bb_fields[i].kind == BB_FIELD_TEXT)
        return BB_OK;
    return bb_json_equal(allocator, a, b, equal);
}

/* -------------------------------------------------------------------------------------- making */

static int32_t make_ids(bb_body *body, const bb_id_source *ids, bb_arena *arena)
{
    for (size_t i = 0; i < body->count; i++) {
        bb_slice *external_id = &body->entries[i].external_id;
        char *text;
        if (external_id->data != NULL)
            continue;
        text = bb_arena_alloc_bytes(arena, BB_UUID_LENGTH);
        if (text == NULL)
            return BB_ERR_NOMEM;
        if (ids->idempotency_key.len > 0)
            bb_generated_id_derived(ids->chatbot_id, ids->idempotency_key, i, text);
        else if (bb_generated_id_random(ids->random, ids->random_ctx, text) != 0)
            return BB_ERR_INTERNAL;
        external_id->data = text;
        external_id->len = BB_UUID_LENGTH;
    }
    return BB_OK;
}

static int by_key_then_place(const void *left, const void *right)
{
    const bb_entry *a = *(const bb_entry *const *)left;
    const bb_entry *b = *(const bb_entry *const *)right;
    int order = bb_slice_compare(a->external_id, b->external_id);

    return order != 0 ? order : (a > b) - (a < b);
}

static int are_sorted(const bb_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (bb_slice_compare(entries[i - 1].external_id, entries[i].external_id) > 0)
            return 0;
    }
    return 1;
}

static int32_t sort_entries(bb_batch *batch, bb_arena *arena)
{
    size_t count = batch->entry_count;
    const bb_entry **sorted = bb_arena_alloc_array(arena, count, sizeof(const bb_entry *));

    if (sorted == NULL)
        return BB_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &batch->entries[i];
    if (!are_sorted(batch->entries, count)) /* they often come sorted, from a query or a file */
        qsort(sorted, count, sizeof *sorted, by_key_then_place);
    for (size_t i = 0; i < count; i++)
        batch->order[i] = (uint32_t)(sorted[i] - batch->entries);
    return BB_OK;
}

/* Applies an entry to its record so far. If two entries set a field differently, the record writes
 * the contact whatever the store has: applied one by one, one of them would have changed it
 * (E1). */
static int32_t fold(bb_batch *batch, const bb_entry *entry, bb_record *record, values *folded)
{
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        int32_t equal = 1;
        if (!(entry->fields & bb_fields[i].bit))
            continue;
        if (record->fields & bb_fields[i].bit && !(record->flags & BB_RECORD_TOUCH)) {
            int32_t code =
                equal_values(&batch->allocator, i, folded->value[i], entry->value[i], &equal);
            if (code != BB_OK)
                return code;
            if (!equal)
                record->flags |= BB_RECORD_TOUCH;
        }
        folded->value[i] = entry->value[i];
    }
    record->fields |= entry->fields;
    return BB_OK;
}

static int32_t make_record(bb_batch *batch, size_t index, size_t begin, size_t end)
{
    bb_record *record = &batch->records[index];
    values folded = values_of_new();

    memset(record, 0, sizeof *record);
    record->size = sizeof *record;
    record->external_id = batch->entries[batch->order[begin]].external_id;
    if (end - begin > 1)
        record->flags = BB_RECORD_WANT_BEFORE;
    for (size_t i = begin; i < end; i++) {
        int32_t code = fold(batch, &batch->entries[batch->order[i]], record, &folded);
        if (code != BB_OK)
            return code;
        batch->record_of[batch->order[i]] = (uint32_t)index;
    }
    record->place = batch->order[end - 1];
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bb_record_set_value(record, &bb_fields[i], folded.value[i]);
    batch->pointers[index] = record;
    batch->first[index] = (uint32_t)begin;
    return BB_OK;
}

static int same_key(const bb_batch *batch, size_t a, size_t b)
{
    return bb_slice_equal(batch->entries[batch->order[a]].external_id,
                          batch->entries[batch->order[b]].external_id);
}

static int32_t make_records(bb_batch *batch)
{
    size_t begin = 0;

    while (begin < batch->entry_count) {
        size_t end = begin + 1;
        int32_t code;
        while (end < batch->entry_count && same_key(batch, begin, end))
            end++;
        code = make_record(batch, batch->record_count, begin, end);
        if (code != BB_OK)
            return code;
        batch->record_count++;
        begin = end;
    }
    batch->first[batch->record_count] = (uint32_t)begin;
    return BB_OK;
}

int32_t bb_batch_make(bb_body *body, const bb_id_source *ids, bb_arena *arena, bb_batch *batch)
{
    size_t count = body->count;
    int32_t code = make_ids(body, ids, arena);

    if (code != BB_OK)
        return code;
    memset(batch, 0, sizeof *batch);
    batch->allocator = arena->allocator;
    batch->entries = body->entries;
    batch->entry_count = count;
    batch->order = bb_arena_alloc_array(arena, count, sizeof *batch->order);
    batch->first = bb_arena_alloc_array(arena, count + 1, sizeof *batch->first);
    batch->record_of = bb_arena_alloc_array(arena, count, sizeof *batch->record_of);
    batch->outcomes = bb_arena_alloc_array(arena, count, sizeof *batch->outcomes);
    batch->records = bb_arena_alloc_array(arena, count, sizeof *batch->records);
    batch->pointers = bb_arena_alloc_array(arena, count, sizeof *batch->pointers);
    if (batch->order == NULL || batch->first == NULL || batch->record_of == NULL ||
        batch->outcomes == NULL || batch->records == NULL || batch->pointers == NULL)
        return BB_ERR_NOMEM;
    code = sort_entries(batch, arena);
    return code == BB_OK ? make_records(batch) : code;
}

/* ------------------------------------------------------------------------------------ outcomes */

/* Applies an entry to a contact's values; tells whether any changed. */
static int32_t apply(bb_batch *batch, const bb_entry *entry, values *contact, int *changed)
{
    *changed = 0;
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        int32_t equal = 1;
        int32_t code;
        if (!(entry->fields & bb_fields[i].bit))
            continue;
        code = equal_values(&batch->allocator, i, contact->value[i], entry->value[i], &equal);
        if (code != BB_OK)
            return code;
        if (!equal)
            *changed = 1;
        contact->value[i] = entry->value[i];
    }
    return BB_OK;
}

int32_t bb_batch_set_outcomes(bb_batch *batch, size_t record, int32_t outcome,
                              const bb_contact *before)
{
    size_t begin = batch->first[record];
    size_t end = batch->first[record + 1];
    values contact;

    if (end - begin == 1 || (before == NULL && outcome != BB_CREATED)) {
        for (size_t i = begin; i < end; i++)
            batch->outcomes[batch->order[i]] = (uint8_t)outcome;
        return BB_OK;
    }
    contact = before != NULL ? values_of_contact(before) : values_of_new();
    for (size_t i = begin; i < end; i++) {
        int changed = 0;
        int32_t code = apply(batch, &batch->entries[batch->order[i]], &contact, &changed);
        if (code != BB_OK)
            return code;
        batch->outcomes[batch->order[i]] = changed ? BB_UPDATED : BB_UNCHANGED;
        if (i == begin && outcome == BB_CREATED)
            batch->outcomes[batch->order[i]] = BB_CREATED;
    }
    return BB_OK;
}
