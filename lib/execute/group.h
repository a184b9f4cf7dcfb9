/*
 * group.h: does several jobs in one transaction, if the backend can and nothing goes wrong;
 * otherwise in smaller groups or one by one.
 */
#ifndef BB_GROUP_H
#define BB_GROUP_H

#include "execute/job.h"

/* Room for the writes of up to `max_jobs` jobs at once; NULL if there is no memory. */
typedef struct bb_job_group bb_job_group;
bb_job_group *bb_job_group_new(const bb_allocator *allocator, size_t max_jobs);
void bb_job_group_free(bb_job_group *group);

/* Does jobs that bb_queue_take() took, and answers each. Puts those that were not done in one of
 * `parts` shares of the most urgent one's time into `deferred`, which has room for all of them;
 * returns how many. */
size_t bb_job_group_execute(bb_executor *executor, bb_job_group *group, bb_job *const *jobs,
                            size_t count, size_t parts, bb_job **deferred);

#endif
