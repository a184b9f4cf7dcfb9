/*
 * single.h: does one job by itself: asks about its access, or writes its batch.
 */
#ifndef BB_SINGLE_H
#define BB_SINGLE_H

#include "execute/retry.h"

/* Authorizes (A1). Returns SUCCESS, INVALID_KEY, NOT_FOUND, or a BB_FAULT(); or BB_DEFERRED. */
int32_t bb_job_authorize(bb_executor *executor, bb_job *job, bb_share share);

/* Authorizes and writes the job's batch. Returns the answer, whatever it is, or NULL for
 * BB_DEFERRED. */
bb_result *bb_job_write(bb_executor *executor, bb_job *job, bb_share share);

#endif
