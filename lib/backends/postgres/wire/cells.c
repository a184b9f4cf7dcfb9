/*
 * cells.c: the values of a result in binary format; of a cell that is of another size, 0.
 */
#include "backends/postgres/wire/cells.h"

#include <string.h>

#include "backends/postgres/wire/parameters.h"

bb_slice bb_pg_text_at(const PGresult *result, int row, int column)
{
    bb_slice text = {NULL, 0};

    if (!PQgetisnull(result, row, column)) {
        text.data = PQgetvalue(result, row, column);
        text.len = (size_t)PQgetlength(result, row, column);
    }
    return text;
}

/* A jsonb travels as a version number, 1, and its text. */
bb_slice bb_pg_json_at(const PGresult *result, int row, int column)
{
    bb_slice json = bb_pg_text_at(result, row, column);

    if (json.len > 0) {
        json.data++;
        json.len--;
    }
    return json;
}

int64_t bb_pg_i64_at(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 8 ? bb_pg_get_i64(PQgetvalue(result, row, column))
                                                 : 0;
}

int64_t bb_pg_time_at(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 8 ? bb_pg_get_time(PQgetvalue(result, row, column))
                                                 : 0;
}

int32_t bb_pg_i32_at(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 4 ? bb_pg_get_i32(PQgetvalue(result, row, column))
                                                 : -1;
}

/* A NULL, which the columns are declared not to hold, is what a new contact has. */
static bb_slice json_or(const PGresult *result, int row, int column, const char *empty)
{
    const bb_slice none = {empty, strlen(empty)};

    return PQgetisnull(result, row, column) ? none : bb_pg_json_at(result, row, column);
}

void bb_pg_contact_at(const PGresult *result, int row, int column, bb_slice external_id,
                      bb_contact *contact)
{
    memset(contact, 0, sizeof *contact);
    contact->size = sizeof *contact;
    contact->id = bb_pg_i64_at(result, row, column);
    contact->created_at_us = bb_pg_time_at(result, row, column + 1);
    contact->updated_at_us = bb_pg_time_at(result, row, column + 2);
    contact->external_id = external_id;
    contact->name = bb_pg_text_at(result, row, column + 3);
    contact->email = bb_pg_text_at(result, row, column + 4);
    contact->phonenumber = bb_pg_text_at(result, row, column + 5);
    contact->stripe_accounts = json_or(result, row, column + 6, "[]");
    contact->custom_attributes = json_or(result, row, column + 7, "{}");
}
