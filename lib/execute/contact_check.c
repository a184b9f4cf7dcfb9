/*
 * contact_check.c: whether an answer can hold a contact that a backend hands back (A3).
 */
#include "execute/contact_check.h"

#include "util/fields.h"
#include "util/slice.h"
#include "json/check.h"
#include "json/scan.h"

/* Whether a column's JSON is valid and of the field's kind. */
static int32_t check_json(const bb_allocator *allocator, bb_field_kind kind, bb_slice stored)
{
    const char *start;
    bb_json_facts facts;

    if (stored.len == 0)
        return BB_ERR_INTERNAL;
    start = bb_json_skip_space(stored.data, stored.data + stored.len);
    if (start == stored.data + stored.len || *start != (kind == BB_FIELD_ARRAY ? '[' : '{'))
        return BB_ERR_INTERNAL;
    if (bb_json_check(allocator, stored.data, stored.len, &facts))
        return BB_OK;
    return facts.is_out_of_memory ? BB_ERR_NOMEM : BB_ERR_INTERNAL;
}

static int32_t check_text(bb_slice stored)
{
    return stored.data == NULL || bb_json_check_text(stored) ? BB_OK : BB_ERR_INTERNAL;
}

int32_t bb_contact_check(const bb_allocator *allocator, const bb_record *record,
                         const bb_contact *contact)
{
    int32_t code = BB_OK;

    if (!bb_slice_equal(contact->external_id, record->external_id))
        code = check_text(contact->external_id);
    for (int i = 0; i < BB_FIELD_COUNT && code == BB_OK; i++) {
        const bb_field *field = &bb_fields[i];
        bb_slice stored = bb_contact_value(contact, field);
        if (bb_slice_equal(stored, bb_record_value(record, field)))
            continue;
        code = field->kind == BB_FIELD_TEXT ? check_text(stored)
                                            : check_json(allocator, field->kind, stored);
    }
    return code;
}
