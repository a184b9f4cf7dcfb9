/*
 * citus_write.c: stores the records of a request on Citus, all or none, in two round trips.
 *
 * A statement that Citus hands on to one node whole can't both update and insert, and an insert
 * that skips existing rows draws ids for them all the same. So the first round trip (begin,
 * settings, access and locks, measure, find) tells which contacts exist and which differ, and the
 * second writes them: update, insert, commit, each only if needed. Between the two, no one who
 * takes the locks can change them. Contacts that do not change are only read. So it is the first
 * that merges (D2), and the second stores what has come of it.
 */
#include "backends/postgres/write/citus_write.h"

#include <string.h>

#include "backends/postgres/marshal/access.h"
#include "backends/postgres/marshal/citus_records.h"
#include "backends/postgres/marshal/locks.h"
#include "backends/postgres/wire/pipeline.h"
#include "backends/postgres/wire/sqlstate.h"
#include "backends/postgres/write/conflict.h"

enum { QUERY_BEGIN, QUERY_SETTINGS, QUERY_ACCESS, QUERY_MEASURE, QUERY_FIND, FIND_QUERIES };
enum { MOST_STORE_QUERIES = 3 };

/* A write on its way. Memory is taken before anything is sent, since running out of it after the
 * commit could not undo that. */
typedef struct citus_write {
    bb_pg_session *session;
    const bb_write *write;
    bb_write sent;             /* the same with other records, if need be */
    const bb_record **records; /* these; NULL: the given ones are sent */
    bb_record *changed;        /* those of them that are not the given ones */
    int *found_rows;           /* for each record, the row that was found, from 1; 0: none */
    size_t *picked;            /* the records to update, and after them those to insert */
    size_t updates;
    size_t inserts;
    size_t missing; /* contacts that are missing, though the server said that it committed them */
    unsigned tries; /* that ended so */
    unsigned conflicts; /* that were met */
    bb_pg_rule rule;    /* of the last one */
} citus_write;

/* How often a write is tried that leaves out contacts. Others who remove contacts get in the way
 * once, seldom twice; a policy does each time. */
enum { MOST_TRIES = 5 };

static int is_dry_run(const bb_write *write)
{
    return (write->flags & BB_WRITE_DRY_RUN) != 0;
}

static int merges(const bb_write *write)
{
    for (size_t i = 0; i < write->record_count; i++) {
        if (write->records[i]->flags & BB_RECORD_MERGE)
            return 1;
    }
    return 0;
}

/* Whether not all records are sent as they were given. */
static int needs_records(const bb_write *write)
{
    return is_dry_run(write) || merges(write);
}

/* What the first round trip sends of a record. A dry run wants each contact as it is. */
static const bb_record *first_sent(citus_write *w, size_t n)
{
    const bb_record *given = w->write->records[n];

    if (!is_dry_run(w->write))
        return given;
    w->changed[n] = *given;
    w->changed[n].flags |= BB_RECORD_WANT_BEFORE;
    return &w->changed[n];
}

static int32_t citus_write_init(citus_write *w, bb_pg_session *session, const bb_write *write,
                                bb_error *error)
{
    const bb_allocator *allocator = &session->store->allocator;

    *w = (citus_write){.session = session, .write = write, .sent = *write};
    w->found_rows = bb_alloc_array(allocator, write->record_count, sizeof *w->found_rows);
    w->picked = bb_alloc_array(allocator, write->record_count, sizeof *w->picked);
    if (needs_records(write)) {
        w->records = bb_alloc_array(allocator, write->record_count, sizeof(const bb_record *));
        w->changed = bb_alloc_array(allocator, write->record_count, sizeof *w->changed);
        w->sent.records = w->records;
    }
    if (w->found_rows == NULL || w->picked == NULL ||
        (needs_records(write) && (w->records == NULL || w->changed == NULL)))
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    for (size_t n = 0; w->records != NULL && n < write->record_count; n++)
        w->records[n] = first_sent(w, n);
    return BB_OK;
}

static void citus_write_free(citus_write *w)
{
    bb_free(&w->session->store->allocator, w->changed);
    bb_free(&w->session->store->allocator, w->records);
    bb_free(&w->session->store->allocator, w->picked);
    bb_free(&w->session->store->allocator, w->found_rows);
}

/* Ends a transaction that must not be committed. */
static void roll_back(bb_pg_session *session, int64_t deadline)
{
    bb_pg_query query = {.text = "ROLLBACK"};

    if (session->conn == NULL || PQtransactionStatus(session->conn) == PQTRANS_IDLE)
        return;
    if (bb_pg_run(session, &query, 1, deadline, NULL) != BB_OK)
        bb_pg_disconnect(session);
    bb_pg_queries_clear(&query, 1);
}

/* ----------------------------------------------------------------------- the first round trip */

/* Adds the locks, which are those of the ordinary write. */
static int32_t add_locks(bb_pg_params *params, const bb_pg_group *group, bb_error *error)
{
    bb_pg_locks locks;
    int32_t code = bb_pg_locks_init(&locks, group, error);

    if (code == BB_OK)
        code = bb_pg_params_reserve(
            params, bb_pg_lock_list_size(&locks.shared) + bb_pg_lock_list_size(&locks.exclusive),
            error);
    if (code != BB_OK)
        return code;
    bb_pg_params_add_locks(params, &locks.shared);
    bb_pg_params_add_locks(params, &locks.exclusive);
    return BB_OK;
}

static int32_t add_access(bb_pg_params *params, const bb_pg_session *session, const bb_write *write,
                          bb_error *error)
{
    bb_pg_group group;
    int32_t code = bb_pg_group_init(&group, &session->store->allocator, &write, 1, error);

    bb_pg_params_add_access(params, write->access);
    if (code == BB_OK && is_dry_run(write))
        bb_pg_params_add_no_locks(params);
    else if (code == BB_OK)
        code = add_locks(params, &group, error);
    bb_pg_params_add_access_timeouts(params, write->access);
    bb_pg_group_free(&group);
    return code;
}

/* Runs the queries, whose results are the caller's to clear, and leaves the transaction open. */
static int32_t find(const citus_write *w, bb_pg_query *queries, bb_error *error)
{
    const bb_allocator *allocator = &w->session->store->allocator;
    const bb_write *write = w->write;
    bb_pg_params timeouts, access, records;
    int64_t room = write->max_bytes == 0 || write->max_bytes > INT64_MAX
                       ? INT64_MAX
                       : (int64_t)write->max_bytes;
    int32_t code;

    bb_pg_params_init(&timeouts, allocator);
    bb_pg_params_init(&access, allocator);
    bb_pg_params_init(&records, allocator);
    bb_pg_params_add_access_timeouts(&timeouts, write->access);
    queries[QUERY_BEGIN] = (bb_pg_query){.statement = BB_PG_BEGIN};
    queries[QUERY_SETTINGS] = (bb_pg_query){.statement = BB_PG_TIMEOUTS, .params = &timeouts};
    queries[QUERY_ACCESS] = (bb_pg_query){.statement = BB_PG_CITUS_ACCESS, .params = &access};
    queries[QUERY_MEASURE] = (bb_pg_query){
        .statement = w->records != NULL ? BB_PG_CITUS_MEASURE_MERGED : BB_PG_CITUS_MEASURE,
        .params = &records};
    queries[QUERY_FIND] =
        (bb_pg_query){.statement = w->records != NULL ? BB_PG_CITUS_FIND_MERGED : BB_PG_CITUS_FIND,
                      .params = &records};
    code = add_access(&access, w->session, write, error);
    if (code == BB_OK && w->records != NULL)
        code = bb_pg_params_add_merges(&records, &w->sent, error);
    else if (code == BB_OK)
        code = bb_pg_params_add_some_records(&records, write, NULL, write->record_count, error);
    bb_pg_params_set_i64(&records, BB_PG_PARAM_ROOM, &room);
    if (code == BB_OK)
        code = bb_pg_run(w->session, queries, FIND_QUERIES, write->access->deadline, error);
    bb_pg_params_free(&records);
    bb_pg_params_free(&access);
    bb_pg_params_free(&timeouts);
    return code;
}

/* Notes which contacts were found, and so what to do with each. */
static int32_t sort_out(citus_write *w, const PGresult *found, bb_error *error)
{
    size_t count = w->write->record_count;

    if (PQnfields(found) != BB_PG_ROW_COLUMNS + (w->records != NULL))
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
    memset(w->found_rows, 0, count * sizeof *w->found_rows);
    w->updates = 0;
    w->inserts = 0;
    for (int row = 0; row < PQntuples(found); row++) {
        size_t n = bb_pg_row_record(w->write, found, row);
        if (n == count || w->found_rows[n] != 0)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        w->found_rows[n] = row + 1;
    }
    for (size_t n = 0; n < count; n++) {
        int row = w->found_rows[n];
        if (row != 0 && bb_pg_row_kind(found, row - 1) == BB_UPDATED)
            w->picked[w->updates++] = n;
    }
    for (size_t n = 0; n < count; n++) {
        if (w->found_rows[n] == 0)
            w->picked[w->updates + w->inserts++] = n;
    }
    return BB_OK;
}

/* Puts the merged values, which are the rows', into the records that are stored. If there are some
 * that are too large, says which, and nothing is stored (D3). */
static int32_t take_merged(citus_write *w, const PGresult *found, bb_error *error)
{
    const bb_write *write = w->write;
    int32_t code = BB_OK;

    for (size_t n = 0; w->records != NULL && n < write->record_count; n++) {
        int row = w->found_rows[n] - 1;
        if (row < 0 || !(write->records[n]->flags & BB_RECORD_MERGE))
            continue;
        w->changed[n] = *w->records[n];
        w->changed[n].custom_attributes = bb_pg_json_at(found, row, BB_PG_ROW_MERGED);
        w->records[n] = &w->changed[n];
        if (bb_pg_row_kind(found, row) == BB_PG_ROW_OVERSIZED &&
            write->put(write->put_ctx, n, BB_PUT_OVERSIZED, NULL, NULL) == BB_OK)
            code = BB_ERR_OVERSIZED;
    }
    return code == BB_OK ? BB_OK : bb_error_set(error, code, "%s", bb_code_text(code));
}

/* ---------------------------------------------------------------------- the second round trip */

/* Runs the queries, of which the last is COMMIT. */
static int32_t commit(const citus_write *w, bb_pg_query *queries, size_t count, bb_error *error)
{
    const bb_pg_query *last = &queries[count - 1];
    int32_t code;

    /* on a connection that broke meanwhile, these would run outside the transaction */
    if (PQtransactionStatus(w->session->conn) != PQTRANS_INTRANS)
        return bb_pg_error(error, BB_ERR_LOST, NULL, "the transaction is gone");
    code = bb_pg_run(w->session, queries, count, w->write->access->deadline, error);
    /* The coordinator lost the contacts' node in the COMMIT and can't tell what that did; its error
     * has no code of its own. Another attempt on a new session shows it. */
    if (code == BB_ERR_INTERNAL && last->result != NULL &&
        PQresultStatus(last->result) == PGRES_FATAL_ERROR)
        return BB_ERR_LOST;
    if (code == BB_OK && strcmp(PQcmdStatus(last->result), "COMMIT") != 0)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "the transaction was rolled back");
    return code;
}

/* Writes what there is to write, and commits. */
static int32_t store(const citus_write *w, bb_pg_query *queries, bb_error *error)
{
    const size_t *new_ones = w->picked + w->updates;
    bb_pg_params updated, inserted;
    size_t count = 0;
    int32_t code = BB_OK;

    bb_pg_params_init(&updated, &w->session->store->allocator);
    bb_pg_params_init(&inserted, &w->session->store->allocator);
    if (w->updates > 0) {
        queries[count++] = (bb_pg_query){.statement = BB_PG_CITUS_UPDATE, .params = &updated};
        code = bb_pg_params_add_some_records(&updated, &w->sent, w->picked, w->updates, error);
    }
    if (w->inserts > 0 && code == BB_OK) {
        queries[count++] = (bb_pg_query){.statement = w->inserts == 1 ? BB_PG_CITUS_INSERT_ONE
                                                                      : BB_PG_CITUS_INSERT,
                                         .params = &inserted};
        code = bb_pg_params_add_some_records(&inserted, &w->sent, new_ones, w->inserts, error);
    }
    queries[count++] = (bb_pg_query){.statement = BB_PG_COMMIT};
    if (code == BB_OK)
        code = commit(w, queries, count, error);
    bb_pg_params_free(&inserted);
    bb_pg_params_free(&updated);
    return code;
}

/* --------------------------------------------------------------------------------- the result */

static int32_t put_row(const citus_write *w, const PGresult *rows, int row, const PGresult *found,
                       size_t n)
{
    const bb_write *write = w->write;
    int wants_before = (write->records[n]->flags & BB_RECORD_WANT_BEFORE) != 0;
    int is_before = wants_before && w->found_rows[n] != 0;
    bb_contact contact, before;

    bb_pg_row_contact(rows, row, &contact);
    if (is_before)
        bb_pg_row_contact(found, w->found_rows[n] - 1, &before);
    return write->put(write->put_ctx, n, bb_pg_row_kind(rows, row), &contact,
                      is_before ? &before : NULL);
}

/* Gives the rows of one statement to the library; of the found ones, only those that stay. */
static int32_t put_rows(const citus_write *w, const PGresult *rows, const PGresult *found,
                        size_t *count, bb_error *error)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        size_t n = bb_pg_row_record(w->write, rows, row);
        if (rows == found && bb_pg_row_kind(rows, row) != BB_UNCHANGED)
            continue;
        if (n == w->write->record_count)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        if (put_row(w, rows, row, found, n) != BB_OK)
            return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a result");
        ++*count;
    }
    return BB_OK;
}

/*
 * All is committed by now, so a put() that fails undoes nothing. If someone who does not take the
 * locks removed a contact after it was found, it is missing here: the store is as if that removal
 * had come last, and the write is tried again.
 */
static int32_t put_all(citus_write *w, const PGresult *found, const bb_pg_query *stored,
                       bb_error *error)
{
    size_t count = 0;
    int32_t code = put_rows(w, found, found, &count, error);

    for (size_t i = 0; code == BB_OK && i < MOST_STORE_QUERIES; i++) {
        if (PQresultStatus(stored[i].result) != PGRES_TUPLES_OK)
            continue;
        if (PQnfields(stored[i].result) != BB_PG_ROW_COLUMNS)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
        code = put_rows(w, stored[i].result, found, &count, error);
    }
    w->missing = code == BB_OK ? w->write->record_count - count : 0;
    if (w->missing > 0)
        return bb_error_set(error, BB_ERR_RETRY,
                            "chatbot %lld: a policy of the table leaves out %zu of %zu contacts, or"
                            " others remove them all the time",
                            (long long)w->write->access->chatbot_id, w->missing,
                            w->write->record_count);
    return code;
}

/* The contact that a record would make of one that is there, or of none. */
static bb_contact would_be(const bb_write *write, const bb_record *record, const bb_contact *before)
{
    bb_contact after = {.size = sizeof after, .external_id = record->external_id};

    if (before != NULL)
        after = *before;
    else
        after.created_at_us = write->access->now_us;
    after.updated_at_us = write->access->now_us;
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        if (before == NULL || record->fields & bb_fields[i].bit)
            bb_contact_set_value(&after, &bb_fields[i], bb_record_value(record, &bb_fields[i]));
    }
    return after;
}

static int32_t put_dry(const citus_write *w, const PGresult *found, size_t n)
{
    const bb_write *write = w->write;
    int row = w->found_rows[n] - 1;
    int32_t kind = row < 0 ? (int32_t)BB_CREATED : bb_pg_row_kind(found, row);
    int wants_before = row >= 0 && (write->records[n]->flags & BB_RECORD_WANT_BEFORE) != 0;
    bb_contact before = {.size = sizeof before};
    bb_contact after;

    if (row >= 0)
        bb_pg_row_contact(found, row, &before);
    if (kind == BB_UNCHANGED)
        after = before;
    else
        after = would_be(write, w->records != NULL ? w->records[n] : write->records[n],
                         row >= 0 ? &before : NULL);
    return write->put(write->put_ctx, n, kind, &after, wants_before ? &before : NULL);
}

static int32_t put_all_dry(const citus_write *w, const PGresult *found, bb_error *error)
{
    for (size_t n = 0; n < w->write->record_count; n++) {
        int32_t code = put_dry(w, found, n);
        if (code != BB_OK)
            return bb_error_set(error, code, "%s", bb_code_text(code));
    }
    return BB_OK;
}

/* ---------------------------------------------------------------------------------- the whole */

/* The measure calls nothing of the host's, and no value reaches the check in it. */
static int is_too_large(const PGresult *measure)
{
    const char *sqlstate = PQresultErrorField(measure, PG_DIAG_SQLSTATE);

    return sqlstate != NULL && strcmp(sqlstate, BB_PG_SQLSTATE_UNDO) == 0;
}

static int32_t tell_too_large(const citus_write *w, bb_error *error)
{
    bb_pg_error(error, BB_OK, NULL, "");
    return bb_error_set(error, BB_ERR_TOO_LARGE,
                        "chatbot %lld: not stored: the answer would be larger than its bound",
                        (long long)w->write->access->chatbot_id);
}

static int32_t attempt(citus_write *w, bb_error *error)
{
    int64_t deadline = w->write->access->deadline;
    bb_pg_query looked[FIND_QUERIES] = {{.text = NULL}};
    bb_pg_query stored[MOST_STORE_QUERIES] = {{.text = NULL}};
    const PGresult *found;
    int32_t code = find(w, looked, error);

    w->missing = 0;
    /* A refusal stands even if what came after it failed (A1). */
    if (PQresultStatus(looked[QUERY_ACCESS].result) == PGRES_TUPLES_OK) {
        int32_t decision = bb_pg_decision(looked[QUERY_ACCESS].result, error);
        code = decision != BB_OK ? decision : code;
    }
    if (code != BB_OK && is_too_large(looked[QUERY_MEASURE].result))
        code = tell_too_large(w, error);
    found = looked[QUERY_FIND].result;
    if (code == BB_OK)
        code = sort_out(w, found, error);
    if (code == BB_OK)
        code = take_merged(w, found, error);
    if (code == BB_OK && is_dry_run(w->write)) {
        code = put_all_dry(w, found, error);
    } else if (code == BB_OK) {
        code = store(w, stored, error);
        if (code == BB_OK)
            code = put_all(w, found, stored, error);
    }
    if (code == BB_ERR_CONFLICT)
        bb_pg_rule_read(&w->rule, stored, MOST_STORE_QUERIES);
    roll_back(w->session, deadline);
    bb_pg_queries_clear(stored, MOST_STORE_QUERIES);
    bb_pg_queries_clear(looked, FIND_QUERIES);
    return code;
}

/* Whether another attempt may succeed; if not, `*code` becomes the code to return. A key that a
 * writer without the locks has just added is there at the second attempt; any other rule is broken
 * again. */
static int is_worth_another(citus_write *w, int32_t *code, bb_error *error)
{
    int is_mended;

    if (w->missing > 0) {
        *code = BB_ERR_INTERNAL;
        return ++w->tries < MOST_TRIES;
    }
    if (*code != BB_ERR_CONFLICT || ++w->conflicts == 1)
        return *code == BB_ERR_CONFLICT;
    *code = bb_pg_rule_judge(w->session, &w->rule, w->write->access->deadline, &is_mended, error);
    return is_mended && w->conflicts < MOST_TRIES;
}

int32_t bb_pg_citus_write(bb_pg_session *session, const bb_write *write, bb_error *error)
{
    citus_write w;
    int32_t code = citus_write_init(&w, session, write, error);

    if (code == BB_OK)
        code = attempt(&w, error);
    while (code != BB_OK && is_worth_another(&w, &code, error)) {
        bb_pg_error(error, BB_OK, NULL, "");
        code = attempt(&w, error);
    }
    if (code == BB_OK)
        session->has_written |= !is_dry_run(write);
    else if (strcmp(error->sqlstate, BB_PG_SQLSTATE_READ_ONLY) == 0 && code == BB_ERR_UNAVAILABLE)
        code = bb_pg_leave_reader(session);
    citus_write_free(&w);
    return code;
}
