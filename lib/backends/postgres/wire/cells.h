/*
 * cells.h: the values of a result in binary format; 0 for a cell of another size.
 */
#ifndef BB_POSTGRES_CELLS_H
#define BB_POSTGRES_CELLS_H

#include <libpq-fe.h>

#include "bb_contacts/storage.h"
#include "util/fields.h"

/* Null for NULL; lives as long as the result. */
bb_slice bb_pg_text_at(const PGresult *result, int row, int column);

/* The text of a jsonb, likewise. */
bb_slice bb_pg_json_at(const PGresult *result, int row, int column);

int64_t bb_pg_i64_at(const PGresult *result, int row, int column);
int64_t bb_pg_time_at(const PGresult *result, int row, int column); /* microseconds since 1970 */

/* -1 for a cell of another size. */
int32_t bb_pg_i32_at(const PGresult *result, int row, int column);

/* What a contact has besides its key, in columns from `column` on: id, created_at, updated_at, and
 * its fields. */
enum { BB_PG_CONTACT_COLUMNS = 3 + BB_FIELD_COUNT };
void bb_pg_contact_at(const PGresult *result, int row, int column, bb_slice external_id,
                      bb_contact *contact);

#endif
