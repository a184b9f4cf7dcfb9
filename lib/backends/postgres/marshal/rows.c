/*
 * rows.c: hands the rows that the write statement returns to the writes that asked for them.
 */
#include "backends/postgres/marshal/rows.h"

#include <string.h>

#include "backends/postgres/wire/cells.h"
#include "backends/postgres/wire/connection.h"

/* The write statement's columns; see ordinary_statements.c. */
enum {
    COLUMN_KIND,
    COLUMN_N, /* the item's number, from 1; for one that a plain write created its chatbot */
    COLUMN_EXTERNAL_ID, /* for such an item; otherwise NULL */
    COLUMN_ID,          /* and the rest of the contact; see cells.h */
    COLUMN_COUNT = COLUMN_ID + BB_PG_CONTACT_COLUMNS
};

/* The columns of what is read after a careful write; one more follows. */
enum { STORED_N, STORED_ID };

/* A row's kind is a bb_outcome, or one of these: the contact as it was; the verdict, which has its
 * counts in the columns of n and id; contacts as they were are too large, and left out; a record
 * that merging would make too large; of a dry run, that the table has rules of the host's. */
enum {
    KIND_BEFORE = 3,
    KIND_VERDICT = 4,
    KIND_TOO_LARGE = 5,
    KIND_OVERSIZED = 6,
    KIND_HOST_RULES = 7
};

/* The item with a number, from 1; NULL if there is none. */
static bb_pg_item *numbered_item(const bb_pg_group *group, int64_t n)
{
    return n < 1 || (uint64_t)n > group->item_count ? NULL : bb_pg_group_sent(group, (size_t)n - 1);
}

/* Which item a row is about; NULL if it is about none. */
static bb_pg_item *item_of(const bb_pg_group *group, const PGresult *written, int row)
{
    int64_t n = bb_pg_i64_at(written, row, COLUMN_N);
    bb_slice key = bb_pg_text_at(written, row, COLUMN_EXTERNAL_ID);

    return key.data != NULL ? bb_pg_group_find(group, n, key) : numbered_item(group, n);
}

/* A contact that did not change has one row for both. */
static void find_before(bb_pg_group *group, const PGresult *written)
{
    for (int row = 0; row < PQntuples(written); row++) {
        int32_t kind = bb_pg_i32_at(written, row, COLUMN_KIND);
        bb_pg_item *item = item_of(group, written, row);
        if (item != NULL &&
            (kind == KIND_BEFORE ||
             (kind == BB_UNCHANGED && (item->record->flags & BB_RECORD_WANT_BEFORE))))
            item->before_row = row + 1;
    }
}

static void find_stored(bb_pg_group *group, const PGresult *stored)
{
    for (int row = 0; row < PQntuples(stored); row++) {
        bb_pg_item *item = numbered_item(group, bb_pg_i64_at(stored, row, STORED_N));
        if (item != NULL)
            item->stored_row = row + 1;
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

static int32_t put_row(const bb_pg_group *group, const PGresult *written, int row,
                       const PGresult *stored, const bb_pg_item *item)
{
    const bb_write *write = group->writes[item->write];
    int32_t kind = bb_pg_i32_at(written, row, COLUMN_KIND);
    bb_slice key = item->record->external_id;
    bb_contact contact;
    bb_contact before;

    if (item->before_row != 0)
        bb_pg_contact_at(written, item->before_row - 1, COLUMN_ID, key, &before);
    if (!group->is_seen)
        return write->put(write->put_ctx, item->index, kind, NULL,
                          item->before_row != 0 ? &before : NULL);
    if (stored != NULL) {
        bb_pg_contact_at(stored, item->stored_row - 1, STORED_ID, key, &contact);
    } else {
        bb_pg_contact_at(written, row, COLUMN_ID, key, &contact);
        if (!group->has_all_values)
            restore_values(&contact, item->record, kind);
    }
    if (group->is_dry_run && kind == BB_CREATED)
        contact.id = 0; /* of a trial */
    return write->put(write->put_ctx, item->index, kind, &contact,
                      item->before_row != 0 ? &before : NULL);
}

int32_t bb_pg_put_rows(bb_pg_group *group, const PGresult *written, const PGresult *stored,
                       size_t wanted, int32_t *codes, bb_error *error)
{
    size_t count = 0;

    if (PQnfields(written) != COLUMN_COUNT)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
    if (group->wants_before)
        find_before(group, written);
    if (stored != NULL)
        find_stored(group, stored);
    for (int row = 0; row < PQntuples(written); row++) {
        const bb_pg_item *item = item_of(group, written, row);
        int32_t kind = bb_pg_i32_at(written, row, COLUMN_KIND);
        if (kind == KIND_BEFORE || kind == KIND_HOST_RULES)
            continue;
        if (item == NULL || (stored != NULL && item->stored_row == 0))
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        if (codes[item->write] == BB_OK)
            codes[item->write] = put_row(group, written, row, stored, item);
        count++;
    }
    if (count != wanted)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "not every record came back");
    return BB_OK;
}

void bb_pg_read_verdict(const PGresult *written, const PGresult *stored, bb_pg_verdict *verdict)
{
    int last = PQntuples(written) - 1;

    memset(verdict, 0, sizeof *verdict);
    if (last >= 0 && PQnfields(written) == COLUMN_COUNT &&
        bb_pg_i32_at(written, last, COLUMN_KIND) == KIND_VERDICT) {
        verdict->not_inserted = bb_pg_i64_at(written, last, COLUMN_N);
        verdict->not_updated = bb_pg_i64_at(written, last, COLUMN_ID);
    }
    for (int row = 0; row < PQntuples(stored); row++) {
        if (bb_pg_i64_at(stored, row, STORED_N) == 0)
            verdict->is_too_large = 1;
        else
            verdict->gone += PQgetisnull(stored, row, STORED_ID);
    }
    for (int row = last; row >= 0 && bb_pg_i32_at(written, row, COLUMN_KIND) > KIND_BEFORE; row--) {
        verdict->is_too_large |= bb_pg_i32_at(written, row, COLUMN_KIND) == KIND_TOO_LARGE;
        verdict->oversized += bb_pg_i32_at(written, row, COLUMN_KIND) == KIND_OVERSIZED;
        verdict->has_host_rules |= bb_pg_i32_at(written, row, COLUMN_KIND) == KIND_HOST_RULES;
    }
}

int32_t bb_pg_put_oversized(bb_pg_group *group, const PGresult *written)
{
    int32_t code = BB_OK;

    for (int row = 0; row < PQntuples(written) && code == BB_OK; row++) {
        const bb_pg_item *item = item_of(group, written, row);
        const bb_write *write;
        if (item == NULL || bb_pg_i32_at(written, row, COLUMN_KIND) != KIND_OVERSIZED)
            continue;
        write = group->writes[item->write];
        code = write->put(write->put_ctx, item->index, BB_PUT_OVERSIZED, NULL, NULL);
    }
    return code;
}

int bb_pg_needs_care(const PGresult *check)
{
    return PQntuples(check) == 1 && bb_pg_i32_at(check, 0, 0) > 0;
}
