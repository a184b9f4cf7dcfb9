/*
 * citus_records.c: records as the parameters of a statement, and contacts from its rows.
 */
#include "backends/postgres/marshal/citus_records.h"

#include <string.h>

#include "backends/postgres/marshal/records.h"
#include "backends/postgres/wire/cells.h"
#include "util/slice.h"

/* The columns that are text on the way. */
enum { EXTERNAL_ID, NAME, EMAIL, PHONENUMBER, STRIPE_ACCOUNTS, CUSTOM_ATTRIBUTES, SLICES };

static bb_slice value_of(const bb_record *record, int column)
{
    switch (column) {
    case EXTERNAL_ID:
        return record->external_id;
    case NAME:
        return record->name;
    case EMAIL:
        return record->email;
    case PHONENUMBER:
        return record->phonenumber;
    case STRIPE_ACCOUNTS:
        return record->stripe_accounts;
    default:
        return record->custom_attributes;
    }
}

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

static void add_column(bb_pg_params *params, const selection *s, int column)
{
    bb_pg_params_begin_array(params, BB_PG_TEXT, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_text(params, value_of(record_at(s, i), column));
    bb_pg_params_end_array(params);
}

static void add_flags(bb_pg_params *params, const selection *s)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, s->count);
    for (size_t i = 0; i < s->count; i++)
        bb_pg_params_element_i32(params, bb_pg_record_flags(record_at(s, i)));
    bb_pg_params_end_array(params);
}

/* No sum of lengths of bytes that are in memory overflows; 64 is for the headers of a record. */
static size_t size_of(const selection *s)
{
    size_t size = bb_pg_array_size(0, 0) * (SLICES + 1);

    for (size_t i = 0; i < s->count; i++) {
        size += 64;
        for (int column = 0; column < SLICES; column++)
            size += value_of(record_at(s, i), column).len;
    }
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
    add_column(params, &s, EXTERNAL_ID);
    add_flags(params, &s);
    for (int column = NAME; column < SLICES; column++)
        add_column(params, &s, column);
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
