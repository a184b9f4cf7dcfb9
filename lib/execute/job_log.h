/*
 * job_log.h: lines to the host's log about jobs, each with the ids that the host gave to their
 * requests (A5).
 */
#ifndef BB_JOB_LOG_H
#define BB_JOB_LOG_H

#include "execute/job.h"

/* One line about one job. */
void bb_job_log(const bb_executor *executor, const bb_job *job, int32_t level, const char *what,
                const bb_error *error);

/* Room in a line for the ids, with a NUL. */
enum { BB_LOG_IDS_SIZE = 240 };

/* What is said of several jobs at once: a line with all of their ids, or as many lines as these
 * need. */
typedef struct bb_job_log_all {
    const bb_executor *executor;
    int32_t level;
    const char *what;
    const bb_error *error;
    int is_told;
    char ids[BB_LOG_IDS_SIZE];
    size_t len;
} bb_job_log_all;

void bb_job_log_all_begin(bb_job_log_all *all, const bb_executor *executor, int32_t level,
                          const char *what, const bb_error *error);
void bb_job_log_all_add(bb_job_log_all *all, const bb_job *job);
void bb_job_log_all_end(bb_job_log_all *all);

#endif
