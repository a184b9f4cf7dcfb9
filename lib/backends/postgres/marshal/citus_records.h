/*
 * citus_records.h: records as the parameters of a statement, and contacts from its rows.
 */
#ifndef BB_POSTGRES_CITUS_RECORDS_H
#define BB_POSTGRES_CITUS_RECORDS_H

#include <libpq-fe.h>

#include "backends/postgres/wire/cells.h"
#include "backends/postgres/wire/parameters.h"

/* The columns of the rows that come back. Those of a look-up that merges have one more, the merged
 * value. */
enum {
    BB_PG_ROW_KEY,
    BB_PG_ROW_KIND,
    BB_PG_ROW_ID, /* and the rest of the contact; see cells.h */
    BB_PG_ROW_COLUMNS = BB_PG_ROW_ID + BB_PG_CONTACT_COLUMNS,
    BB_PG_ROW_MERGED = BB_PG_ROW_COLUMNS
};

/* A row's kind besides a bb_outcome: merging would make the record too large (D3). */
enum { BB_PG_ROW_OVERSIZED = 5 };

/*
 * Adds the chatbot, the time, and the records whose indexes are in `picked` (NULL: all), one array
 * a column. The room is NULL. BB_ERR_NOMEM, or BB_ERR_INTERNAL if they are too large for a message.
 */
int32_t bb_pg_params_add_some_records(bb_pg_params *params, const bb_write *write,
                                      const size_t *picked, size_t count, bb_error *error);

/* The same for all records, with what a statement that merges takes besides. */
int32_t bb_pg_params_add_merges(bb_pg_params *params, const bb_write *write, bb_error *error);

/* The index of the record that a row is about; record_count if it is about none. */
size_t bb_pg_row_record(const bb_write *write, const PGresult *rows, int row);

/* What became of its contact, a bb_outcome; -1 if the row does not say. */
int32_t bb_pg_row_kind(const PGresult *rows, int row);

/* The contact that a row holds; it lives as long as the rows. */
void bb_pg_row_contact(const PGresult *rows, int row, bb_contact *contact);

#endif
