/*
 * group.c: does several jobs in one transaction, if the backend can and nothing goes wrong;
 * otherwise in smaller groups or one by one.
 */
#include "execute/group.h"

#include "execute/collector.h"
#include "execute/conclude.h"
#include "execute/job_log.h"
#include "util/alloc.h"

struct bb_job_group {
    bb_allocator allocator;
    bb_collector *collectors; /* these have room for `max_jobs` each */
    bb_write *writes;
    const bb_write **pointers;
    int32_t *codes;
    bb_share share;
    size_t bytes;      /* of contacts in the answers so far */
    bb_job **deferred; /* the jobs that are not done when it ends */
    size_t deferred_count;
};

bb_job_group *bb_job_group_new(const bb_allocator *allocator, size_t max_jobs)
{
    bb_job_group *group = bb_zalloc(allocator, sizeof *group);

    if (group == NULL)
        return NULL;
    group->allocator = *allocator;
    group->collectors = bb_alloc_array(allocator, max_jobs, sizeof *group->collectors);
    group->writes = bb_alloc_array(allocator, max_jobs, sizeof *group->writes);
    group->pointers = bb_alloc_array(allocator, max_jobs, sizeof *group->pointers);
    group->codes = bb_alloc_array(allocator, max_jobs, sizeof *group->codes);
    if (group->collectors != NULL && group->writes != NULL && group->pointers != NULL &&
        group->codes != NULL)
        return group;
    bb_job_group_free(group);
    return NULL;
}

void bb_job_group_free(bb_job_group *group)
{
    bb_allocator allocator;

    if (group == NULL)
        return;
    allocator = group->allocator;
    bb_free(&allocator, group->codes);
    bb_free(&allocator, group->pointers);
    bb_free(&allocator, group->writes);
    bb_free(&allocator, group->collectors);
    bb_free(&allocator, group);
}

/* The group's time is that of its latest request. */
static bb_write_group describe(const bb_job_group *group, bb_job *const *jobs, size_t count)
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
static int32_t prepare_member(const bb_executor *executor, bb_job_group *group, size_t i,
                              bb_job *job, const bb_write_group *description)
{
    bb_collector *collector = &group->collectors[i];
    bb_access access = job->access;

    access.now_us = description->now_us;
    access.deadline = description->deadline;
    access.lock_deadline = group->share.lock_deadline;
    if (bb_collector_init(collector, &access, job->batch, executor->max_answer_bytes, job->arena) !=
        BB_OK)
        return BB_ERR_NOMEM;
    collector->group_bytes = &group->bytes;
    group->writes[i] = bb_collector_begin(collector);
    group->pointers[i] = &group->writes[i];
    group->codes[i] = BB_OK;
    return BB_OK;
}

/* The answer to one write of a group that went through. */
static bb_result *answer_member(const bb_executor *executor, const bb_job *job,
                                bb_collector *collector, int32_t code)
{
    bb_error error;

    bb_error_init(&error);
    code = bb_collector_check(collector, code, &error);
    return bb_collector_finish(collector, bb_job_conclude(executor, job, code, &error));
}

static void write_singly(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                         size_t count);

/* Whether a job alone was not stored because of what the others have in their answers. */
static int is_left_over(const bb_job_group *group, size_t i)
{
    return group->codes[i] == BB_ERR_TOO_LARGE && group->collectors[i].is_crowded_out;
}

/* Whether the answer after this one goes to the same place, and at once. */
static int is_followed(const bb_job_group *group, bb_job *const *jobs, size_t count, size_t i)
{
    return i + 1 < count && jobs[i]->recipient != NULL &&
           jobs[i + 1]->recipient == jobs[i]->recipient && !is_left_over(group, i + 1);
}

/* Answers each job of a group that went through. Counts before, as a host that has an answer may
 * ask for the statistics. */
static void answer_all(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                       size_t count)
{
    size_t stored = 0;

    for (size_t i = 0; i < count; i++)
        stored += group->codes[i] == BB_OK;
    if (stored > 0)
        bb_count_write(&executor->counters, stored);
    for (size_t i = 0; i < count; i++) {
        bb_collector *collector = &group->collectors[i];
        if (is_left_over(group, i)) {
            bb_collector_free(collector);
            continue;
        }
        jobs[i]->is_followed = is_followed(group, jobs, count, i);
        jobs[i]->done(jobs[i], answer_member(executor, jobs[i], collector, group->codes[i]));
    }
    for (size_t i = 0; i < count; i++) {
        if (is_left_over(group, i))
            write_singly(executor, group, &jobs[i], 1);
    }
}

static void free_all(bb_job_group *group, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bb_collector_free(&group->collectors[i]);
}

static int32_t write_group(const bb_storage_vtable *table, void *session, void *description,
                           bb_error *error)
{
    return table->write_group(session, description, error);
}

/* One transaction for all. After BB_OK, each job has its answer; otherwise nothing counts. */
static int32_t write_together(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                              size_t count, bb_error *error)
{
    bb_write_group description = describe(group, jobs, count);
    size_t ready = 0;
    int32_t code = BB_OK;

    group->bytes = 0;
    while (code == BB_OK && ready < count) {
        code = prepare_member(executor, group, ready, jobs[ready], &description);
        ready++;
    }
    if (code == BB_OK)
        code = bb_executor_with_session(executor, description.deadline, write_group, &description,
                                        error);
    if (code == BB_OK)
        answer_all(executor, group, jobs, count);
    else
        free_all(group, ready);
    return code;
}

/* ----------------------------------------------------------------------------- groups that fail */

static void defer(bb_job_group *group, bb_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        group->deferred[group->deferred_count++] = jobs[i];
}

/* A job whose own time is over is not put off: to execute it ends it. */
static int must_wait(const bb_job_group *group, const bb_job *job)
{
    return bb_deadline_left(group->share.retry_deadline) == 0 &&
           bb_deadline_left(job->access.deadline) > 0;
}

/* One by one, as long as there is time. */
static void write_singly(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                         size_t count)
{
    size_t i = 0;

    for (; i < count && !must_wait(group, jobs[i]); i++) {
        bb_result *result = jobs[i]->execute(executor, jobs[i], group->share);
        if (result != NULL)
            jobs[i]->done(jobs[i], result);
        else
            defer(group, &jobs[i], 1);
    }
    defer(group, jobs + i, count - i);
}

/* Whether a group failed because of one of its requests, and not because of the store's state; or,
 * in the last case, because of what all have in their answers. */
static int is_fault_of_one(int32_t code)
{
    return code == BB_ERR_CONFLICT || code == BB_ERR_OVERSIZED || code == BB_ERR_ARGUMENT ||
           code == BB_ERR_INTERNAL || code == BB_ERR_TOO_LARGE;
}

static void note_group_failure(bb_executor *executor, bb_job *const *jobs, size_t count,
                               int32_t code, bb_error *error)
{
    bb_job_log_all all;

    if (code == BB_ERR_UNSUPPORTED)
        return;
    for (size_t i = 0; i < count && !is_fault_of_one(code); i++)
        bb_job_note_failure(jobs[i], code, error);
    bb_count(&executor->counters.ungrouped_requests, count);
    bb_job_log_all_begin(&all, executor, BB_LOG_WARN, "a group of requests failed", error);
    for (size_t i = 0; i < count; i++)
        bb_job_log_all_add(&all, jobs[i]);
    bb_job_log_all_end(&all);
}

static void write_jobs(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                       size_t count);

/*
 * Goes on with a group that failed. If that was the fault of one, it tries halves, so that one that
 * always fails costs the others a few transactions and not one each. If the store was busy, it does
 * nothing now: nobody knows because of which job, and they have most of their time left.
 */
static void go_on(bb_executor *executor, bb_job_group *group, bb_job *const *jobs, size_t count,
                  int32_t code)
{
    if (is_fault_of_one(code)) {
        write_jobs(executor, group, jobs, count / 2);
        write_jobs(executor, group, jobs + count / 2, count - count / 2);
    } else if (code == BB_ERR_BUSY) {
        defer(group, jobs, count);
    } else {
        write_singly(executor, group, jobs, count);
    }
}

static void write_jobs(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                       size_t count)
{
    bb_error error;
    int32_t code;

    if (count == 1 || bb_deadline_left(group->share.retry_deadline) == 0) {
        write_singly(executor, group, jobs, count);
        return;
    }
    bb_error_init(&error);
    code = write_together(executor, group, jobs, count, &error);
    if (code == BB_OK)
        return;
    note_group_failure(executor, jobs, count, code, &error);
    go_on(executor, group, jobs, count, code);
}

static int64_t earliest_deadline(bb_job *const *jobs, size_t count)
{
    int64_t earliest = jobs[0]->access.deadline;

    for (size_t i = 1; i < count; i++) {
        if (jobs[i]->access.deadline < earliest)
            earliest = jobs[i]->access.deadline;
    }
    return earliest;
}

size_t bb_job_group_execute(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                            size_t count, size_t parts, bb_job **deferred)
{
    int64_t urgent = earliest_deadline(jobs, count);

    group->deferred = deferred;
    group->deferred_count = 0;
    group->share = count > 1 ? bb_share_together(executor->storage, urgent, parts)
                             : bb_share_alone(executor->storage, urgent, parts);
    if (executor->storage->vtable.write_group == NULL)
        write_singly(executor, group, jobs, count);
    else
        write_jobs(executor, group, jobs, count);
    return group->deferred_count;
}
