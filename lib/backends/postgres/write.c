/*
 * write.c: stores the records of a request, all or none, in one round trip.
 *
 * Five statements are sent at once: begin, settings, access and locks, write, commit. Each sees
 * what was committed when it began (read committed), so that the write sees all that was written
 * by those it had to wait for.
 */
#include "backends/postgres/write.h"

#include <string.h>

#include "backends/postgres/access.h"
#include "backends/postgres/citus_write.h"
#include "backends/postgres/engine.h"
#include "backends/postgres/locks.h"
#include "backends/postgres/sqlstate.h"

enum { CALL_BEGIN, CALL_SETTINGS, CALL_ACCESS, CALL_WRITE, CALL_COMMIT, CALL_COUNT };

/* The write statement's columns; the order of the parameters is that of write_params(). */
enum {
    COLUMN_KIND,
    COLUMN_N,           /* which record, from 1; NULL for a created one */
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

/* Bits of a record's flags beside those of bb_record.fields; the statement names them by value. */
enum { FLAG_TOUCH = 32, FLAG_WANT_BEFORE = 64 };

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

static void add_locks(bb_pg_params *params, const int64_t *locks, size_t count)
{
    bb_pg_params_begin_array(params, BB_PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        bb_pg_params_element_i64(params, locks[i]);
    bb_pg_params_end_array(params);
}

static int32_t add_access(bb_pg_params *params, const bb_write *write, bb_error *error)
{
    bb_pg_locks locks;
    int32_t code;

    bb_pg_locks_init(&locks, write);
    code = bb_pg_params_reserve(params,
                                bb_pg_array_size(locks.shared_count, sizeof locks.shared) +
                                    bb_pg_array_size(locks.exclusive_count, sizeof locks.exclusive),
                                error);
    if (code != BB_OK)
        return code;
    bb_pg_params_add_access(params, write->access);
    add_locks(params, locks.shared, locks.shared_count);
    add_locks(params, locks.exclusive, locks.exclusive_count);
    return BB_OK;
}

/* The columns of the records, and the types that they have on the way. */
typedef struct record_field {
    size_t offset; /* of a bb_slice in bb_record */
    uint32_t type;
} record_field;

static const record_field fields[] = {
    {offsetof(bb_record, external_id), BB_PG_TEXT},
    {offsetof(bb_record, name), BB_PG_TEXT},
    {offsetof(bb_record, email), BB_PG_TEXT},
    {offsetof(bb_record, phonenumber), BB_PG_TEXT},
    {offsetof(bb_record, stripe_accounts), BB_PG_JSONB},
    {offsetof(bb_record, custom_attributes), BB_PG_JSONB},
};

enum { SLICE_COLUMNS = sizeof fields / sizeof fields[0] };

static bb_slice value_of(const bb_record *record, const record_field *field)
{
    bb_slice value;

    memcpy(&value, (const char *)record + field->offset, sizeof value);
    return value;
}

static void add_column(bb_pg_params *params, const bb_write *write, const record_field *field)
{
    bb_pg_params_begin_array(params, field->type, write->record_count);
    for (size_t i = 0; i < write->record_count; i++) {
        bb_slice value = value_of(write->records[i], field);
        if (field->type == BB_PG_JSONB)
            bb_pg_params_element_jsonb(params, value);
        else
            bb_pg_params_element_text(params, value);
    }
    bb_pg_params_end_array(params);
}

static void add_flags(bb_pg_params *params, const bb_write *write)
{
    bb_pg_params_begin_array(params, BB_PG_INT4, write->record_count);
    for (size_t i = 0; i < write->record_count; i++)
        bb_pg_params_element_i32(params, flags_of(write->records[i]));
    bb_pg_params_end_array(params);
}

/* No sum of lengths of bytes that are in memory overflows; 64 is for the headers of a record. */
static size_t size_of(const bb_write *write)
{
    size_t size = bb_pg_array_size(0, 0) * (SLICE_COLUMNS + 1);

    for (size_t i = 0; i < write->record_count; i++) {
        size += 64;
        for (size_t c = 0; c < SLICE_COLUMNS; c++)
            size += value_of(write->records[i], &fields[c]).len;
    }
    return size;
}

static int32_t add_records(bb_pg_params *params, const bb_write *write, bb_error *error)
{
    int32_t code = bb_pg_params_reserve(params, size_of(write), error);

    if (code != BB_OK)
        return code;
    bb_pg_params_add_i64(params, write->access->chatbot_id);
    bb_pg_params_add_time(params, write->access->now_us);
    add_column(params, write, &fields[0]);
    add_flags(params, write);
    for (size_t c = 1; c < SLICE_COLUMNS; c++)
        add_column(params, write, &fields[c]);
    return BB_OK;
}

/* --------------------------------------------------------------------------------- the result */

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

/* The record with this key; record_count if there is none. They are sorted. */
static size_t find_record(const bb_write *write, bb_slice key)
{
    size_t low = 0;
    size_t high = write->record_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bb_slice other = write->records[middle]->external_id;
        int order = memcmp(other.data, key.data, other.len < key.len ? other.len : key.len);
        if (order == 0 && other.len == key.len)
            return middle;
        if (order < 0 || (order == 0 && other.len < key.len))
            low = middle + 1;
        else
            high = middle;
    }
    return write->record_count;
}

static int32_t kind_of(const PGresult *result, int row)
{
    return PQgetlength(result, row, COLUMN_KIND) == 4
               ? bb_pg_get_i32(PQgetvalue(result, row, COLUMN_KIND))
               : -1;
}

/* Which record a row is about; record_count if it is about none. */
static size_t record_of(const bb_write *write, const PGresult *result, int row)
{
    int64_t n = i64_at(result, row, COLUMN_N);
    bb_slice key = text_at(result, row, COLUMN_EXTERNAL_ID);

    if (key.data != NULL)
        return find_record(write, key);
    return n < 1 || (uint64_t)n > write->record_count ? write->record_count : (size_t)n - 1;
}

/* Room to find for each record the row with the contact as it was; `*rows` is NULL if no record
 * wants one, which is the ordinary case. Comes before anything is sent, as memory that runs out
 * after the commit could not undo it. */
static int32_t reserve_before(const bb_pg_session *session, const bb_write *write, int **rows,
                              bb_error *error)
{
    uint32_t flags = 0;

    *rows = NULL;
    for (size_t i = 0; i < write->record_count; i++)
        flags |= write->records[i]->flags;
    if (!(flags & BB_RECORD_WANT_BEFORE))
        return BB_OK;
    *rows = bb_alloc_array(&session->store->allocator, write->record_count, sizeof **rows);
    if (*rows == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    return BB_OK;
}

/* Counted from 1; 0: there is none. */
static void find_before(const bb_write *write, const PGresult *result, int *rows)
{
    memset(rows, 0, write->record_count * sizeof *rows);
    for (int row = 0; row < PQntuples(result); row++) {
        size_t n = record_of(write, result, row);
        if (kind_of(result, row) == KIND_BEFORE && n < write->record_count)
            rows[n] = row + 1;
    }
}

static int32_t put_row(const bb_write *write, const PGresult *result, int row, size_t n,
                       const int *before_rows)
{
    bb_slice key = write->records[n]->external_id;
    int before_row = before_rows == NULL ? 0 : before_rows[n];
    bb_contact contact;
    bb_contact before;

    read_contact(result, row, key, &contact);
    if (before_row != 0)
        read_contact(result, before_row - 1, key, &before);
    return write->put(write->put_ctx, n, kind_of(result, row), &contact,
                      before_row != 0 ? &before : NULL);
}

/*
 * Gives the rows to the library. They are committed by now, so that put() running out of memory
 * can't undo them: the client is told 500, and may repeat the request, which changes nothing more.
 */
static int32_t put_rows(const bb_write *write, const PGresult *result, int *before_rows,
                        bb_error *error)
{
    size_t count = 0;

    if (before_rows != NULL)
        find_before(write, result, before_rows);
    for (int row = 0; row < PQntuples(result); row++) {
        size_t n = record_of(write, result, row);
        if (kind_of(result, row) == KIND_BEFORE)
            continue;
        if (n == write->record_count)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        if (put_row(write, result, row, n, before_rows) != BB_OK)
            return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a result");
        count++;
    }
    if (count != write->record_count)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "not every record came back");
    return BB_OK;
}

/* ---------------------------------------------------------------------------------- the whole */

/* What all results together mean; `code` is what running them returned. */
static int32_t conclude(const bb_write *write, const bb_pg_call *calls, int *before_rows,
                        int32_t code, bb_error *error)
{
    const PGresult *access = calls[CALL_ACCESS].result;
    const PGresult *rows = calls[CALL_WRITE].result;

    /* A refusal stands even if what came after it failed, as the write does on a standby (A1). */
    if (PQresultStatus(access) == PGRES_TUPLES_OK) {
        int32_t decision = bb_pg_decision(access, error);
        if (decision != BB_OK)
            return decision;
    }
    if (code != BB_OK)
        return code;
    if (strcmp(PQcmdStatus(calls[CALL_COMMIT].result), "COMMIT") != 0)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "the transaction was rolled back");
    if (PQnfields(rows) != COLUMN_COUNT)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
    return put_rows(write, rows, before_rows, error);
}

/* One attempt with parameters that are ready. */
static int32_t attempt(bb_pg_session *session, const bb_write *write, bb_pg_call *calls,
                       int *before_rows, bb_error *error)
{
    int64_t deadline = write->access->deadline;
    bb_pg_params timeouts;
    int32_t code;

    bb_pg_params_init(&timeouts, &session->store->allocator);
    bb_pg_params_add_timeouts(&timeouts, deadline);
    calls[CALL_SETTINGS].params = &timeouts;
    code = bb_pg_run(session, calls, CALL_COUNT, deadline, error);
    code = conclude(write, calls, before_rows, code, error);
    bb_pg_calls_clear(calls, CALL_COUNT);
    bb_pg_params_free(&timeouts);
    return code;
}

static int32_t write_ordinarily(bb_pg_session *self, const bb_write *write, bb_error *error)
{
    bb_pg_params access;
    bb_pg_params records;
    bb_pg_call calls[CALL_COUNT] = {
        [CALL_BEGIN] = {.statement = BB_PG_BEGIN},
        [CALL_SETTINGS] = {.statement = BB_PG_SETTINGS},
        [CALL_ACCESS] = {.statement = BB_PG_ACCESS, .params = &access},
        [CALL_WRITE] = {.statement = BB_PG_WRITE, .params = &records},
        [CALL_COMMIT] = {.statement = BB_PG_COMMIT},
    };
    int *before_rows;
    int32_t code;

    bb_pg_params_init(&access, &self->store->allocator);
    bb_pg_params_init(&records, &self->store->allocator);
    code = reserve_before(self, write, &before_rows, error);
    if (code == BB_OK)
        code = add_access(&access, write, error);
    if (code == BB_OK)
        code = add_records(&records, write, error);
    if (code == BB_OK)
        code = attempt(self, write, calls, before_rows, error);
    /* A key that a writer without the locks has just added is there at the second attempt; another
     * uniqueness rule is broken again. */
    if (code == BB_ERR_CONFLICT) {
        bb_pg_error(error, BB_OK, NULL, "");
        code = attempt(self, write, calls, before_rows, error);
    }
    if (code == BB_OK)
        self->has_written = 1;
    else if (strcmp(error->sqlstate, BB_PG_SQLSTATE_READ_ONLY) == 0 && code == BB_ERR_UNAVAILABLE)
        code = bb_pg_leave_reader(self);
    bb_free(&self->store->allocator, before_rows);
    bb_pg_params_free(&records);
    bb_pg_params_free(&access);
    return code;
}

int32_t bb_pg_write(void *session, const bb_write *write, bb_error *error)
{
    return bb_pg_engine_write(session, write, write_ordinarily, bb_pg_citus_write, error);
}
