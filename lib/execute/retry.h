/*
 * retry.h: does a job's work on a session, again if the store undid it, until the deadline or the
 * end of a share of the time.
 */
#ifndef BB_RETRY_H
#define BB_RETRY_H

#include "execute/executor.h"
#include "execute/job.h"

/* What bb_job_retry() may return besides a status of bb_job_conclude(). */
enum { BB_DEFERRED = INT32_MIN };

/* Returns the job's final status, or BB_DEFERRED if the share was over before the job's time, so
 * that it may be tried again with another share. The job is slow then. */
int32_t bb_job_retry(bb_executor *executor, bb_job *job, bb_share share, bb_session_fn attempt,
                     void *ctx);

#endif
