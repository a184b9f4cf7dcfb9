/*
 * cells.c: the values of a result in binary format; 0 for a cell of another size.
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

/* A NULL in a JSON column, which must not have one, is read as a new contact's value. */
static bb_slice value_at(const PGresult *result, int row, int column, const bb_field *field)
{
    if (field->kind == BB_FIELD_TEXT)
        return bb_pg_text_at(result, row, column);
    return PQgetisnull(result, row, column) ? field->initial : bb_pg_json_at(result, row, column);
}

void bb_pg_contact_at(const PGresult *result, int row, int column, bb_slice external_id,
                      bb_contact *contact)
{
    memset(contact, 0, sizeof *contact);
    contact->size = sizeof *contact;
    contact->id = bb_pg_i64_at(result, row, column++);
    contact->created_at_us = bb_pg_time_at(result, row, column++);
    contact->updated_at_us = bb_pg_time_at(result, row, column++);
    contact->external_id = external_id;
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bb_contact_set_value(contact, &bb_fields[i],
                             value_at(result, row, column + i, &bb_fields[i]));
}
