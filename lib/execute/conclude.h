/*
 * conclude.h: what a job ends with: the status for its client, and a line for the host if it
 * failed.
 */
#ifndef BB_CONCLUDE_H
#define BB_CONCLUDE_H

#include "execute/executor.h"
#include "execute/job.h"

/* An attempt failed, after which there will be others. The first one's reason is kept: what comes
 * of the last one may be no more than that time had run out. `error` gets a message if it has none.
 */
void bb_job_note_failure(bb_job *job, int32_t code, bb_error *error);

/* The status of a job that ends with this code; the host is told if it is not the client's fault,
 * or if a rule of the host's decided. */
int32_t bb_job_conclude(const bb_executor *executor, const bb_job *job, int32_t code,
                        bb_error *error);

/* The answer to a job whose deadline passed while it waited; the host is told why if it has been
 * tried. */
bb_result *bb_job_expire(const bb_executor *executor, const bb_job *job);

#endif
