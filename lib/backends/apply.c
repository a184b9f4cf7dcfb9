/*
 * apply.c: what a record makes of a stored contact, for backends that compare in C.
 */
#include "bb_contacts/storage.h"
#include "util/alloc.h"
#include "util/fields.h"
#include "util/slice.h"
#include "util/struct_size.h"

static bb_contact apply(const bb_record *record, const bb_contact *before)
{
    bb_contact after = {.size = sizeof after, .external_id = record->external_id};

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        const bb_field *field = &bb_fields[i];
        int is_kept = before != NULL && !(record->fields & field->bit);
        bb_contact_set_value(&after, field,
                             is_kept ? bb_contact_value(before, field)
                                     : bb_record_value(record, field));
    }
    return after;
}

/* Merges into what `before` has (D2), unless that grows past the limit (D3). */
static int32_t merge(const bb_change *change, const bb_record *record, const bb_contact *before,
                     bb_contact *after, void **memory)
{
    bb_slice stored = before->custom_attributes;
    bb_slice *merged = &after->custom_attributes;
    int32_t code = bb_json_merge(change->allocator, stored, record->custom_attributes,
                                 record->removed_attributes, merged, memory);

    if (code == BB_ERR_ARGUMENT)
        return BB_ERR_INTERNAL;
    if (code == BB_OK && change->max_attribute_bytes > 0 &&
        merged->len > change->max_attribute_bytes && merged->len > stored.len)
        return BB_ERR_OVERSIZED;
    return code;
}

static int32_t same_value(const bb_allocator *allocator, const bb_field *field,
                          const bb_contact *before, const bb_contact *after, int32_t *same)
{
    bb_slice a = bb_contact_value(before, field);
    bb_slice b = bb_contact_value(after, field);

    *same = bb_slice_equal(a, b); /* at once for a kept field, which is the same bytes */
    if (*same || field->kind == BB_FIELD_TEXT)
        return BB_OK;
    return bb_json_equal(allocator, a, b, same);
}

/* Whether a record leaves `before` as it is (E5), where `after` is what it makes of it. */
static int32_t is_unchanged(const bb_allocator *allocator, const bb_record *record,
                            const bb_contact *before, const bb_contact *after, int32_t *unchanged)
{
    int32_t code = BB_OK;

    *unchanged = !(record->flags & BB_RECORD_TOUCH);
    for (int i = 0; i < BB_FIELD_COUNT && *unchanged && code == BB_OK; i++)
        code = same_value(allocator, &bb_fields[i], before, after, unchanged);
    return code;
}

/* The rest of a contact that was there: what it keeps, who it is, and when it changed. */
static int32_t settle_known(const bb_change *change, const bb_record *record,
                            const bb_contact *before, bb_contact *after, bb_change *given)
{
    int32_t code = BB_OK;
    int32_t unchanged = 0;

    if (record->flags & BB_RECORD_MERGE)
        code = merge(change, record, before, after, &given->memory);
    if (code == BB_OK)
        code = is_unchanged(change->allocator, record, before, after, &unchanged);
    given->outcome = unchanged ? BB_UNCHANGED : BB_UPDATED;
    after->id = before->id;
    after->created_at_us = before->created_at_us;
    after->updated_at_us = unchanged ? before->updated_at_us : change->now_us;
    return code;
}

static int32_t tell_failure(int32_t code, const bb_contact *before, bb_error *error)
{
    if (code == BB_ERR_INTERNAL)
        return bb_error_set(error, code, "contact_%lld is stored with invalid JSON or UTF-8",
                            (long long)before->id);
    return bb_error_set(error, code, "%s", bb_code_text(code));
}

int32_t bb_record_apply(bb_change *given, bb_error *error)
{
    bb_change change = {.size = sizeof change};
    bb_record record_room = {.size = sizeof record_room};
    bb_contact before_room = {.size = sizeof before_room};
    int32_t code = bb_struct_read(&bb_change_type, &change, given, error);
    const bb_record *record;
    const bb_contact *before = NULL;
    bb_contact after;

    if (code != BB_OK)
        return code;
    record = bb_struct_view(&bb_record_type, &record_room, change.record);
    if (change.before != NULL)
        before = bb_struct_view(&bb_contact_type, &before_room, change.before);
    if (record == NULL || (before == NULL) != (change.before == NULL) ||
        !bb_struct_is_known(&bb_contact_type, change.after))
        return bb_error_set(error, BB_ERR_ARGUMENT,
                            "a record or contact whose size is of no version");
    after = apply(record, before);
    given->outcome = BB_CREATED;
    given->memory = NULL;
    after.created_at_us = after.updated_at_us = change.now_us;
    if (before != NULL)
        code = settle_known(&change, record, before, &after, given);
    if (code == BB_OK) {
        bb_struct_fill(&bb_contact_type, change.after, &after);
        return BB_OK;
    }
    bb_change_free(given);
    return tell_failure(code, before, error);
}

void bb_change_free(bb_change *change)
{
    bb_allocator allocator;

    if (change == NULL)
        return;
    allocator = bb_allocator_or_default(change->allocator);
    bb_free(&allocator, change->memory);
    change->memory = NULL;
}
