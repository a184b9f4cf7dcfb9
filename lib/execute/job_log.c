/*
 * job_log.c: lines to the host's log about jobs, each with the ids that the host gave to their
 * requests (A5).
 */
#include "execute/job_log.h"

#include <string.h>

static const char separator[] = ", ";

_Static_assert(BB_MAX_REQUEST_ID + sizeof separator <= sizeof((bb_job_log_all *)NULL)->ids,
               "a line has no room for one id");

void bb_job_log(const bb_executor *executor, const bb_job *job, int32_t level, const char *what,
                const bb_error *error)
{
    bb_executor_log(executor, level, what, error, job->request_id);
}

void bb_job_log_all_begin(bb_job_log_all *all, const bb_executor *executor, int32_t level,
                          const char *what, const bb_error *error)
{
    *all = (bb_job_log_all){.executor = executor, .level = level, .what = what, .error = error};
}

static void tell(bb_job_log_all *all)
{
    all->ids[all->len] = '\0';
    bb_executor_log(all->executor, all->level, all->what, all->error, all->ids);
    all->is_told = 1;
    all->len = 0;
}

static void append(bb_job_log_all *all, const char *text, size_t len)
{
    memcpy(all->ids + all->len, text, len);
    all->len += len;
}

void bb_job_log_all_add(bb_job_log_all *all, const bb_job *job)
{
    size_t len = strlen(job->request_id);

    if (len == 0)
        return;
    if (all->len + len + sizeof separator > sizeof all->ids)
        tell(all);
    if (all->len > 0)
        append(all, separator, sizeof separator - 1);
    append(all, job->request_id, len);
}

void bb_job_log_all_end(bb_job_log_all *all)
{
    if (all->len > 0 || !all->is_told)
        tell(all);
}
