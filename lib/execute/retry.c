/*
 * retry.c: does a job's work on a session, again if the store undid it, until the deadline or the
 * end of a share of the time.
 */
#include "execute/retry.h"

#include "execute/conclude.h"
#include "execute/job_log.h"
#include "util/clock.h"

enum { LONGEST_PAUSE_MS = 50 };

/* Pauses before another attempt: longer each time, but not past the deadline. */
static void pause_before(unsigned attempt, int64_t deadline)
{
    int32_t ms = attempt < 6 ? 1 << attempt : LONGEST_PAUSE_MS;
    int32_t left = bb_deadline_left(deadline);

    bb_pause_ms(ms < left ? ms : left);
}

/* Logs one line for all of a job's attempts; there is another if they end in vain. */
static void note_retry(bb_executor *executor, bb_job *job, int32_t code, bb_error *error)
{
    bb_job_note_failure(job, code, error);
    bb_count(&executor->counters.retries, 1);
    if (job->attempts == 1)
        bb_job_log(executor, job, BB_LOG_WARN, "trying again", error);
}

/* Whether a job that failed should be tried again with another share. A backend may give up on a
 * lock some time before it must: even after the last share of a job's time, the rest is another
 * share. If it is busy without having waited, that is the store's own answer. */
static int is_deferred(const bb_job *job, int32_t code, bb_share share)
{
    if (code != BB_ERR_BUSY && code != BB_ERR_RETRY && code != BB_ERR_LOST)
        return 0;
    if (share.halfway == 0 || bb_deadline_left(job->access.deadline) == 0)
        return 0;
    return code != BB_ERR_BUSY || bb_deadline_left(share.halfway) == 0;
}

int32_t bb_job_retry(bb_executor *executor, bb_job *job, bb_share share, bb_session_fn attempt,
                     void *ctx)
{
    bb_error error;
    int32_t code;

    for (unsigned count = 0;; count++) {
        bb_error_init(&error);
        code = bb_executor_with_session(executor, share.deadline, attempt, ctx, &error);
        if ((code != BB_ERR_RETRY && code != BB_ERR_LOST) ||
            bb_deadline_left(share.retry_deadline) == 0)
            break;
        note_retry(executor, job, code, &error);
        pause_before(count, share.retry_deadline);
    }
    if (!is_deferred(job, code, share))
        return bb_job_conclude(executor, job, code, &error);
    note_retry(executor, job, code, &error);
    job->is_slow = 1;
    return BB_DEFERRED;
}
