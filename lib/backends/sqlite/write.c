/*
 * write.c: stores the contacts of one write, or of several together, in SQLite.
 *
 * A statement per record: SQLite is in this process, so a statement costs no round trip. A look-up
 * before it tells unchanged records from changed ones (E5) and lets only inserts draw ids (E4),
 * which ON CONFLICT DO UPDATE does not.
 */
#include "backends/sqlite/write.h"

#include "backends/sqlite/access.h"
#include "backends/sqlite/kept.h"
#include "backends/sqlite/result_code.h"
#include "util/alloc.h"
#include "util/fields.h"

/* How many records are written between two checks of the deadline. */
enum { RECORDS_PER_LOOK = 64 };

/* More ids than a transaction can need. */
enum { FEW_IDS = 1000000 };

/* Parameters of the look-up, the insert and the update; see session.c. */
enum {
    PARAMETER_CHATBOT_ID = 1,  /* look-up and insert */
    PARAMETER_ID = 1,          /* update */
    PARAMETER_EXTERNAL_ID = 2, /* look-up and insert */
    PARAMETER_NOW = 3,         /* insert and update */
    PARAMETER_FIELDS = 4       /* likewise */
};

/* Columns of the look-up. */
enum { COLUMN_ID, COLUMN_CREATED_AT, COLUMN_UPDATED_AT, COLUMN_FIELDS };

/* One write and its statements. */
typedef struct write_job {
    bb_sqlite_session *session;
    const bb_write *write;
    bb_error *error;
    sqlite3_stmt *find;
    sqlite3_stmt *insert;
    sqlite3_stmt *update;
    size_t *postponed; /* records that broke a rule of the host's; NULL: there was none */
    size_t postponed_count;
    size_t oversized;    /* records that merging would make too large */
    bb_sqlite_kept kept; /* used if the host has triggers */
} write_job;

/* A dry run does all that a write does, so that it meets each rule and trigger of the host's, and
 * is rolled back (A6). */
static int is_dry_run(const bb_write *write)
{
    return (write->flags & BB_WRITE_DRY_RUN) != 0;
}

static int32_t fail(const write_job *job, int result)
{
    return bb_sqlite_error(job->session->writer.db, result, job->error);
}

/* SQLITE_STATIC: the bytes stay in place until the statement has run. Statements keep such pointers
 * after that, but never read them: every run binds all anew. */
static int bind_slice(sqlite3_stmt *statement, int index, bb_slice value)
{
    if (value.data == NULL)
        return sqlite3_bind_null(statement, index);
    return sqlite3_bind_text64(statement, index, value.data, value.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_fields(sqlite3_stmt *statement, const bb_contact *contact)
{
    int result = SQLITE_OK;

    for (int i = 0; i < BB_FIELD_COUNT && result == SQLITE_OK; i++)
        result =
            bind_slice(statement, PARAMETER_FIELDS + i, bb_contact_value(contact, &bb_fields[i]));
    return result;
}

/* A column of the current row. NULL means null, or that memory ran out, which read_contact() finds
 * out. */
static bb_slice column_slice(sqlite3_stmt *statement, int column)
{
    bb_slice slice = {(const char *)sqlite3_column_text(statement, column), 0};

    if (slice.data != NULL)
        slice.len = (size_t)sqlite3_column_bytes(statement, column);
    return slice;
}

/* The contact of the row that `find` stands on. Its strings are SQLite's until `find` moves on. */
static int32_t read_contact(const write_job *job, bb_slice external_id, bb_contact *out)
{
    sqlite3_stmt *row = job->find;
    int has_json = 1;

    *out = (bb_contact){.size = sizeof *out,
                        .id = sqlite3_column_int64(row, COLUMN_ID),
                        .created_at_us = sqlite3_column_int64(row, COLUMN_CREATED_AT),
                        .updated_at_us = sqlite3_column_int64(row, COLUMN_UPDATED_AT),
                        .external_id = external_id};
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        bb_slice value = column_slice(row, COLUMN_FIELDS + i);
        bb_contact_set_value(out, &bb_fields[i], value);
        has_json = has_json && (value.data != NULL || bb_fields[i].kind == BB_FIELD_TEXT);
    }
    if (sqlite3_errcode(job->session->writer.db) == SQLITE_NOMEM)
        return fail(job, SQLITE_NOMEM);
    if (!has_json)
        return bb_error_set(job->error, BB_ERR_INTERNAL,
                            "contact_%lld of chatbot %lld is stored without its JSON",
                            (long long)out->id, (long long)job->write->access->chatbot_id);
    return BB_OK;
}

static int is_seen(const write_job *job)
{
    return !(job->write->flags & BB_WRITE_OUTCOMES_ONLY);
}

static int32_t put(const write_job *job, size_t index, int32_t outcome, const bb_contact *contact,
                   const bb_contact *before)
{
    int32_t code = job->write->put(job->write->put_ctx, index, outcome, contact, before);

    return code == BB_OK ? BB_OK : bb_error_set(job->error, code, "%s", bb_code_text(code));
}

/* Hands back a written record, now or when all are written. */
static int32_t conclude(write_job *job, size_t index, int32_t outcome, const bb_contact *contact,
                        const bb_contact *before)
{
    int32_t code;

    if (job->kept.records == NULL)
        return put(job, index, outcome, contact, before);
    code = bb_sqlite_kept_add(&job->kept, index, outcome, before);
    return code == BB_OK ? BB_OK : bb_error_set(job->error, code, "%s", bb_code_text(code));
}

static int32_t fail_unstored(const write_job *job, const bb_record *record)
{
    return bb_error_set(job->error, BB_ERR_INTERNAL,
                        "the host's triggers or rules keep a contact of chatbot %lld from being "
                        "stored: %.*s",
                        (long long)job->write->access->chatbot_id, (int)record->external_id.len,
                        record->external_id.data);
}

/* Runs the insert or the update of one record, which a trigger may skip in silence. */
static int32_t store(const write_job *job, sqlite3_stmt *statement, const bb_record *record)
{
    int32_t code = bb_sqlite_execute(job->session, statement, job->error);

    if (code == BB_OK && sqlite3_changes(job->session->writer.db) == 0)
        code = fail_unstored(job, record);
    return code;
}

/* If ids run out, SQLite gives the same code as for a full disk. */
static int32_t explain_insert(const write_job *job, int32_t code)
{
    sqlite3 *db = job->session->writer.db;
    sqlite3_stmt *last;

    if (code != BB_ERR_UNAVAILABLE || sqlite3_errcode(db) != SQLITE_FULL ||
        bb_sqlite_prepared(job->session, BB_SQLITE_LAST_ID, &last, NULL) != BB_OK)
        return code;
    if (sqlite3_step(last) == SQLITE_ROW && sqlite3_column_int64(last, 0) > INT64_MAX - FEW_IDS)
        code = bb_error_set(job->error, BB_ERR_INTERNAL, "there are no more ids: the last was %lld",
                            (long long)sqlite3_column_int64(last, 0));
    sqlite3_reset(last);
    return code;
}

/* What a record makes of `before`, or of nothing. Merging is not SQLite's: its JSON functions know
 * numbers as 64 bits only (C6). */
static int32_t apply_record(const write_job *job, const bb_record *record, const bb_contact *before,
                            bb_contact *after, bb_change *change)
{
    int32_t code;

    bb_change_init(change);
    change->record = record;
    change->before = before;
    change->now_us = job->write->access->now_us;
    change->max_attribute_bytes = job->write->max_attribute_bytes;
    change->allocator = &job->session->store->allocator;
    change->after = after;
    code = bb_record_apply(change, job->error);
    if (code == BB_ERR_INTERNAL && before != NULL)
        return bb_error_set(job->error, code,
                            "contact_%lld of chatbot %lld is stored with invalid JSON or UTF-8",
                            (long long)before->id, (long long)job->write->access->chatbot_id);
    return code;
}

static int32_t insert_record(write_job *job, size_t index)
{
    const bb_record *record = job->write->records[index];
    bb_contact made = {.size = sizeof made};
    bb_change change;
    int32_t code = apply_record(job, record, NULL, &made, &change);
    int result;

    if (code != BB_OK)
        return code;
    result = bind_slice(job->insert, PARAMETER_EXTERNAL_ID, made.external_id);
    if (result == SQLITE_OK)
        result = bind_fields(job->insert, &made);
    if (result != SQLITE_OK)
        return fail(job, result);
    code = store(job, job->insert, record);
    if (code != BB_OK)
        return explain_insert(job, code);
    made.id = is_dry_run(job->write) ? 0 : sqlite3_last_insert_rowid(job->session->writer.db);
    return conclude(job, index, BB_CREATED, &made, NULL);
}

/* Makes `after` of the contact on which `find` stands. */
static int32_t update_to(write_job *job, size_t index, const bb_contact *after,
                         const bb_contact *shown)
{
    int result;
    int32_t code;

    sqlite3_bind_int64(job->update, PARAMETER_ID, after->id);
    result = bind_fields(job->update, after);
    if (result != SQLITE_OK)
        return fail(job, result);
    code = store(job, job->update, job->write->records[index]);
    return code == BB_OK ? conclude(job, index, BB_UPDATED, after, shown) : code;
}

/* Writes a record if it changes the contact on which `find` stands. */
static int32_t update_record(write_job *job, size_t index)
{
    const bb_record *record = job->write->records[index];
    bb_contact before;
    bb_contact after = {.size = sizeof after};
    const bb_contact *shown;
    bb_change change;
    int32_t code = read_contact(job, record->external_id, &before);

    if (code != BB_OK)
        return code;
    shown = record->flags & BB_RECORD_WANT_BEFORE ? &before : NULL;
    code = apply_record(job, record, &before, &after, &change);
    if (code == BB_OK && change.outcome == BB_UNCHANGED)
        code = conclude(job, index, BB_UNCHANGED, &before, shown);
    else if (code == BB_OK)
        code = update_to(job, index, &after, shown);
    bb_change_free(&change);
    return code;
}

/* Looks up a record's contact; for SQLITE_ROW `find` stands on it. */
static int find_contact(const write_job *job, size_t index)
{
    int result =
        bind_slice(job->find, PARAMETER_EXTERNAL_ID, job->write->records[index]->external_id);

    return result == SQLITE_OK ? sqlite3_step(job->find) : result;
}

static int32_t write_record(write_job *job, size_t index)
{
    int result = find_contact(job, index);
    int32_t code;

    if (result == SQLITE_ROW)
        code = update_record(job, index);
    else if (result == SQLITE_DONE)
        code = insert_record(job, index);
    else
        code = fail(job, result);
    sqlite3_reset(job->find);
    return code;
}

/* ------------------------------------------------------------------------------------- a write */

/*
 * Records come in the order of their keys, but must have the effect of the request's order (E1):
 * one may take over a value that a later one gives up. So a record that breaks a rule of the host's
 * is left for the end. SQLite has undone it alone, unless the rule undoes all.
 */
static int32_t postpone(write_job *job, size_t index)
{
    if (sqlite3_get_autocommit(job->session->writer.db))
        return BB_ERR_CONFLICT;
    if (job->postponed == NULL)
        job->postponed = bb_alloc_array(&job->session->store->allocator, job->write->record_count,
                                        sizeof *job->postponed);
    if (job->postponed == NULL)
        return bb_error_set(job->error, BB_ERR_NOMEM, "out of memory");
    job->postponed[job->postponed_count++] = index;
    return BB_OK;
}

/* Reports a record that merging would make too large (D3), and goes on to the next. */
static int32_t report_oversized(write_job *job, size_t index)
{
    job->oversized++;
    return put(job, index, BB_PUT_OVERSIZED, NULL, NULL);
}

/* Writes a record, or postpones it if it breaks a rule of the host's. */
static int32_t write_or_postpone(write_job *job, size_t index)
{
    int32_t code = write_record(job, index);

    if (code == BB_ERR_OVERSIZED)
        return report_oversized(job, index);
    return code == BB_ERR_CONFLICT ? postpone(job, index) : code;
}

/* Goes on as long as a round writes at least one of them. */
static int32_t write_postponed(write_job *job)
{
    int32_t code = BB_OK;

    while (job->postponed_count > 0 && code == BB_OK) {
        size_t count = job->postponed_count;
        job->postponed_count = 0;
        for (size_t i = 0; i < count && code == BB_OK; i++)
            code = write_or_postpone(job, job->postponed[i]);
        if (code == BB_OK && job->postponed_count == count)
            code = BB_ERR_CONFLICT;
    }
    return code;
}

static int32_t write_all(write_job *job)
{
    int32_t code = BB_OK;

    for (size_t i = 0; i < job->write->record_count && code == BB_OK; i++) {
        code = write_or_postpone(job, i);
        if (code == BB_OK && (i + 1) % RECORDS_PER_LOOK == 0 &&
            bb_deadline_left(job->write->access->deadline) == 0)
            code = bb_error_set(job->error, BB_ERR_BUSY, "the write took past its deadline");
    }
    if (code == BB_OK)
        code = write_postponed(job);
    return code == BB_OK && job->oversized > 0 ? (int32_t)BB_ERR_OVERSIZED : code;
}

/* Hands back what is stored, now that no more triggers will run. */
static int32_t put_kept(write_job *job)
{
    int32_t code = BB_OK;

    for (size_t i = 0; i < job->kept.count && code == BB_OK; i++) {
        const bb_sqlite_kept_record *kept = &job->kept.records[i];
        const bb_record *record = job->write->records[i];
        bb_contact contact;
        int result = find_contact(job, i);
        if (result == SQLITE_ROW && is_seen(job))
            code = read_contact(job, record->external_id, &contact);
        else if (result != SQLITE_ROW)
            code = result == SQLITE_DONE ? fail_unstored(job, record) : fail(job, result);
        if (kept->outcome == BB_CREATED && is_dry_run(job->write))
            contact.id = 0;
        if (code == BB_OK)
            code = put(job, i, kept->outcome, is_seen(job) ? &contact : NULL, kept->before);
        sqlite3_reset(job->find);
    }
    return code;
}

/*
 * Compiling the statements shows whether they fire triggers. But if the tables have changed, SQLite
 * compiles a statement anew only when it runs it. The look-up of the chatbot, which has run by now,
 * is the first to find such a change.
 */
static void forget_old_statements(bb_sqlite_session *session)
{
    sqlite3_stmt *first = session->statements[BB_SQLITE_FIND_CHATBOT];

    if (sqlite3_stmt_status(first, SQLITE_STMTSTATUS_REPREPARE, 1) == 0)
        return;
    bb_sqlite_forget(session, BB_SQLITE_INSERT_CONTACT);
    bb_sqlite_forget(session, BB_SQLITE_UPDATE_CONTACT);
}

/* Prepares the statements, and binds what is the same for all records. */
static int32_t prepare(write_job *job)
{
    const bb_access *access = job->write->access;
    int32_t code;

    forget_old_statements(job->session);
    code = bb_sqlite_prepared(job->session, BB_SQLITE_FIND_CONTACT, &job->find, job->error);
    if (code == BB_OK)
        code = bb_sqlite_prepared(job->session, BB_SQLITE_INSERT_CONTACT, &job->insert, job->error);
    if (code == BB_OK)
        code = bb_sqlite_prepared(job->session, BB_SQLITE_UPDATE_CONTACT, &job->update, job->error);
    if (code != BB_OK)
        return code;
    sqlite3_bind_int64(job->find, PARAMETER_CHATBOT_ID, access->chatbot_id);
    sqlite3_bind_int64(job->insert, PARAMETER_CHATBOT_ID, access->chatbot_id);
    sqlite3_bind_int64(job->insert, PARAMETER_NOW, access->now_us);
    sqlite3_bind_int64(job->update, PARAMETER_NOW, access->now_us);
    return BB_OK;
}

static int32_t write_records(bb_sqlite_session *session, const bb_write *write, bb_error *error)
{
    const bb_allocator *allocator = &session->store->allocator;
    write_job job = {.session = session, .write = write, .error = error};
    int32_t code = bb_sqlite_check_access(session, write->access, error);

    if (code == BB_OK)
        code = prepare(&job);
    if (code == BB_OK && session->has_triggers &&
        bb_sqlite_kept_init(&job.kept, allocator, write->record_count, write->max_bytes) != BB_OK)
        code = bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    if (code == BB_OK)
        code = write_all(&job);
    if (code == BB_OK)
        code = put_kept(&job);
    bb_sqlite_kept_free(&job.kept);
    bb_free(allocator, job.postponed);
    return code;
}

/* Pages that have changed stay in memory, so that none gets into the log. */
static int32_t try_records(bb_sqlite_session *session, const bb_write *write, bb_error *error)
{
    sqlite3 *db = session->writer.db;
    int result = sqlite3_exec(db, "PRAGMA cache_spill = OFF", NULL, NULL, NULL);
    int32_t code;

    if (result != SQLITE_OK)
        return bb_sqlite_error(db, result, error);
    code = write_records(session, write, error);
    sqlite3_exec(db, "PRAGMA cache_spill = ON", NULL, NULL, NULL);
    return code;
}

int32_t bb_sqlite_write(void *session, const bb_write *write, bb_error *error)
{
    int32_t code = bb_sqlite_begin(session, write->access->deadline, error);

    if (code != BB_OK)
        return code;
    if (is_dry_run(write))
        return bb_sqlite_undo(session, try_records(session, write, error), error);
    return bb_sqlite_end(session, write_records(session, write, error), error);
}

static int is_refusal(int32_t code)
{
    return code == BB_ERR_UNKNOWN_KEY || code == BB_ERR_NOT_FOUND;
}

/* Does the writes one after the other in one transaction. A refusal comes before anything of its
 * write is stored, so there is nothing to undo; any other failure undoes all. */
static int32_t write_each(bb_sqlite_session *session, const bb_write_group *group, bb_error *error)
{
    for (size_t i = 0; i < group->write_count; i++) {
        int32_t code = write_records(session, group->writes[i], error);
        if (code != BB_OK && !is_refusal(code))
            return code;
        group->codes[i] = code;
    }
    return BB_OK;
}

int32_t bb_sqlite_write_group(void *session, const bb_write_group *group, bb_error *error)
{
    int32_t code = bb_sqlite_begin(session, group->deadline, error);

    if (code != BB_OK)
        return code;
    return bb_sqlite_end(session, write_each(session, group, error), error);
}
