/*
 * records.c: the records of a write as parameters of the write statement.
 */
#include "backends/postgres/marshal/records.h"

#include <string.h>

int32_t bb_pg_record_flags(const bb_record *record)
{
    uint32_t flags = record->fields & BB_FIELD_ALL;

    if (record->flags & BB_RECORD_TOUCH)
        flags |= BB_PG_FLAG_TOUCH;
    if (record->flags & BB_RECORD_WANT_BEFORE)
        flags |= BB_PG_FLAG_WANT_BEFORE;
    if (record->flags & BB_RECORD_MERGE)
        flags |= BB_PG_FLAG_MERGE;
    return (int32_t)flags;
}

/* The bytes are in memory, so the sum of their lengths can't overflow. */
size_t bb_pg_record_bytes(const bb_record *record)
{
    size_t bytes = 2 * sizeof(int32_t) + record->external_id.len + record->removed_attributes.len;

    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bytes += bb_record_value(record, &bb_fields[i]).len;
    return bytes;
}

void bb_pg_params_add_limit(bb_pg_params *params, const bb_write *write)
{
    size_t limit = write->max_attribute_bytes;

    bb_pg_params_add_i64(params, limit == 0 || limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
}

static int32_t flags_of(const bb_pg_item *item)
{
    return bb_pg_record_flags(item->record) | (int32_t)((item->asker + 1) << BB_PG_ASKER_SHIFT);
}

/* An empty array or object goes as NULL: most contacts have one or both, and the server is slow to
 * read JSON, however short. The statement puts it back. */
static bb_slice without_empty(bb_slice json)
{
    static const bb_slice none = {NULL, 0};

    return json.len == strlen("[]") ? none : json;
}

static void add_keys(bb_pg_params *params, const bb_pg_group *group)
{
    bb_pg_params_begin_array(params, BB_PG_TEXT, group->item_count);
    for (size_t i = 0; i < group->item_count; i++)
        bb_pg_params_element_text(params, bb_pg_group_sent(group, i)->record->external_id);
    bb_pg_params_end_array(params);
}

static void add_field(bb_pg_params *params, const bb_pg_group *group, const bb_field *field)
{
    int is_text = field->kind == BB_FIELD_TEXT;

    bb_pg_params_begin_array(params, is_text ? BB_PG_TEXT : BB_PG_JSONB, group->item_count);
    for (size_t i = 0; i < group->item_count; i++) {
        bb_slice value = bb_record_value(bb_pg_group_sent(group, i)->record, field);
        if (is_text)
            bb_pg_params_element_text(params, value);
        else
            bb_pg_params_element_jsonb(params, without_empty(value));
    }
    bb_pg_params_end_array(params);
}

static void add_flags(bb_pg_params *params, const bb_pg_group *group)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, group->item_count);
    for (size_t i = 0; i < group->item_count; i++)
        bb_pg_params_element_i32(params, flags_of(bb_pg_group_sent(group, i)));
    bb_pg_params_end_array(params);
}

/* NULL if the answer has every contact once, as nearly always. */
static void add_entries(bb_pg_params *params, const bb_pg_group *group)
{
    if (!group->has_duplicates) {
        bb_pg_params_add_bytes(params, NULL, 0);
        return;
    }
    bb_pg_params_begin_array(params, BB_PG_INT4, group->item_count);
    for (size_t i = 0; i < group->item_count; i++) {
        const bb_record *record = bb_pg_group_sent(group, i)->record;
        bb_pg_params_element_i32(params, (int32_t)bb_pg_record_entries(record));
    }
    bb_pg_params_end_array(params);
}

static void add_chatbots(bb_pg_params *params, const bb_pg_group *group)
{
    bb_pg_params_begin_array(params, BB_PG_INT8, group->asker_count);
    for (size_t i = 0; i < group->asker_count; i++)
        bb_pg_params_element_i64(params, group->askers[i]->chatbot_id);
    bb_pg_params_end_array(params);
}

/* What only statements that merge have. The names that a record removes are empty in most. */
static void add_merging(bb_pg_params *params, const bb_pg_group *group)
{
    bb_pg_params_begin_array(params, BB_PG_JSONB, group->item_count);
    for (size_t i = 0; i < group->item_count; i++) {
        bb_slice removed = bb_pg_group_sent(group, i)->record->removed_attributes;
        bb_pg_params_element_jsonb(params, without_empty(removed));
    }
    bb_pg_params_end_array(params);
    bb_pg_params_add_limit(params, group->writes[0]);
}

static int sends_merging(const bb_pg_group *group)
{
    return group->merges || group->is_dry_run;
}

static size_t size_of(const bb_pg_group *group)
{
    size_t arrays = BB_PG_RECORD_ARRAYS + (sends_merging(group) ? 1 : 0);
    size_t size = bb_pg_array_size(group->asker_count, group->asker_count * sizeof(int64_t)) +
                  arrays * bb_pg_array_size(group->item_count, 0);

    for (size_t i = 0; i < group->item_count; i++)
        size += bb_pg_record_bytes(group->items[i].record);
    return size;
}

int32_t bb_pg_params_add_records(bb_pg_params *params, const bb_pg_group *group, int64_t now_us,
                                 bb_error *error)
{
    int32_t code = bb_pg_params_reserve(params, size_of(group), error);

    if (code != BB_OK)
        return code;
    add_chatbots(params, group);
    bb_pg_params_add_time(params, now_us);
    add_keys(params, group);
    add_flags(params, group);
    add_entries(params, group);
    bb_pg_params_add_bytes(params, NULL, 0); /* the room */
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        add_field(params, group, &bb_fields[i]);
    if (sends_merging(group))
        add_merging(params, group);
    return BB_OK;
}
