/*
 * records.c: the records of a write as parameters of the write statement.
 */
#include "backends/postgres/marshal/records.h"

#include <string.h>

/* Bits of a record's flags beside those of bb_record.fields; the statement names them by value. */
enum { FLAG_TOUCH = 32, FLAG_WANT_BEFORE = 64, ASKER_SHIFT = 8 };

int32_t bb_pg_record_flags(const bb_record *record)
{
    uint32_t flags = record->fields & 31u;

    if (record->flags & BB_RECORD_TOUCH)
        flags |= FLAG_TOUCH;
    if (record->flags & BB_RECORD_WANT_BEFORE)
        flags |= FLAG_WANT_BEFORE;
    return (int32_t)flags;
}

static int32_t flags_of(const bb_pg_item *item)
{
    return bb_pg_record_flags(item->record) | (int32_t)((item->asker + 1) << ASKER_SHIFT);
}

/* The columns of the records, and the types that they have on the way. */
typedef struct record_field {
    size_t offset; /* of a bb_slice in bb_record */
    uint32_t type;
} record_field;

static const record_field fields[] = {
    {offsetof(bb_record, external_id), BB_PG_TEXT},
    {offsetof(bb_record, name), BB_PG_TEXT},
    {offsetof(bb_record, email), BB_PG_TEXT},
    {offsetof(bb_record, phonenumber), BB_PG_TEXT},
    {offsetof(bb_record, stripe_accounts), BB_PG_JSONB},
    {offsetof(bb_record, custom_attributes), BB_PG_JSONB},
};

enum { SLICE_COLUMNS = sizeof fields / sizeof fields[0] };

static bb_slice value_of(const bb_record *record, const record_field *field)
{
    bb_slice value;

    memcpy(&value, (const char *)record + field->offset, sizeof value);
    return value;
}

/* An empty array or object goes as NULL, since most contacts have one or both, and the server takes
 * long to read JSON however short; the statement puts it back. */
static bb_slice without_empty(bb_slice json)
{
    static const bb_slice none = {NULL, 0};

    return json.len == strlen("[]") ? none : json;
}

static void add_column(bb_pg_params *params, const bb_pg_merge *merge, const record_field *field)
{
    bb_pg_params_begin_array(params, field->type, merge->item_count);
    for (size_t i = 0; i < merge->item_count; i++) {
        bb_slice value = value_of(bb_pg_merge_sent(merge, i)->record, field);
        if (field->type == BB_PG_JSONB)
            bb_pg_params_element_jsonb(params, without_empty(value));
        else
            bb_pg_params_element_text(params, value);
    }
    bb_pg_params_end_array(params);
}

static void add_flags(bb_pg_params *params, const bb_pg_merge *merge)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, merge->item_count);
    for (size_t i = 0; i < merge->item_count; i++)
        bb_pg_params_element_i32(params, flags_of(bb_pg_merge_sent(merge, i)));
    bb_pg_params_end_array(params);
}

static void add_chatbots(bb_pg_params *params, const bb_pg_merge *merge)
{
    bb_pg_params_begin_array(params, BB_PG_INT8, merge->asker_count);
    for (size_t i = 0; i < merge->asker_count; i++)
        bb_pg_params_element_i64(params, merge->askers[i]->chatbot_id);
    bb_pg_params_end_array(params);
}

/* No sum of lengths of bytes that are in memory overflows; 64 is for the headers of a record. */
static size_t size_of(const bb_pg_merge *merge)
{
    size_t size = bb_pg_array_size(0, 0) * (SLICE_COLUMNS + 1) +
                  bb_pg_array_size(merge->asker_count, merge->asker_count * sizeof(int64_t));

    for (size_t i = 0; i < merge->item_count; i++) {
        size += 64;
        for (size_t c = 0; c < SLICE_COLUMNS; c++)
            size += value_of(merge->items[i].record, &fields[c]).len;
    }
    return size;
}

int32_t bb_pg_params_add_records(bb_pg_params *params, const bb_pg_merge *merge, int64_t now_us,
                                 const char *wants_values, bb_error *error)
{
    int32_t code = bb_pg_params_reserve(params, size_of(merge), error);

    if (code != BB_OK)
        return code;
    add_chatbots(params, merge);
    bb_pg_params_add_time(params, now_us);
    add_column(params, merge, &fields[0]);
    add_flags(params, merge);
    for (size_t c = 1; c < SLICE_COLUMNS; c++)
        add_column(params, merge, &fields[c]);
    bb_pg_params_add_bytes(params, wants_values, 1);
    return BB_OK;
}
