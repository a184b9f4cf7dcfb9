/*
 * citus_records.c: records as the parameters of a statement, and contacts from its rows.
 */
#include "backends/postgres/marshal/citus_records.h"

#include <string.h>

#include "backends/postgres/marshal/records.h"
#include "backends/postgres/wire/cells.h"
#include "util/slice.h"

/* ----------------------------------------------------------------------------- the parameters */

/* Some of a write's records. */
typedef struct selection {
    const bb_write *write;
    const size_t *picked; /* or NULL: all */
    size_t count;
} selection;

static const bb_record *record_at(const selection *s, size_t i)
{
    return s->write->records[s->picked == NULL ? i : s->picked[i]];
}

static void add_keys(bb_pg_params *params, const selection *s)
{
    bb_pg_params_begin_array(params, BB_PG_TEXT, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_text(params, record_at(s, i)->external_id);
    bb_pg_params_end_array(params);
}

/* JSON is text on the way. */
static void add_field(bb_pg_params *params, const selection *s, const bb_field *field)
{
    bb_pg_params_begin_array(params, BB_PG_TEXT, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_text(params, bb_record_value(record_at(s, i), field));
    bb_pg_params_end_array(params);
}

static void add_flags(bb_pg_params *params, const selection *s)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_i32(params, bb_pg_record_flags(record_at(s, i)));
    bb_pg_params_end_array(params);
}

/* 0 for contacts that nobody will see. */
static void add_entries(bb_pg_params *params, const selection *s)
{
    int is_seen = !(s->write->flags & BB_WRITE_OUTCOMES_ONLY);

    bb_pg_params_begin_array(params, BB_PG_INT4, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_i32(params,
                                 is_seen ? (int32_t)bb_pg_record_entries(record_at(s, i)) : 0);
    bb_pg_params_end_array(params);
}

static void add_removed(bb_pg_params *params, const selection *s)
{
    bb_pg_params_begin_array(params, BB_PG_TEXT, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_text(params, record_at(s, i)->removed_attributes);
    bb_pg_params_end_array(params);
}

static size_t size_of(const selection *s)
{
    size_t size = (BB_PG_RECORD_ARRAYS + 1) * bb_pg_array_size(s->count, 0);

    for (size_t i = 0; i < s->count; i++)
        size += bb_pg_record_bytes(record_at(s, i));
    return size;
}

int32_t bb_pg_params_add_some_records(bb_pg_params *params, const bb_write *write,
                                      const size_t *picked, size_t count, bb_error *error)
{
    selection s = {write, picked, count};
    int32_t code = bb_pg_params_reserve(params, size_of(&s), error);

    if (code != BB_OK)
        return code;
    bb_pg_params_add_i64(params, write->access->chatbot_id);
    bb_pg_params_add_time(params, write->access->now_us);
    add_keys(params, &s);
    add_flags(params, &s);
    add_entries(params, &s);
    bb_pg_params_add_bytes(params, NULL, 0); /* the room */
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        add_field(params, &s, &bb_fields[i]);
    return BB_OK;
}

int32_t bb_pg_params_add_merges(bb_pg_params *params, const bb_write *write, bb_error *error)
{
    selection all = {write, NULL, write->record_count};
    int32_t code = bb_pg_params_add_some_records(params, write, NULL, write->record_count, error);

    if (code != BB_OK)
        return code;
    add_removed(params, &all);
    bb_pg_params_add_limit(params, write);
    return BB_OK;
}

/* ---------------------------------------------------------------------------------- the rows */

int32_t bb_pg_row_kind(const PGresult *rows, int row)
{
    return bb_pg_i32_at(rows, row, BB_PG_ROW_KIND);
}

void bb_pg_row_contact(const PGresult *rows, int row, bb_contact *contact)
{
    bb_pg_contact_at(rows, row, BB_PG_ROW_ID, bb_pg_text_at(rows, row, BB_PG_ROW_KEY), contact);
}

/* The records are sorted by their keys. */
size_t bb_pg_row_record(const bb_write *write, const PGresult *rows, int row)
{
    bb_slice key = bb_pg_text_at(rows, row, BB_PG_ROW_KEY);
    size_t low = 0;
    size_t high = key.data == NULL ? 0 : write->record_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bb_slice_compare(write->records[middle]->external_id, key);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return write->record_count;
}
