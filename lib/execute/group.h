/*
 * group.h: the one stage that does I/O: authorize and write on a storage session, again if the
 * store undid it, until the deadline or the end of a share of the time.
 */
#ifndef BB_STORE_H
#define BB_STORE_H

#include "execute/executor.h"
#include "execute/job.h"
#include "request/response.h"

/* What bb_store_authorize() returns besides a bb_status. */
enum { BB_STORE_LATER = -1 };

/*
 * The share that a job is given when it is alone: one of `parts` equal ones of its time to wait for
 * locks, though not less than a store that is far away may need, and all of its time to do what it
 * does without waiting. Where all writes wait for the same (BB_STORAGE_ONE_WRITER), all for both.
 */
enum { BB_FIRST_SHARES = 10 }; /* so many parts for a job that has not been tried alone */
bb_share bb_store_share(const bb_executor *executor, int64_t deadline, size_t parts);

/* Authorizes (A1). Returns a bb_status: SUCCESS, INVALID_KEY, NOT_FOUND, or a fault; or
 * BB_STORE_LATER if the share was over before the job's time. The job is slow then. */
int32_t bb_store_authorize(bb_executor *executor, bb_job *job, bb_share share);

/* Authorizes and writes the job's batch. The answer, whatever came of it, or NULL for
 * BB_STORE_LATER. */
bb_result *bb_store_write(bb_executor *executor, bb_job *job, bb_share share);

/* The answer to a job whose deadline passed while it waited, with a line for the host that says why
 * if it has been tried. */
bb_result *bb_store_expire(const bb_executor *executor, const bb_job *job);

/* Room for the writes of up to so many jobs at once; NULL if there is no memory. */
typedef struct bb_store_group bb_store_group;
bb_store_group *bb_store_group_new(const bb_allocator *allocator, size_t max_jobs);
void bb_store_group_free(bb_store_group *group);

/* Does jobs that bb_queue_take() took, as one transaction if the backend can and nothing goes
 * wrong, otherwise one by one; tells each its answer. What was not done in a share of the most
 * urgent one's time is put into `later`, which has room for all of them; returns how many. */
size_t bb_store_write_group(bb_executor *executor, bb_store_group *group, bb_job *const *jobs,
                            size_t count, bb_job **later);

#endif
