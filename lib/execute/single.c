/*
 * single.c: does one job by itself: asks about its access, or writes its batch.
 */
#include "execute/single.h"

#include "execute/collector.h"

static bb_access access_within(const bb_job *job, bb_share share)
{
    bb_access access = job->access;

    access.deadline = share.deadline;
    access.lock_deadline = share.lock_deadline;
    return access;
}

static int32_t authorize(const bb_storage_vtable *table, void *session, void *access,
                         bb_error *error)
{
    return table->authorize(session, access, error);
}

int32_t bb_job_authorize(bb_executor *executor, bb_job *job, bb_share share)
{
    bb_access access = access_within(job, share);

    return bb_job_retry(executor, job, share, authorize, &access);
}

static int32_t write_batch(const bb_storage_vtable *table, void *session, void *ctx,
                           bb_error *error)
{
    bb_collector *collector = ctx;
    bb_write write = bb_collector_begin(collector);

    return bb_collector_check(collector, table->write(session, &write, error), error);
}

bb_result *bb_job_write(bb_executor *executor, bb_job *job, bb_share share)
{
    bb_access access = access_within(job, share);
    int32_t status = BB_FAULT(BB_ERR_NOMEM);
    bb_collector collector;

    if (bb_collector_init(&collector, &access, job->batch, executor->max_answer_bytes,
                          job->arena) == BB_OK)
        status = bb_job_retry(executor, job, share, write_batch, &collector);
    if (status == BB_DEFERRED) {
        bb_collector_free(&collector);
        return NULL;
    }
    if (status == BB_STATUS_SUCCESS && !job->batch->rules.is_dry_run)
        bb_count_write(&executor->counters, 1);
    return bb_collector_finish(&collector, status);
}
