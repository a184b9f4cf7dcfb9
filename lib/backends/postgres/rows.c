/*
 * rows.c: the rows that the write statement answers, given to those who wrote.
 */
#include "backends/postgres/rows.h"

#include <string.h>

#include "backends/postgres/connection.h"
#include "backends/postgres/parameters.h"

/* The write statement's columns; see statements.c. */
enum {
    COLUMN_KIND,
    COLUMN_N,           /* which item, from 1; of a created one its chatbot */
    COLUMN_EXTERNAL_ID, /* of a created one; otherwise NULL */
    COLUMN_ID,
    COLUMN_CREATED_AT,
    COLUMN_UPDATED_AT,
    COLUMN_NAME,
    COLUMN_EMAIL,
    COLUMN_PHONENUMBER,
    COLUMN_STRIPE_ACCOUNTS,
    COLUMN_CUSTOM_ATTRIBUTES,
    COLUMN_COUNT
};

/* A row's kind is a bb_outcome, or this: the contact as it was. */
enum { KIND_BEFORE = 3 };

static bb_slice text_at(const PGresult *result, int row, int column)
{
    bb_slice text = {NULL, 0};

    if (!PQgetisnull(result, row, column)) {
        text.data = PQgetvalue(result, row, column);
        text.len = (size_t)PQgetlength(result, row, column);
    }
    return text;
}

/* A jsonb travels as a version number, 1, and its text. */
static bb_slice json_at(const PGresult *result, int row, int column)
{
    bb_slice json = text_at(result, row, column);

    if (json.len > 0) {
        json.data++;
        json.len--;
    }
    return json;
}

static int64_t i64_at(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 8 ? bb_pg_get_i64(PQgetvalue(result, row, column))
                                                 : 0;
}

static int64_t time_at(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 8 ? bb_pg_get_time(PQgetvalue(result, row, column))
                                                 : 0;
}

static void read_contact(const PGresult *result, int row, bb_slice external_id, bb_contact *contact)
{
    memset(contact, 0, sizeof *contact);
    contact->size = sizeof *contact;
    contact->id = i64_at(result, row, COLUMN_ID);
    contact->created_at_us = time_at(result, row, COLUMN_CREATED_AT);
    contact->updated_at_us = time_at(result, row, COLUMN_UPDATED_AT);
    contact->external_id = external_id;
    contact->name = text_at(result, row, COLUMN_NAME);
    contact->email = text_at(result, row, COLUMN_EMAIL);
    contact->phonenumber = text_at(result, row, COLUMN_PHONENUMBER);
    contact->stripe_accounts = json_at(result, row, COLUMN_STRIPE_ACCOUNTS);
    contact->custom_attributes = json_at(result, row, COLUMN_CUSTOM_ATTRIBUTES);
}

static int32_t kind_of(const PGresult *result, int row)
{
    return PQgetlength(result, row, COLUMN_KIND) == 4
               ? bb_pg_get_i32(PQgetvalue(result, row, COLUMN_KIND))
               : -1;
}

/* Which item a row is about; NULL if it is about none. */
static bb_pg_item *item_of(const bb_pg_merge *merge, const PGresult *result, int row)
{
    int64_t n = i64_at(result, row, COLUMN_N);
    bb_slice key = text_at(result, row, COLUMN_EXTERNAL_ID);

    if (key.data != NULL)
        return bb_pg_merge_find(merge, n, key);
    return n < 1 || (uint64_t)n > merge->item_count ? NULL : &merge->items[n - 1];
}

static void find_before(const bb_pg_merge *merge, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        bb_pg_item *item = item_of(merge, result, row);
        if (kind_of(result, row) == KIND_BEFORE && item != NULL)
            item->before_row = row + 1;
    }
}

static int32_t put_row(const bb_pg_merge *merge, const PGresult *result, int row,
                       const bb_pg_item *item)
{
    const bb_write *write = merge->writes[item->write];
    bb_slice key = item->record->external_id;
    bb_contact contact;
    bb_contact before;

    read_contact(result, row, key, &contact);
    if (item->before_row != 0)
        read_contact(result, item->before_row - 1, key, &before);
    return write->put(write->put_ctx, item->index, kind_of(result, row), &contact,
                      item->before_row != 0 ? &before : NULL);
}

int32_t bb_pg_put_rows(const bb_pg_merge *merge, const PGresult *result, size_t wanted,
                       int32_t *codes, bb_error *error)
{
    size_t count = 0;

    if (PQnfields(result) != COLUMN_COUNT)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
    if (merge->wants_before)
        find_before(merge, result);
    for (int row = 0; row < PQntuples(result); row++) {
        const bb_pg_item *item = item_of(merge, result, row);
        if (kind_of(result, row) == KIND_BEFORE)
            continue;
        if (item == NULL)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        if (codes[item->write] == BB_OK)
            codes[item->write] = put_row(merge, result, row, item);
        count++;
    }
    if (count != wanted)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "not every record came back");
    return BB_OK;
}
