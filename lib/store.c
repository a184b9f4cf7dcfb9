/*
 * store.c: the one stage that does I/O: authorize and write on a storage session, again if the
 * store undid it, until the deadline.
 */
#include "store.h"

#include <time.h>

enum { LONGEST_PAUSE_MS = 50 };

/* What is done on a session. */
typedef struct operation {
    int32_t (*run)(const bb_storage_vtable *table, void *session, struct operation *operation,
                   bb_error *error);
    const bb_access *access;
    bb_batch *batch;
    bb_rendered rendered;
    size_t put_count;  /* records that the backend has handed back */
    int32_t put_code;  /* of the first that could not be taken */
    bb_result *result; /* once all are there */
} operation;

/* Pauses before another attempt: longer each time, never past the deadline. */
static void pause_before(unsigned attempt, int64_t deadline)
{
    int32_t ms = attempt < 6 ? 1 << attempt : LONGEST_PAUSE_MS;
    int32_t left = bb_deadline_left(deadline);
    struct timespec pause = {0, 0};

    pause.tv_nsec = (long)(ms < left ? ms : left) * 1000000;
    nanosleep(&pause, NULL);
}

static int32_t run_once(bb_contacts *contacts, operation *op, bb_error *error)
{
    void *session = NULL;
    int32_t code;

    bb_error_init(error);
    code = bb_session_pool_take(&contacts->pool, op->access->deadline, &session, error);
    if (code != BB_OK)
        return code;
    code = op->run(&contacts->storage->vtable, session, op, error);
    bb_session_pool_give(&contacts->pool, session, code == BB_ERR_LOST);
    return code;
}

static int32_t status_of(int32_t code)
{
    switch (code) {
    case BB_OK:
        return BB_STATUS_SUCCESS;
    case BB_ERR_UNKNOWN_KEY:
        return BB_STATUS_INVALID_KEY;
    case BB_ERR_NOT_FOUND:
        return BB_STATUS_NOT_FOUND;
    case BB_ERR_CONFLICT:
        return BB_STATUS_CONFLICT;
    case BB_ERR_BUSY:
    case BB_ERR_UNAVAILABLE:
    case BB_ERR_RETRY: /* still, at the deadline */
    case BB_ERR_LOST:
        return BB_STATUS_UNAVAILABLE;
    default:
        return BB_STATUS_INTERNAL_ERROR;
    }
}

static int32_t run(bb_contacts *contacts, operation *op, const char *what)
{
    bb_error error;
    int32_t status;
    int32_t code;

    for (unsigned attempt = 0;; attempt++) {
        code = run_once(contacts, op, &error);
        if (code != BB_ERR_RETRY && code != BB_ERR_LOST)
            break;
        if (bb_deadline_left(op->access->deadline) == 0)
            break;
        bb_contacts_log(contacts, BB_LOG_WARN, "trying again", &error);
        pause_before(attempt, op->access->deadline);
    }
    status = status_of(code);
    if (status == BB_STATUS_UNAVAILABLE || status == BB_STATUS_INTERNAL_ERROR) {
        if (error.message[0] == '\0')
            bb_error_set(&error, code, "%s", bb_code_text(code));
        bb_contacts_log(contacts, BB_LOG_ERROR, what, &error);
    }
    return status;
}

static int32_t run_authorize(const bb_storage_vtable *table, void *session, operation *op,
                             bb_error *error)
{
    return table->authorize(session, op->access, error);
}

int32_t bb_store_authorize(bb_contacts *contacts, const bb_access *access)
{
    operation op = {.run = run_authorize, .access = access};

    return run(contacts, &op, "authorize failed");
}

static void forget(operation *op)
{
    bb_result_free(op->result);
    op->result = NULL;
    op->put_count = 0;
    op->put_code = BB_OK;
    bb_buffer_reset(&op->rendered.json);
    for (size_t i = 0; i < op->batch->record_count; i++)
        op->rendered.len[i] = 0;
}

static int32_t take(operation *op, size_t index, int32_t outcome, const bb_contact *contact,
                    const bb_contact *before)
{
    int32_t code;

    if (index >= op->batch->record_count || contact == NULL || outcome < BB_CREATED ||
        outcome > BB_UNCHANGED || op->rendered.len[index] != 0)
        return BB_ERR_ARGUMENT;
    code = bb_batch_set_outcomes(op->batch, index, outcome, before);
    if (code == BB_OK)
        code = bb_rendered_put(&op->rendered, index, contact);
    if (code != BB_OK || ++op->put_count < op->batch->record_count)
        return code;
    /* the last one: all memory that the answer takes is taken before the backend commits, if it
     * puts before it commits */
    op->result = bb_response_success(&op->batch->allocator, op->batch, &op->rendered);
    return bb_result_status(op->result) == BB_STATUS_SUCCESS ? BB_OK : BB_ERR_NOMEM;
}

/* Called by the backend for each record that it has written. */
static int32_t put(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                   const bb_contact *before)
{
    operation *op = ctx;
    int32_t code = take(op, index, outcome, contact, before);

    if (op->put_code == BB_OK)
        op->put_code = code;
    return code;
}

static int32_t run_write(const bb_storage_vtable *table, void *session, operation *op,
                         bb_error *error)
{
    bb_write write = {.size = sizeof write,
                      .access = op->access,
                      .records = op->batch->pointers,
                      .record_count = op->batch->record_count,
                      .put = put,
                      .put_ctx = op};
    int32_t code;

    forget(op);
    code = table->write(session, &write, error);
    if (code == BB_OK && (op->put_code != BB_OK || op->result == NULL))
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "the backend did not hand back every record once");
    return code;
}

bb_result *bb_store_write(bb_contacts *contacts, const bb_access *access, bb_batch *batch,
                          bb_arena *arena)
{
    operation op = {.run = run_write, .access = access, .batch = batch};
    int32_t status = BB_STATUS_INTERNAL_ERROR;

    if (bb_rendered_init(&op.rendered, batch->record_count, arena) == BB_OK)
        status = run(contacts, &op, "write failed");
    bb_rendered_free(&op.rendered);
    if (status == BB_STATUS_SUCCESS)
        return op.result;
    bb_result_free(op.result);
    return bb_response_plain(status);
}
