/*
 * rows.c: hands the rows that the write statement returns to the writes that asked for them.
 */
#include "backends/postgres/marshal/rows.h"

#include "backends/postgres/wire/cells.h"
#include "backends/postgres/wire/connection.h"

/* The write statement's columns; see ordinary_statements.c. */
enum {
    COLUMN_KIND,
    COLUMN_N,           /* the item's number, from 1; for a created one its chatbot */
    COLUMN_EXTERNAL_ID, /* for a created item, or one whose key was changed; otherwise NULL */
    COLUMN_ID,          /* and the rest of the contact; see cells.h */
    COLUMN_COUNT = COLUMN_ID + BB_PG_CONTACT_COLUMNS
};

/* A row's kind is a bb_outcome, or one of these: the contact as it was; the verdict, which has its
 * counts in the columns of n and id. */
enum { KIND_BEFORE = 3, KIND_VERDICT = 4 };

/* Which item a row is about; NULL if it is about none. */
static bb_pg_item *item_of(const bb_pg_group *group, const PGresult *result, int row)
{
    int64_t n = bb_pg_i64_at(result, row, COLUMN_N);
    bb_slice key = bb_pg_text_at(result, row, COLUMN_EXTERNAL_ID);

    if (key.data != NULL)
        return bb_pg_group_find(group, n, key);
    return n < 1 || (uint64_t)n > group->item_count ? NULL : bb_pg_group_sent(group, (size_t)n - 1);
}

/* A contact that did not change has one row for both. */
static void find_before(const bb_pg_group *group, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        int32_t kind = bb_pg_i32_at(result, row, COLUMN_KIND);
        bb_pg_item *item = item_of(group, result, row);
        if (item != NULL &&
            (kind == KIND_BEFORE ||
             (kind == BB_UNCHANGED && (item->record->flags & BB_RECORD_WANT_BEFORE))))
            item->before_row = row + 1;
    }
}

/* Fills in the values that the record brought: all those of a new contact, otherwise those that it
 * set. */
static void restore_values(bb_contact *contact, const bb_record *record, int32_t kind)
{
    uint32_t fields = kind == BB_CREATED ? BB_FIELD_ALL : record->fields;

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        const bb_field *field = &bb_fields[i];
        if (fields & field->bit)
            bb_contact_set_value(contact, field, bb_record_value(record, field));
    }
}

static int32_t put_row(const bb_pg_group *group, const PGresult *result, int row, int has_values,
                       const bb_pg_item *item)
{
    const bb_write *write = group->writes[item->write];
    int32_t kind = bb_pg_i32_at(result, row, COLUMN_KIND);
    bb_slice key = item->record->external_id;
    bb_contact contact;
    bb_contact before;

    bb_pg_contact_at(result, row, COLUMN_ID, key, &contact);
    if (!has_values)
        restore_values(&contact, item->record, kind);
    if (item->before_row != 0)
        bb_pg_contact_at(result, item->before_row - 1, COLUMN_ID, key, &before);
    return write->put(write->put_ctx, item->index, kind, &contact,
                      item->before_row != 0 ? &before : NULL);
}

int32_t bb_pg_put_rows(const bb_pg_group *group, const PGresult *result, int has_values,
                       size_t wanted, int32_t *codes, bb_error *error)
{
    size_t count = 0;

    if (PQnfields(result) != COLUMN_COUNT)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
    if (group->wants_before)
        find_before(group, result);
    for (int row = 0; row < PQntuples(result); row++) {
        const bb_pg_item *item = item_of(group, result, row);
        if (bb_pg_i32_at(result, row, COLUMN_KIND) == KIND_BEFORE)
            continue;
        if (item == NULL)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        if (codes[item->write] == BB_OK)
            codes[item->write] = put_row(group, result, row, has_values, item);
        count++;
    }
    if (count != wanted)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "not every record came back");
    return BB_OK;
}

int bb_pg_read_verdict(const PGresult *result, bb_pg_verdict *verdict)
{
    int last = PQntuples(result) - 1;

    if (last < 0 || PQnfields(result) != COLUMN_COUNT ||
        bb_pg_i32_at(result, last, COLUMN_KIND) != KIND_VERDICT)
        return 0;
    verdict->not_inserted = bb_pg_i64_at(result, last, COLUMN_N);
    verdict->not_updated = bb_pg_i64_at(result, last, COLUMN_ID);
    return 1;
}
