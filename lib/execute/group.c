/*
 * group.c: the one stage that does I/O: authorize and write on a storage session, again if the
 * store undid it, until the deadline or the end of a share of the time.
 */
#include "execute/group.h"

#include <stdio.h>
#include <time.h>

#include "execute/contact_check.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/struct_size.h"

/* The least share leaves a transaction time on a store that is far away or has much to do. */
enum { LONGEST_PAUSE_MS = 50, LEAST_SHARE_MS = 250 };

/* What is done on a session. */
typedef struct operation {
    int32_t (*run)(const bb_storage_vtable *table, void *session, struct operation *operation,
                   bb_error *error);
    bb_access access;
    bb_batch *batch;
    bb_rendered rendered;
    size_t put_count;  /* records that the backend has handed back */
    int32_t put_code;  /* of the first that could not be taken */
    int64_t faulty_id; /* of a contact that is stored with what no answer can hold; or 0 */
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

static int32_t run_once(bb_executor *executor, operation *op, bb_error *error)
{
    void *session = NULL;
    int32_t code;

    bb_error_init(error);
    code = bb_session_pool_take(&executor->pool, op->access.deadline, &session, error);
    if (code != BB_OK)
        return code;
    code = op->run(&executor->storage->vtable, session, op, error);
    bb_session_pool_give(&executor->pool, session, code == BB_ERR_LOST);
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

/* --------------------------------------------------------------------------- attempts that fail */

static void fill_in_message(bb_error *error, int32_t code)
{
    if (error->message[0] == '\0')
        bb_error_set(error, code, "%s", bb_code_text(code));
}

/* An attempt failed, after which there will be others. The first one's reason is kept: what comes
 * of the last one may be no more than that time had run out. */
static void note_failure(bb_job *job, int32_t code, bb_error *error)
{
    fill_in_message(error, code);
    if (job->attempts++ == 0)
        job->cause = *error;
}

/* Of a job that is alone. One line for all of its attempts, and one when they end in vain. */
static void note_retry(bb_executor *executor, bb_job *job, int32_t code, bb_error *error)
{
    note_failure(job, code, error);
    bb_count(&executor->counters.retries, 1);
    if (job->attempts == 1)
        bb_executor_log(executor, BB_LOG_WARN, "trying again", error);
}

static void log_end(const bb_executor *executor, const bb_job *job, unsigned attempts,
                    const bb_error *error)
{
    const char *what = job->batch != NULL ? "write failed" : "authorize failed";
    char line[80];

    if (attempts > 1) {
        snprintf(line, sizeof line, "%s after %u attempts in %lld ms", what, attempts,
                 (long long)(bb_monotonic_us() - job->began_us) / 1000);
        what = line;
    }
    bb_executor_log(executor, BB_LOG_ERROR, what, error);
}

/* The status that a request ends with, which the host is told of if it is not the client's, or if a
 * rule of the host's decided. */
static int32_t conclude(const bb_executor *executor, const bb_job *job, int32_t code,
                        bb_error *error)
{
    int32_t status = status_of(code);

    if (status == BB_STATUS_CONFLICT && error->message[0] != '\0')
        bb_executor_log(executor, BB_LOG_INFO, "refused", error);
    if (status != BB_STATUS_UNAVAILABLE && status != BB_STATUS_INTERNAL_ERROR)
        return status;
    fill_in_message(error, code);
    log_end(executor, job, job->attempts + 1,
            status == BB_STATUS_UNAVAILABLE && job->attempts > 0 ? &job->cause : error);
    return status;
}

bb_result *bb_store_expire(const bb_executor *executor, const bb_job *job)
{
    if (job->attempts > 0)
        log_end(executor, job, job->attempts, &job->cause);
    return bb_response_plain(BB_STATUS_UNAVAILABLE);
}

/* --------------------------------------------------------------------------------- shares of time
 */

static int has_one_writer(const bb_executor *executor)
{
    return (executor->storage->vtable.flags & BB_STORAGE_ONE_WRITER) != 0;
}

bb_share bb_store_share(const bb_executor *executor, int64_t deadline, size_t parts)
{
    int64_t left = bb_deadline_left(deadline);
    int64_t part = left / (int64_t)parts;
    bb_share share = {deadline, deadline};

    if (part < LEAST_SHARE_MS)
        part = LEAST_SHARE_MS;
    if (part < left && !has_one_writer(executor))
        share.lock_deadline = bb_deadline_in(part);
    return share;
}

/* Whether what failed is to be tried again with another share. A backend may give up on a lock some
 * time before it must, but what it says long before is the store's own word. */
static int is_for_later(const bb_job *job, int32_t code, int64_t began, bb_share share)
{
    if (share.lock_deadline >= job->access.deadline || bb_deadline_left(job->access.deadline) == 0)
        return 0;
    if (code == BB_ERR_BUSY)
        return bb_deadline_left(share.lock_deadline) <= (share.lock_deadline - began) / 2;
    return code == BB_ERR_RETRY || code == BB_ERR_LOST;
}

/* A status, or BB_STORE_LATER. */
static int32_t run(bb_executor *executor, bb_job *job, operation *op, bb_share share)
{
    int64_t began = bb_deadline_in(0);
    bb_error error;
    int32_t code;

    op->access = job->access;
    op->access.deadline = share.deadline;
    op->access.lock_deadline = share.lock_deadline;
    for (unsigned attempt = 0;; attempt++) {
        code = run_once(executor, op, &error);
        if ((code != BB_ERR_RETRY && code != BB_ERR_LOST) ||
            bb_deadline_left(share.lock_deadline) == 0)
            break;
        note_retry(executor, job, code, &error);
        pause_before(attempt, share.lock_deadline);
    }
    if (!is_for_later(job, code, began, share))
        return conclude(executor, job, code, &error);
    note_retry(executor, job, code, &error);
    job->is_slow = 1;
    return BB_STORE_LATER;
}

/* --------------------------------------------------------------------------------- one at a time
 */

static int32_t run_authorize(const bb_storage_vtable *table, void *session, operation *op,
                             bb_error *error)
{
    return table->authorize(session, &op->access, error);
}

int32_t bb_store_authorize(bb_executor *executor, bb_job *job, bb_share share)
{
    operation op = {.run = run_authorize};

    return run(executor, job, &op, share);
}

static void forget(operation *op)
{
    bb_result_free(op->result);
    op->result = NULL;
    op->put_count = 0;
    op->put_code = BB_OK;
    op->faulty_id = 0;
    bb_buffer_reset(&op->rendered.json);
    for (size_t i = 0; i < op->batch->record_count; i++)
        op->rendered.len[i] = 0;
}

/* A contact as this library knows it, in `room` if the backend knows less of it; NULL if there is
 * none. */
static const bb_contact *known_contact(const bb_contact *contact, bb_contact *room)
{
    if (contact == NULL || contact->size == sizeof *room)
        return contact;
    *room = (bb_contact){.size = sizeof *room};
    return bb_struct_view(&bb_contact_type, room, contact);
}

static int32_t take(operation *op, size_t index, int32_t outcome, const bb_contact *contact,
                    const bb_contact *before)
{
    bb_contact rooms[2];
    const bb_contact *after = known_contact(contact, &rooms[0]);
    const bb_contact *former = known_contact(before, &rooms[1]);
    int32_t code;

    if (index >= op->batch->record_count || after == NULL || outcome < BB_CREATED ||
        outcome > BB_UNCHANGED || op->rendered.len[index] != 0 ||
        (former == NULL && before != NULL))
        return BB_ERR_ARGUMENT;
    code = bb_contact_check(&op->batch->allocator, op->batch->pointers[index], after);
    if (code == BB_ERR_INTERNAL)
        op->faulty_id = after->id;
    if (code == BB_OK)
        code = bb_batch_set_outcomes(op->batch, index, outcome, former);
    if (code == BB_OK)
        code = bb_rendered_put(&op->rendered, index, after);
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

static bb_write write_of(operation *op)
{
    bb_write write = {.size = sizeof write,
                      .access = &op->access,
                      .records = op->batch->pointers,
                      .record_count = op->batch->record_count,
                      .put = put,
                      .put_ctx = op};

    return write;
}

/* BB_OK from a backend counts only if it has handed back what it has written. */
static int32_t check_puts(const operation *op, int32_t code, bb_error *error)
{
    if (op->faulty_id != 0)
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "contact_%lld of chatbot %lld is stored with invalid JSON or UTF-8",
                            (long long)op->faulty_id, (long long)op->access.chatbot_id);
    if (code == BB_OK && (op->put_code != BB_OK || op->result == NULL))
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "the backend did not hand back every record once");
    return code;
}

static int32_t run_write(const bb_storage_vtable *table, void *session, operation *op,
                         bb_error *error)
{
    bb_write write = write_of(op);

    forget(op);
    return check_puts(op, table->write(session, &write, error), error);
}

bb_result *bb_store_write(bb_executor *executor, bb_job *job, bb_share share)
{
    operation op = {.run = run_write, .batch = job->batch};
    int32_t status = BB_STATUS_INTERNAL_ERROR;

    if (bb_rendered_init(&op.rendered, job->batch->record_count, job->arena) == BB_OK)
        status = run(executor, job, &op, share);
    bb_rendered_free(&op.rendered);
    if (status == BB_STATUS_SUCCESS) {
        bb_count_write(&executor->counters, 1);
        return op.result;
    }
    bb_result_free(op.result);
    return status == BB_STORE_LATER ? NULL : bb_response_plain(status);
}

/* -------------------------------------------------------------------------------------- groups */

struct bb_store_group {
    bb_allocator allocator;
    operation *operations; /* these have room for `max_jobs` each */
    bb_write *writes;
    const bb_write **pointers;
    int32_t *codes;
    bb_share share;
    bb_job **later; /* what is not done by the end of that */
    size_t later_count;
};

bb_store_group *bb_store_group_new(const bb_allocator *allocator, size_t max_jobs)
{
    bb_store_group *group = bb_zalloc(allocator, sizeof *group);

    if (group == NULL)
        return NULL;
    group->allocator = *allocator;
    group->operations = bb_alloc_array(allocator, max_jobs, sizeof *group->operations);
    group->writes = bb_alloc_array(allocator, max_jobs, sizeof *group->writes);
    group->pointers = bb_alloc_array(allocator, max_jobs, sizeof *group->pointers);
    group->codes = bb_alloc_array(allocator, max_jobs, sizeof *group->codes);
    if (group->operations != NULL && group->writes != NULL && group->pointers != NULL &&
        group->codes != NULL)
        return group;
    bb_store_group_free(group);
    return NULL;
}

void bb_store_group_free(bb_store_group *group)
{
    bb_allocator allocator;

    if (group == NULL)
        return;
    allocator = group->allocator;
    bb_free(&allocator, group->codes);
    bb_free(&allocator, group->pointers);
    bb_free(&allocator, group->writes);
    bb_free(&allocator, group->operations);
    bb_free(&allocator, group);
}

/* The group's time is that of its latest request. */
static bb_write_group describe(const bb_store_group *group, bb_job *const *jobs, size_t count)
{
    bb_write_group description = {.size = sizeof description,
                                  .writes = group->pointers,
                                  .write_count = count,
                                  .codes = group->codes,
                                  .now_us = jobs[0]->access.now_us,
                                  .deadline = group->share.deadline};

    for (size_t i = 1; i < count; i++) {
        if (jobs[i]->access.now_us > description.now_us)
            description.now_us = jobs[i]->access.now_us;
    }
    return description;
}

/* Makes one write of the group ready. BB_OK, or BB_ERR_NOMEM. */
static int32_t prepare_member(bb_store_group *group, size_t i, bb_job *job,
                              const bb_write_group *description)
{
    operation *op = &group->operations[i];

    *op = (operation){.access = job->access, .batch = job->batch};
    op->access.now_us = description->now_us;
    op->access.deadline = description->deadline;
    op->access.lock_deadline = group->share.lock_deadline;
    if (bb_rendered_init(&op->rendered, job->batch->record_count, job->arena) != BB_OK)
        return BB_ERR_NOMEM;
    forget(op);
    group->writes[i] = write_of(op);
    group->pointers[i] = &group->writes[i];
    group->codes[i] = BB_OK;
    return BB_OK;
}

/* The answer to one write of a group that has gone through. */
static bb_result *answer_member(bb_executor *executor, const bb_job *job, operation *op,
                                int32_t code)
{
    bb_error error;
    int32_t status;

    bb_error_init(&error);
    status = conclude(executor, job, check_puts(op, code, &error), &error);
    if (status == BB_STATUS_SUCCESS)
        return op->result;
    bb_result_free(op->result);
    return bb_response_plain(status);
}

/* Writes the group that has been made ready, on a session. */
static int32_t run_group(bb_executor *executor, const bb_write_group *description, bb_error *error)
{
    void *session = NULL;
    int32_t code = bb_session_pool_take(&executor->pool, description->deadline, &session, error);

    if (code != BB_OK)
        return code;
    code = executor->storage->vtable.write_group(session, description, error);
    bb_session_pool_give(&executor->pool, session, code == BB_ERR_LOST);
    return code;
}

/* Tells each what came of a group that has gone through; counted before, as a host that has an
 * answer may ask for the statistics. */
static void answer_all(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                       size_t count)
{
    size_t stored = 0;

    for (size_t i = 0; i < count; i++)
        stored += group->codes[i] == BB_OK;
    if (stored > 0)
        bb_count_write(&executor->counters, stored);
    for (size_t i = 0; i < count; i++) {
        operation *op = &group->operations[i];
        bb_rendered_free(&op->rendered);
        jobs[i]->done(jobs[i], answer_member(executor, jobs[i], op, group->codes[i]));
    }
}

static void forget_all(bb_store_group *group, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bb_rendered_free(&group->operations[i].rendered);
        bb_result_free(group->operations[i].result);
    }
}

/* One transaction for all: BB_OK, and each has been told its answer, or nothing counts. */
static int32_t write_together(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                              size_t count, bb_error *error)
{
    bb_write_group description = describe(group, jobs, count);
    size_t ready = 0;
    int32_t code = BB_OK;

    while (code == BB_OK && ready < count) {
        code = prepare_member(group, ready, jobs[ready], &description);
        ready++;
    }
    if (code == BB_OK)
        code = run_group(executor, &description, error);
    if (code == BB_OK)
        answer_all(executor, group, jobs, count);
    else
        forget_all(group, ready);
    return code;
}

/* ----------------------------------------------------------------------------- groups that fail */

static void leave_for_later(bb_store_group *group, bb_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        group->later[group->later_count++] = jobs[i];
}

/* One by one, as long as there is time. */
static void write_apart(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                        size_t count)
{
    size_t i = 0;

    for (; i < count && bb_deadline_left(group->share.lock_deadline) > 0; i++) {
        bb_result *result = jobs[i]->run(executor, jobs[i], group->share);
        if (result != NULL)
            jobs[i]->done(jobs[i], result);
        else
            leave_for_later(group, &jobs[i], 1);
    }
    leave_for_later(group, jobs + i, count - i);
}

/* Whether a group failed for what one of its requests holds, as opposed to for what the store is
 * going through. */
static int is_fault_of_one(int32_t code)
{
    return code == BB_ERR_CONFLICT || code == BB_ERR_ARGUMENT || code == BB_ERR_INTERNAL;
}

static void note_group_failure(bb_executor *executor, bb_job *const *jobs, size_t count,
                               int32_t code, bb_error *error)
{
    if (code == BB_ERR_UNSUPPORTED)
        return;
    for (size_t i = 0; i < count && !is_fault_of_one(code); i++)
        note_failure(jobs[i], code, error);
    bb_count(&executor->counters.ungrouped_requests, count);
    bb_executor_log(executor, BB_LOG_WARN, "a group of requests failed", error);
}

static void write_jobs(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                       size_t count);

/*
 * What is done with a group after it has failed. If that was the fault of one, halves: so one that
 * always fails costs the others a few transactions and not one each. If the store was busy, nothing
 * now: nobody knows with which of them, and they have most of their time left.
 */
static void go_on(bb_executor *executor, bb_store_group *group, bb_job *const *jobs, size_t count,
                  int32_t code)
{
    if (is_fault_of_one(code)) {
        write_jobs(executor, group, jobs, count / 2);
        write_jobs(executor, group, jobs + count / 2, count - count / 2);
    } else if (code == BB_ERR_BUSY) {
        leave_for_later(group, jobs, count);
    } else {
        write_apart(executor, group, jobs, count);
    }
}

static void write_jobs(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                       size_t count)
{
    bb_error error;
    int32_t code;

    if (count == 1 || bb_deadline_left(group->share.lock_deadline) == 0) {
        write_apart(executor, group, jobs, count);
        return;
    }
    bb_error_init(&error);
    code = write_together(executor, group, jobs, count, &error);
    if (code == BB_OK)
        return;
    note_group_failure(executor, jobs, count, code, &error);
    go_on(executor, group, jobs, count, code);
}

/* The share of jobs that are done together, or one after the other. It leaves the most urgent one
 * time for another try, whatever takes so long. */
static bb_share share_of(const bb_executor *executor, bb_job *const *jobs, size_t count)
{
    int64_t urgent = jobs[0]->access.deadline;
    bb_share share;

    for (size_t i = 1; i < count; i++) {
        if (jobs[i]->access.deadline < urgent)
            urgent = jobs[i]->access.deadline;
    }
    share = bb_store_share(executor, urgent, BB_FIRST_SHARES);
    if (count == 1 || has_one_writer(executor))
        return share;
    share.deadline = bb_deadline_in(bb_deadline_left(urgent) / 2);
    if (share.lock_deadline > share.deadline)
        share.lock_deadline = share.deadline;
    return share;
}

size_t bb_store_write_group(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                            size_t count, bb_job **later)
{
    group->later = later;
    group->later_count = 0;
    group->share = share_of(executor, jobs, count);
    if (executor->storage->vtable.write_group == NULL)
        write_apart(executor, group, jobs, count);
    else
        write_jobs(executor, group, jobs, count);
    return group->later_count;
}
