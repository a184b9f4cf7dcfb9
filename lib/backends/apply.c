/*
 * apply.c: what a record makes of a stored contact, for backends that compare in C.
 */
#include "backends/apply.h"

#include "util/fields.h"
#include "util/slice.h"

bb_contact bb_record_apply(const bb_record *record, const bb_contact *before)
{
    bb_contact after = {.size = sizeof after, .external_id = record->external_id};

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        const bb_field *field = &bb_fields[i];
        int is_kept = before != NULL && !(record->fields & field->bit);
        bb_contact_set_value(&after, field,
                             is_kept ? bb_contact_value(before, field)
                                     : bb_record_value(record, field));
    }
    if (before == NULL)
        return after;
    after.id = before->id;
    after.created_at_us = before->created_at_us;
    after.updated_at_us = before->updated_at_us;
    return after;
}

int32_t bb_record_merge(const bb_allocator *allocator, const bb_record *record,
                        const bb_contact *before, size_t max_bytes, bb_contact *after,
                        void **memory)
{
    const bb_slice *stored = &before->custom_attributes;
    int32_t code = bb_json_merge(allocator, *stored, record->custom_attributes,
                                 record->removed_attributes, &after->custom_attributes, memory);

    if (code == BB_OK && max_bytes > 0 && after->custom_attributes.len > max_bytes &&
        after->custom_attributes.len > stored->len)
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

int32_t bb_record_is_unchanged(const bb_allocator *allocator, const bb_record *record,
                               const bb_contact *before, const bb_contact *after,
                               int32_t *unchanged)
{
    int32_t code = BB_OK;

    *unchanged = !(record->flags & BB_RECORD_TOUCH);
    for (int i = 0; i < BB_FIELD_COUNT && *unchanged && code == BB_OK; i++)
        code = same_value(allocator, &bb_fields[i], before, after, unchanged);
    return code;
}
