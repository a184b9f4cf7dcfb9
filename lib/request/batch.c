/*
 * batch.c: entries become records: ids made, sorted by key, those of one contact folded (E1).
 */
#include "request/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request/attributes.h"
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

/* The fields of an entry that are set one by one; what is merged has its own way (D2). */
static uint32_t replaced_fields(const bb_batch *batch, const bb_entry *entry)
{
    return batch->rules.merges ? entry->fields & ~BB_FIELD_CUSTOM_ATTRIBUTES : entry->fields;
}

static bb_turns turns_of(const bb_batch *batch, size_t begin, size_t end)
{
    return (bb_turns){batch->entries, batch->order + begin, end - begin};
}

/* Applies an entry to its record so far. If two entries set a field differently, the record writes
 * the contact whatever the store has: applied one by one, one of them would have changed it
 * (E1). */
static int32_t fold(bb_batch *batch, const bb_entry *entry, bb_record *record, values *folded)
{
    uint32_t fields = replaced_fields(batch, entry);

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        int32_t equal = 1;
        if (!(fields & bb_fields[i].bit))
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
    record->fields |= fields;
    return BB_OK;
}

/* The same for what is merged, of all entries at once. What alone is too large already is too large
 * whatever the store has (D3); a single entry is not. */
static int32_t fold_merges(bb_batch *batch, size_t index, bb_arena *arena)
{
    bb_record *record = &batch->records[index];
    bb_turns turns = turns_of(batch, batch->first[index], batch->first[index + 1]);
    int32_t code = bb_attributes_fold(&turns, arena, record);

    if (code != BB_OK)
        return code;
    if (record->flags & BB_RECORD_MERGE)
        batch->merge_count++;
    if (turns.count > 1 && record->custom_attributes.len > batch->rules.max_attribute_bytes)
        bb_batch_note_oversized(batch, index);
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
    record->entries = end - begin;
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bb_record_set_value(record, &bb_fields[i], folded.value[i]);
    batch->pointers[index] = record;
    batch->first[index] = (uint32_t)begin;
    batch->first[index + 1] = (uint32_t)end;
    return BB_OK;
}

static int same_key(const bb_batch *batch, size_t a, size_t b)
{
    return bb_slice_equal(batch->entries[batch->order[a]].external_id,
                          batch->entries[batch->order[b]].external_id);
}

static int32_t make_records(bb_batch *batch, bb_arena *arena)
{
    size_t begin = 0;

    while (begin < batch->entry_count) {
        size_t end = begin + 1;
        int32_t code;
        while (end < batch->entry_count && same_key(batch, begin, end))
            end++;
        code = make_record(batch, batch->record_count, begin, end);
        if (code == BB_OK && batch->rules.merges)
            code = fold_merges(batch, batch->record_count, arena);
        if (code != BB_OK)
            return code;
        batch->record_count++;
        begin = end;
    }
    return BB_OK;
}

int32_t bb_batch_make(bb_body *body, const bb_id_source *ids, const bb_batch_rules *rules,
                      bb_arena *arena, bb_batch *batch)
{
    size_t count = body->count;
    int32_t code = make_ids(body, ids, arena);

    if (code != BB_OK)
        return code;
    memset(batch, 0, sizeof *batch);
    batch->allocator = arena->allocator;
    batch->entries = body->entries;
    batch->entry_count = count;
    batch->rules = *rules;
    batch->root = body->root;
    batch->order = bb_arena_alloc_array(arena, count, sizeof *batch->order);
    batch->first = bb_arena_alloc_array(arena, count + 1, sizeof *batch->first);
    batch->record_of = bb_arena_alloc_array(arena, count, sizeof *batch->record_of);
    batch->outcomes = bb_arena_alloc_array(arena, count, sizeof *batch->outcomes);
    batch->records = bb_arena_alloc_array(arena, count, sizeof *batch->records);
    batch->pointers = bb_arena_alloc_array(arena, count, sizeof *batch->pointers);
    if (batch->order == NULL || batch->first == NULL || batch->record_of == NULL ||
        batch->outcomes == NULL || batch->records == NULL || batch->pointers == NULL)
        return BB_ERR_NOMEM;
    memset(batch->outcomes, 0, count);
    code = sort_entries(batch, arena);
    return code == BB_OK ? make_records(batch, arena) : code;
}

/* ------------------------------------------------------------------------ merged and too large */

/* The outcome of an entry after which its contact is too large; no bb_outcome. */
enum { OVERSIZED = BB_PUT_OVERSIZED };

void bb_batch_note_oversized(bb_batch *batch, size_t record)
{
    size_t place = batch->first[record + 1] - 1;

    while (place > batch->first[record] &&
           !(batch->entries[batch->order[place]].fields & BB_FIELD_CUSTOM_ATTRIBUTES))
        place--;
    batch->outcomes[batch->order[place]] = OVERSIZED;
    batch->oversized++;
}

void bb_batch_forget_oversized(bb_batch *batch)
{
    if (batch->oversized > 0)
        memset(batch->outcomes, 0, batch->entry_count);
    batch->oversized = 0;
}

void bb_batch_add_issues(const bb_batch *batch, bb_issues *issues)
{
    const bb_field *field = &bb_fields[BB_FIELD_INDEX_CUSTOM_ATTRIBUTES];
    bb_json_path root = {NULL, bb_slice_of(batch->root, strlen(batch->root)), 0};
    char message[64];

    if (batch->oversized == 0)
        return;
    snprintf(message, sizeof message, "Merged larger than %zu bytes",
             batch->rules.max_attribute_bytes);
    for (size_t i = 0; i < batch->entry_count; i++) {
        bb_json_path entry = {&root, {NULL, 0}, i};
        bb_json_path path = {&entry, field->name, 0};
        if (batch->outcomes[i] == OVERSIZED)
            bb_issues_add(issues, &path, message);
    }
}

/* ------------------------------------------------------------------------------------ outcomes */

/* Applies an entry to a contact's values; tells whether any changed. */
static int32_t apply(bb_batch *batch, const bb_entry *entry, values *contact, int *changed)
{
    uint32_t fields = replaced_fields(batch, entry);

    *changed = 0;
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        int32_t equal = 1;
        int32_t code;
        if (!(fields & bb_fields[i].bit))
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

/* Which entries of a record change the custom_attributes by merging, or by resetting them. */
static int32_t compare_merges(const bb_batch *batch, size_t record, bb_slice before,
                              uint8_t *has_changed)
{
    bb_turns turns = turns_of(batch, batch->first[record], batch->first[record + 1]);

    if (!batch->rules.merges)
        return BB_OK;
    return bb_attributes_compare(&turns, &batch->allocator, before, has_changed);
}

int32_t bb_batch_set_outcomes(bb_batch *batch, size_t record, int32_t outcome,
                              const bb_contact *before)
{
    size_t begin = batch->first[record];
    size_t end = batch->first[record + 1];
    uint8_t has_changed[BB_MAX_CONTACTS];
    values contact;
    int32_t code;

    if (end - begin == 1 || (before == NULL && outcome != BB_CREATED)) {
        for (size_t i = begin; i < end; i++)
            batch->outcomes[batch->order[i]] = (uint8_t)outcome;
        return BB_OK;
    }
    contact = before != NULL ? values_of_contact(before) : values_of_new();
    memset(has_changed, 0, end - begin);
    code =
        compare_merges(batch, record, contact.value[BB_FIELD_INDEX_CUSTOM_ATTRIBUTES], has_changed);
    for (size_t i = begin; i < end && code == BB_OK; i++) {
        int changed = 0;
        code = apply(batch, &batch->entries[batch->order[i]], &contact, &changed);
        batch->outcomes[batch->order[i]] =
            changed || has_changed[i - begin] ? BB_UPDATED : BB_UNCHANGED;
        if (i == begin && outcome == BB_CREATED)
            batch->outcomes[batch->order[i]] = BB_CREATED;
    }
    return code;
}
