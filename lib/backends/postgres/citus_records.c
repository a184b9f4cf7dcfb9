/*
 * citus_records.c: records as the parameters of a statement, and contacts from its rows.
 */
#include "backends/postgres/citus_records.h"

#include <string.h>

/* Bits of a record's flags beside those of bb_record.fields; the statements name them by value. */
enum { FLAG_TOUCH = 32, FLAG_WANT_BEFORE = 64 };

enum { COLUMN_CREATED_AT = BB_PG_ROW_ID + 1, COLUMN_UPDATED_AT, COLUMN_FIELDS };

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

static int32_t flags_of(const bb_record *record)
{
    uint32_t flags = record->fields & 31u;

    if (record->flags & BB_RECORD_TOUCH)
        flags |= FLAG_TOUCH;
    if (record->flags & BB_RECORD_WANT_BEFORE)
        flags |= FLAG_WANT_BEFORE;
    return (int32_t)flags;
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
        bb_pg_params_element_i32(params, flags_of(record_at(s, i)));
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

int32_t bb_pg_params_add_records(bb_pg_params *params, const bb_write *write, const size_t *picked,
                                 size_t count, bb_error *error)
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

static bb_slice text_at(const PGresult *rows, int row, int column)
{
    bb_slice text = {NULL, 0};

    if (!PQgetisnull(rows, row, column)) {
        text.data = PQgetvalue(rows, row, column);
        text.len = (size_t)PQgetlength(rows, row, column);
    }
    return text;
}

/* A jsonb travels as a version number, 1, and its text. */
static bb_slice json_at(const PGresult *rows, int row, int column)
{
    bb_slice json = text_at(rows, row, column);

    if (json.len > 0) {
        json.data++;
        json.len--;
    }
    return json;
}

static int is_number(const PGresult *rows, int row, int column, int size)
{
    return PQgetlength(rows, row, column) == size;
}

int32_t bb_pg_row_kind(const PGresult *rows, int row)
{
    return is_number(rows, row, BB_PG_ROW_KIND, 4)
               ? bb_pg_get_i32(PQgetvalue(rows, row, BB_PG_ROW_KIND))
               : -1;
}

void bb_pg_row_contact(const PGresult *rows, int row, bb_contact *contact)
{
    memset(contact, 0, sizeof *contact);
    contact->size = sizeof *contact;
    if (is_number(rows, row, BB_PG_ROW_ID, 8))
        contact->id = bb_pg_get_i64(PQgetvalue(rows, row, BB_PG_ROW_ID));
    if (is_number(rows, row, COLUMN_CREATED_AT, 8))
        contact->created_at_us = bb_pg_get_time(PQgetvalue(rows, row, COLUMN_CREATED_AT));
    if (is_number(rows, row, COLUMN_UPDATED_AT, 8))
        contact->updated_at_us = bb_pg_get_time(PQgetvalue(rows, row, COLUMN_UPDATED_AT));
    contact->external_id = text_at(rows, row, BB_PG_ROW_KEY);
    contact->name = text_at(rows, row, COLUMN_FIELDS);
    contact->email = text_at(rows, row, COLUMN_FIELDS + 1);
    contact->phonenumber = text_at(rows, row, COLUMN_FIELDS + 2);
    contact->stripe_accounts = json_at(rows, row, COLUMN_FIELDS + 3);
    contact->custom_attributes = json_at(rows, row, COLUMN_FIELDS + 4);
}

/* Byte by byte, the shorter first. */
static int compare(bb_slice a, bb_slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The records are sorted by their keys. */
size_t bb_pg_row_record(const bb_write *write, const PGresult *rows, int row)
{
    bb_slice key = text_at(rows, row, BB_PG_ROW_KEY);
    size_t low = 0;
    size_t high = key.data == NULL ? 0 : write->record_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(write->records[middle]->external_id, key);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return write->record_count;
}
