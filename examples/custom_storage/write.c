/*
 * write.c: writes of contacts: each transaction holds the whole of one request, or of several.
 */
#include "write.h"

#include "access.h"

/* How many records are written between two looks at the clock. */
enum { RECORDS_PER_LOOK = 64 };

/* A transaction that writes contacts. */
typedef struct job {
    lmdb_txn t;
    lmdb_buffer *buffer;
    int64_t first_id; /* the next id when it began */
    int64_t next_id;
    bb_error *error;
} job;

/* ------------------------------------------------------------------------------------------ ids */

static MDB_val next_id_key(void)
{
    static char name[] = "next_id";

    return (MDB_val){sizeof name - 1, name};
}

/* The next id is in the transaction, so one that is undone gives its ids back. */
static int32_t read_next_id(job *j)
{
    MDB_val key = next_id_key();
    MDB_val value;
    int result = mdb_get(j->t.txn, j->t.store->meta, &key, &value);

    j->first_id = 1;
    if (result == 0 && value.mv_size == sizeof j->first_id)
        memcpy(&j->first_id, value.mv_data, sizeof j->first_id);
    j->next_id = j->first_id;
    return result == 0 || result == MDB_NOTFOUND ? BB_OK : lmdb_fail(&j->t, result, j->error);
}

static int32_t store_next_id(job *j)
{
    MDB_val key = next_id_key();
    MDB_val value = {sizeof j->next_id, &j->next_id};
    int result = 0;

    if (j->next_id != j->first_id)
        result = mdb_put(j->t.txn, j->t.store->meta, &key, &value, 0);
    return result == 0 ? BB_OK : lmdb_fail(&j->t, result, j->error);
}

/* ----------------------------------------------------------------------------------- one record */

static int32_t store_row(job *j, const lmdb_key *at, MDB_val value)
{
    lmdb_key copy = *at; /* MDB_val has no const */
    MDB_val key = {copy.len, copy.bytes};
    int result = mdb_put(j->t.txn, j->t.store->contacts, &key, &value, 0);

    return result == 0 ? BB_OK : lmdb_fail(&j->t, result, j->error);
}

/* What a record makes of a contact, or of none. The library knows how. */
static int32_t apply(job *j, const bb_write *write, const bb_record *record,
                     const bb_contact *before, bb_contact *after, bb_change *change)
{
    int32_t code;

    bb_change_init(change);
    change->record = record;
    change->before = before;
    change->now_us = write->access->now_us;
    change->max_attribute_bytes = write->max_attribute_bytes;
    change->after = after;
    code = bb_record_apply(change, j->error);
    if (code == BB_OK && change->outcome == BB_CREATED)
        after->id = write->flags & BB_WRITE_DRY_RUN ? 0 : j->next_id++;
    return code;
}

/* put() comes before the row is stored, since the strings of the former contact lie in the map only
 * until then. */
static int32_t put_and_store(job *j, const bb_write *write, size_t index, const bb_change *change,
                             const lmdb_key *key)
{
    int is_wanted = (change->record->flags & BB_RECORD_WANT_BEFORE) != 0;
    MDB_val row = {0, NULL};
    int32_t code = BB_OK;

    if (change->outcome != BB_UNCHANGED)
        code = lmdb_row_make(change->after, j->buffer, &row);
    if (code == BB_OK)
        code = write->put(write->put_ctx, index, change->outcome, change->after,
                          is_wanted ? change->before : NULL);
    if (code != BB_OK)
        return bb_error_set(j->error, code, "%s", bb_code_text(code));
    return change->outcome == BB_UNCHANGED ? BB_OK : store_row(j, key, row);
}

static int32_t write_record(job *j, const bb_write *write, size_t index)
{
    const bb_record *record = write->records[index];
    bb_contact before;
    bb_contact after = {.size = sizeof after};
    bb_change change;
    lmdb_key key;
    int is_known;
    int32_t code = lmdb_row_find(&j->t, write->access->chatbot_id, record->external_id, &key,
                                 &before, &is_known, j->error);

    if (code == BB_OK)
        code = apply(j, write, record, is_known ? &before : NULL, &after, &change);
    if (code != BB_OK)
        return code;
    code = put_and_store(j, write, index, &change, &key);
    bb_change_free(&change);
    return code;
}

/* Authorizes, and writes all records. Those that merging would make too large (D3) are all told. */
static int32_t write_records(job *j, const bb_write *write)
{
    int32_t code = lmdb_access_check(&j->t, write->access, j->error);
    size_t oversized = 0;

    for (size_t i = 0; i < write->record_count && code == BB_OK; i++) {
        code = write_record(j, write, i);
        if (code == BB_ERR_OVERSIZED) {
            oversized++;
            code = write->put(write->put_ctx, i, BB_PUT_OVERSIZED, NULL, NULL);
        }
        if (i % RECORDS_PER_LOOK == 0 && code == BB_OK && bb_deadline_left(j->t.deadline) == 0)
            code = bb_error_set(j->error, BB_ERR_BUSY, "the write took past its deadline");
    }
    return code == BB_OK && oversized > 0 ? (int32_t)BB_ERR_OVERSIZED : code;
}

/* ------------------------------------------------------------------------ the table's functions */

static int32_t begin_job(job *j, lmdb_session *session, int64_t deadline, bb_error *error)
{
    int32_t code;

    *j = (job){.buffer = &session->buffer, .error = error};
    code = lmdb_write_begin(session->store, deadline, &j->t, error);
    if (code != BB_OK)
        return code;
    code = read_next_id(j);
    return code == BB_OK ? BB_OK : lmdb_write_end(&j->t, code, error);
}

static int32_t end_job(job *j, int32_t code)
{
    if (code == BB_OK)
        code = store_next_id(j);
    return lmdb_write_end(&j->t, code, j->error);
}

int32_t lmdb_write(void *session, const bb_write *write, bb_error *error)
{
    job j;
    int32_t code = begin_job(&j, session, write->access->deadline, error);

    if (code != BB_OK)
        return code;
    code = write_records(&j, write);
    if (code != BB_OK || !(write->flags & BB_WRITE_DRY_RUN))
        return end_job(&j, code);
    lmdb_write_end(&j.t, BB_ERR_CANCELLED, error); /* any code but BB_OK undoes it */
    return BB_OK;
}

/* A write that is refused has written nothing, so the others go on. At anything else the library
 * writes them again, one by one. */
int32_t lmdb_write_group(void *session, const bb_write_group *group, bb_error *error)
{
    job j;
    int32_t code = begin_job(&j, session, group->deadline, error);

    if (code != BB_OK)
        return code;
    for (size_t i = 0; i < group->write_count && code == BB_OK; i++) {
        group->codes[i] = write_records(&j, group->writes[i]);
        if (group->codes[i] != BB_ERR_UNKNOWN_KEY && group->codes[i] != BB_ERR_NOT_FOUND)
            code = group->codes[i];
    }
    return end_job(&j, code);
}
