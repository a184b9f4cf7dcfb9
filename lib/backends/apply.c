/*
 * apply.c: what a record makes of a stored contact, for backends that compare in C.
 */
#include "backends/apply.h"

bb_contact bb_record_apply(const bb_record *record, const bb_contact *before)
{
    bb_contact after = {.size = sizeof after,
                        .external_id = record->external_id,
                        .name = record->name,
                        .email = record->email,
                        .phonenumber = record->phonenumber,
                        .stripe_accounts = record->stripe_accounts,
                        .custom_attributes = record->custom_attributes};

    if (before == NULL)
        return after;
    after.id = before->id;
    after.created_at_us = before->created_at_us;
    after.updated_at_us = before->updated_at_us;
    if (!(record->fields & BB_FIELD_NAME))
        after.name = before->name;
    if (!(record->fields & BB_FIELD_EMAIL))
        after.email = before->email;
    if (!(record->fields & BB_FIELD_PHONENUMBER))
        after.phonenumber = before->phonenumber;
    if (!(record->fields & BB_FIELD_STRIPE_ACCOUNTS))
        after.stripe_accounts = before->stripe_accounts;
    if (!(record->fields & BB_FIELD_CUSTOM_ATTRIBUTES))
        after.custom_attributes = before->custom_attributes;
    return after;
}

/* A kept field is one and the same string on both sides, and needs no look at its bytes. */
static int same_text(bb_slice a, bb_slice b)
{
    if (a.data == NULL || b.data == NULL)
        return a.data == b.data;
    return a.len == b.len && (a.data == b.data || memcmp(a.data, b.data, a.len) == 0);
}

static int32_t same_json(const bb_allocator *allocator, bb_slice a, bb_slice b, int32_t *same)
{
    *same = same_text(a, b);
    return *same ? BB_OK : bb_json_equal(allocator, a, b, same);
}

int32_t bb_record_is_unchanged(const bb_allocator *allocator, const bb_record *record,
                               const bb_contact *before, const bb_contact *after,
                               int32_t *unchanged)
{
    int32_t code;

    *unchanged = 0;
    if (record->flags & BB_RECORD_TOUCH)
        return BB_OK;
    if (!same_text(before->name, after->name) || !same_text(before->email, after->email) ||
        !same_text(before->phonenumber, after->phonenumber))
        return BB_OK;
    code = same_json(allocator, before->stripe_accounts, after->stripe_accounts, unchanged);
    if (code != BB_OK || !*unchanged)
        return code;
    return same_json(allocator, before->custom_attributes, after->custom_attributes, unchanged);
}
