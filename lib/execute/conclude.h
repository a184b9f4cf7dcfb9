/*
 * conclude.h: ends a job: the status for its client, and a line for the host if it failed.
 */
#ifndef BB_CONCLUDE_H
#define BB_CONCLUDE_H

#include "execute/executor.h"
#include "execute/job.h"

/* Notes an attempt that failed and will be repeated. It keeps the first one's reason, since the
 * last one may only say that time ran out. `error` gets a message if it has none. */
void bb_job_note_failure(bb_job *job, int32_t code, bb_error *error);

/* The status of a job that ends with this code: SUCCESS, INVALID_DATA (D3), INVALID_KEY, NOT_FOUND,
 * CONFLICT, PAYLOAD_TOO_LARGE (A7), or a BB_FAULT(). Logs it if it is not the client's fault, if a
 * rule of the host's decided, or if the answer would be too large. */
int32_t bb_job_conclude(const bb_executor *executor, const bb_job *job, int32_t code,
                        bb_error *error);

/* The answer to a job whose deadline passed while it waited. Logs why if the job was tried
 * before. */
bb_result *bb_job_expire(const bb_executor *executor, const bb_job *job);

#endif
