/*
 * conclude.c: ends a job: the status for its client, and a line for the host if it failed.
 */
#include "execute/conclude.h"

#include <stdio.h>

#include "execute/job_log.h"
#include "request/response.h"
#include "util/clock.h"

static int32_t status_of(const bb_job *job, int32_t code, const bb_error *error)
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
    case BB_ERR_OVERSIZED: /* only with what is to be said about it */
        return job->batch != NULL && job->batch->oversized > 0 ? BB_STATUS_INVALID_DATA
                                                               : BB_FAULT(BB_ERR_INTERNAL);
    case BB_ERR_TOO_LARGE:
        return BB_STATUS_PAYLOAD_TOO_LARGE;
    case BB_ERR_BUSY: /* which means: until the deadline */
        return BB_FAULT(BB_ERR_DEADLINE);
    case BB_ERR_RETRY: /* still so at the deadline; from the pool also if the store is gone */
        return BB_FAULT(error->code == BB_ERR_UNAVAILABLE ? BB_ERR_UNAVAILABLE : BB_ERR_DEADLINE);
    case BB_ERR_UNAVAILABLE:
    case BB_ERR_LOST:
        return BB_FAULT(BB_ERR_UNAVAILABLE);
    case BB_ERR_NOMEM:
    case BB_ERR_SCHEMA:
    case BB_ERR_UNSUPPORTED:
        return BB_FAULT(code);
    default:
        return BB_FAULT(BB_ERR_INTERNAL);
    }
}

static void fill_in_message(bb_error *error, int32_t code)
{
    if (error->message[0] == '\0')
        bb_error_set(error, code, "%s", bb_code_text(code));
}

void bb_job_note_failure(bb_job *job, int32_t code, bb_error *error)
{
    fill_in_message(error, code);
    if (job->attempts++ == 0)
        job->cause = *error;
}

static void log_failure(const bb_executor *executor, const bb_job *job, unsigned attempts,
                        const bb_error *error)
{
    const char *what = job->batch != NULL ? "write failed" : "authorize failed";
    char line[80];

    if (attempts > 1) {
        snprintf(line, sizeof line, "%s after %u attempts in %lld ms", what, attempts,
                 (long long)(bb_monotonic_us() - job->began_us) / 1000);
        what = line;
    }
    bb_job_log(executor, job, BB_LOG_ERROR, what, error);
}

int32_t bb_job_conclude(const bb_executor *executor, const bb_job *job, int32_t code,
                        bb_error *error)
{
    int32_t status = status_of(job, code, error);
    int is_unavailable = bb_result_status(bb_response_plain(status)) == BB_STATUS_UNAVAILABLE;

    if ((status == BB_STATUS_CONFLICT || status == BB_STATUS_PAYLOAD_TOO_LARGE) &&
        error->message[0] != '\0')
        bb_job_log(executor, job, BB_LOG_INFO, "refused", error);
    if (status >= 0)
        return status;
    fill_in_message(error, code);
    log_failure(executor, job, job->attempts + 1,
                is_unavailable && job->attempts > 0 ? &job->cause : error);
    return status;
}

bb_result *bb_job_expire(const bb_executor *executor, const bb_job *job)
{
    if (job->attempts > 0)
        log_failure(executor, job, job->attempts, &job->cause);
    return bb_response_plain(BB_FAULT(BB_ERR_DEADLINE));
}
