/*
 * citus_write.c: stores the records of a request on Citus, all or none, in two round trips.
 *
 * No statement that Citus hands on to one node whole can both update and insert, and an insert that
 * leaves out what is there draws an id for it all the same. So the first round trip (begin,
 * settings, access and locks, find) tells which contacts are there and which differ, and the second
 * writes those: update, insert, commit, each if there is something to do. Between the two no one
 * who takes the locks can change them. Contacts that do not change are only read.
 */
#include "backends/postgres/write/citus_write.h"

#include <string.h>

#include "backends/postgres/marshal/access.h"
#include "backends/postgres/marshal/citus_records.h"
#include "backends/postgres/marshal/locks.h"
#include "backends/postgres/wire/pipeline.h"
#include "backends/postgres/wire/sqlstate.h"
#include "backends/postgres/write/conflict.h"

enum { CALL_BEGIN, CALL_SETTINGS, CALL_ACCESS, CALL_FIND, FIND_CALLS };
enum { MOST_STORE_CALLS = 3 };

/* A write on its way. Memory is taken before anything is sent, as what runs out after the commit
 * could not undo it. */
typedef struct progress {
    bb_pg_session *session;
    const bb_write *write;
    int *found_rows; /* of each record, in what was found; from 1, 0: it was not */
    size_t *picked;  /* the records to update, and after them those to insert */
    size_t updates;
    size_t inserts;
    size_t missing; /* contacts that were committed, by what the server said, and are not there */
    unsigned tries; /* that ended so */
    unsigned conflicts; /* that were met */
    bb_pg_rule rule;    /* of the last one */
} progress;

/* How often a write is tried that leaves out contacts. Others who remove them get in the way once,
 * seldom twice; a policy does each time. */
enum { MOST_TRIES = 5 };

static int32_t progress_init(progress *p, bb_pg_session *session, const bb_write *write,
                             bb_error *error)
{
    const bb_allocator *allocator = &session->store->allocator;

    *p = (progress){.session = session, .write = write};
    p->found_rows = bb_alloc_array(allocator, write->record_count, sizeof *p->found_rows);
    p->picked = bb_alloc_array(allocator, write->record_count, sizeof *p->picked);
    if (p->found_rows == NULL || p->picked == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    return BB_OK;
}

static void progress_free(progress *p)
{
    bb_free(&p->session->store->allocator, p->picked);
    bb_free(&p->session->store->allocator, p->found_rows);
}

/* Ends a transaction that is not to be committed. */
static void roll_back(bb_pg_session *session, int64_t deadline)
{
    bb_pg_call call = {.text = "ROLLBACK"};

    if (session->conn == NULL || PQtransactionStatus(session->conn) == PQTRANS_IDLE)
        return;
    if (bb_pg_run(session, &call, 1, deadline, NULL) != BB_OK)
        bb_pg_disconnect(session);
    bb_pg_calls_clear(&call, 1);
}

/* ----------------------------------------------------------------------- the first round trip */

/* The locks are those of the ordinary write. */
static int32_t add_locks(bb_pg_params *params, const bb_pg_merge *merge, bb_error *error)
{
    bb_pg_locks locks;
    int32_t code = bb_pg_locks_init(&locks, merge, error);

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
    bb_pg_merge merge;
    int32_t code = bb_pg_merge_init(&merge, &session->store->allocator, &write, 1, error);

    bb_pg_params_add_access(params, write->access);
    if (code == BB_OK)
        code = add_locks(params, &merge, error);
    bb_pg_params_add_access_timeouts(params, write->access);
    bb_pg_merge_free(&merge);
    return code;
}

/* Runs the calls, whose results are the caller's to clear, and leaves the transaction open. */
static int32_t find(const progress *p, bb_pg_call *calls, bb_error *error)
{
    const bb_allocator *allocator = &p->session->store->allocator;
    const bb_write *write = p->write;
    bb_pg_params timeouts, access, records;
    int32_t code;

    bb_pg_params_init(&timeouts, allocator);
    bb_pg_params_init(&access, allocator);
    bb_pg_params_init(&records, allocator);
    bb_pg_params_add_access_timeouts(&timeouts, write->access);
    calls[CALL_BEGIN] = (bb_pg_call){.statement = BB_PG_BEGIN};
    calls[CALL_SETTINGS] = (bb_pg_call){.statement = BB_PG_TIMEOUTS, .params = &timeouts};
    calls[CALL_ACCESS] = (bb_pg_call){.statement = BB_PG_CITUS_ACCESS, .params = &access};
    calls[CALL_FIND] = (bb_pg_call){.statement = BB_PG_CITUS_FIND, .params = &records};
    code = add_access(&access, p->session, write, error);
    if (code == BB_OK)
        code = bb_pg_params_add_some_records(&records, write, NULL, write->record_count, error);
    if (code == BB_OK)
        code = bb_pg_run(p->session, calls, FIND_CALLS, write->access->deadline, error);
    bb_pg_params_free(&records);
    bb_pg_params_free(&access);
    bb_pg_params_free(&timeouts);
    return code;
}

/* Notes which contacts were found, and so what is to be done with each. */
static int32_t sort_out(progress *p, const PGresult *found, bb_error *error)
{
    size_t count = p->write->record_count;

    if (PQnfields(found) != BB_PG_ROW_COLUMNS)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
    memset(p->found_rows, 0, count * sizeof *p->found_rows);
    p->updates = 0;
    p->inserts = 0;
    for (int row = 0; row < PQntuples(found); row++) {
        size_t n = bb_pg_row_record(p->write, found, row);
        if (n == count || p->found_rows[n] != 0)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        p->found_rows[n] = row + 1;
    }
    for (size_t n = 0; n < count; n++) {
        int row = p->found_rows[n];
        if (row != 0 && bb_pg_row_kind(found, row - 1) == BB_UPDATED)
            p->picked[p->updates++] = n;
    }
    for (size_t n = 0; n < count; n++) {
        if (p->found_rows[n] == 0)
            p->picked[p->updates + p->inserts++] = n;
    }
    return BB_OK;
}

/* ---------------------------------------------------------------------- the second round trip */

/* Runs the calls, of which the last is COMMIT. */
static int32_t commit(const progress *p, bb_pg_call *calls, size_t count, bb_error *error)
{
    const bb_pg_call *last = &calls[count - 1];
    int32_t code;

    /* on a connection that broke meanwhile, these would run outside the transaction */
    if (PQtransactionStatus(p->session->conn) != PQTRANS_INTRANS)
        return bb_pg_error(error, BB_ERR_LOST, NULL, "the transaction is gone");
    code = bb_pg_run(p->session, calls, count, p->write->access->deadline, error);
    /* The coordinator lost the contacts' node in the COMMIT and can't tell what that did, which it
     * says without a code of its own. Once more on a new session shows it. */
    if (code == BB_ERR_INTERNAL && last->result != NULL &&
        PQresultStatus(last->result) == PGRES_FATAL_ERROR)
        return BB_ERR_LOST;
    if (code == BB_OK && strcmp(PQcmdStatus(last->result), "COMMIT") != 0)
        return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "the transaction was rolled back");
    return code;
}

/* Writes what there is to write, and commits. */
static int32_t store(const progress *p, bb_pg_call *calls, bb_error *error)
{
    const size_t *new_ones = p->picked + p->updates;
    bb_pg_params updated, inserted;
    size_t count = 0;
    int32_t code = BB_OK;

    bb_pg_params_init(&updated, &p->session->store->allocator);
    bb_pg_params_init(&inserted, &p->session->store->allocator);
    if (p->updates > 0) {
        calls[count++] = (bb_pg_call){.statement = BB_PG_CITUS_UPDATE, .params = &updated};
        code = bb_pg_params_add_some_records(&updated, p->write, p->picked, p->updates, error);
    }
    if (p->inserts > 0 && code == BB_OK) {
        calls[count++] =
            (bb_pg_call){.statement = p->inserts == 1 ? BB_PG_CITUS_INSERT_ONE : BB_PG_CITUS_INSERT,
                         .params = &inserted};
        code = bb_pg_params_add_some_records(&inserted, p->write, new_ones, p->inserts, error);
    }
    calls[count++] = (bb_pg_call){.statement = BB_PG_COMMIT};
    if (code == BB_OK)
        code = commit(p, calls, count, error);
    bb_pg_params_free(&inserted);
    bb_pg_params_free(&updated);
    return code;
}

/* --------------------------------------------------------------------------------- the result */

static int32_t put_row(const progress *p, const PGresult *rows, int row, const PGresult *found,
                       size_t n)
{
    const bb_write *write = p->write;
    int wants_before = (write->records[n]->flags & BB_RECORD_WANT_BEFORE) != 0;
    int is_before = wants_before && p->found_rows[n] != 0;
    bb_contact contact, before;

    bb_pg_row_contact(rows, row, &contact);
    if (is_before)
        bb_pg_row_contact(found, p->found_rows[n] - 1, &before);
    return write->put(write->put_ctx, n, bb_pg_row_kind(rows, row), &contact,
                      is_before ? &before : NULL);
}

/* Gives the rows of one statement to the library; those that were found only if they stay. */
static int32_t put_rows(const progress *p, const PGresult *rows, const PGresult *found,
                        size_t *count, bb_error *error)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        size_t n = bb_pg_row_record(p->write, rows, row);
        if (rows == found && bb_pg_row_kind(rows, row) != BB_UNCHANGED)
            continue;
        if (n == p->write->record_count)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "a row of no record came back");
        if (put_row(p, rows, row, found, n) != BB_OK)
            return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a result");
        ++*count;
    }
    return BB_OK;
}

/*
 * All of it is committed by now; see put_rows() in write.c. If someone who does not take the locks
 * removed a contact after it was found, it is missing here; what is stored is what that removal
 * would have left had it come last, and the write is tried again.
 */
static int32_t put_all(progress *p, const PGresult *found, const bb_pg_call *stored,
                       bb_error *error)
{
    size_t count = 0;
    int32_t code = put_rows(p, found, found, &count, error);

    for (size_t i = 0; code == BB_OK && i < MOST_STORE_CALLS; i++) {
        if (PQresultStatus(stored[i].result) != PGRES_TUPLES_OK)
            continue;
        if (PQnfields(stored[i].result) != BB_PG_ROW_COLUMNS)
            return bb_pg_error(error, BB_ERR_INTERNAL, NULL, "rows of another shape came back");
        code = put_rows(p, stored[i].result, found, &count, error);
    }
    p->missing = code == BB_OK ? p->write->record_count - count : 0;
    if (p->missing > 0)
        return bb_error_set(error, BB_ERR_RETRY,
                            "chatbot %lld: a policy of the table leaves out %zu of %zu contacts, or"
                            " others remove them all the time",
                            (long long)p->write->access->chatbot_id, p->missing,
                            p->write->record_count);
    return code;
}

/* ---------------------------------------------------------------------------------- the whole */

static int32_t attempt(progress *p, bb_error *error)
{
    int64_t deadline = p->write->access->deadline;
    bb_pg_call looked[FIND_CALLS] = {{.text = NULL}};
    bb_pg_call stored[MOST_STORE_CALLS] = {{.text = NULL}};
    const PGresult *found;
    int32_t code = find(p, looked, error);

    p->missing = 0;
    /* A refusal stands even if what came after it failed (A1). */
    if (PQresultStatus(looked[CALL_ACCESS].result) == PGRES_TUPLES_OK) {
        int32_t decision = bb_pg_decision(looked[CALL_ACCESS].result, error);
        code = decision != BB_OK ? decision : code;
    }
    found = looked[CALL_FIND].result;
    if (code == BB_OK)
        code = sort_out(p, found, error);
    if (code == BB_OK)
        code = store(p, stored, error);
    if (code == BB_OK)
        code = put_all(p, found, stored, error);
    if (code == BB_ERR_CONFLICT)
        bb_pg_rule_read(&p->rule, stored, MOST_STORE_CALLS);
    roll_back(p->session, deadline);
    bb_pg_calls_clear(stored, MOST_STORE_CALLS);
    bb_pg_calls_clear(looked, FIND_CALLS);
    return code;
}

/* Whether another attempt may come to something; if not, `*code` becomes what is to be returned. A
 * key that a writer without the locks has just added is there at the second attempt; another rule
 * is broken again. */
static int is_worth_another(progress *p, int32_t *code, bb_error *error)
{
    int is_mended;

    if (p->missing > 0) {
        *code = BB_ERR_INTERNAL;
        return ++p->tries < MOST_TRIES;
    }
    if (*code != BB_ERR_CONFLICT || ++p->conflicts == 1)
        return *code == BB_ERR_CONFLICT;
    *code = bb_pg_rule_judge(p->session, &p->rule, p->write->access->deadline, &is_mended, error);
    return is_mended && p->conflicts < MOST_TRIES;
}

int32_t bb_pg_citus_write(bb_pg_session *session, const bb_write *write, bb_error *error)
{
    progress p;
    int32_t code = progress_init(&p, session, write, error);

    if (code == BB_OK)
        code = attempt(&p, error);
    while (code != BB_OK && is_worth_another(&p, &code, error)) {
        bb_pg_error(error, BB_OK, NULL, "");
        code = attempt(&p, error);
    }
    if (code == BB_OK)
        session->has_written = 1;
    else if (strcmp(error->sqlstate, BB_PG_SQLSTATE_READ_ONLY) == 0 && code == BB_ERR_UNAVAILABLE)
        code = bb_pg_leave_reader(session);
    progress_free(&p);
    return code;
}
