/*
 * store.h: the one stage that does I/O: authorize and write on a storage session, again if the
 * store undid it, until the deadline.
 */
#ifndef BB_STORE_H
#define BB_STORE_H

#include "api/handle.h"
#include "execute/job.h"
#include "request/response.h"

/* Authorizes (A1). Returns a bb_status: SUCCESS, INVALID_KEY, NOT_FOUND, or a fault. */
int32_t bb_store_authorize(bb_contacts *contacts, const bb_access *access);

/* Authorizes and writes the batch. The answer, whatever came of it; never NULL. */
bb_result *bb_store_write(bb_contacts *contacts, const bb_access *access, bb_batch *batch,
                          bb_arena *arena);

/* Room for the writes of up to so many jobs at once; NULL if there is no memory. */
typedef struct bb_store_group bb_store_group;
bb_store_group *bb_store_group_new(const bb_allocator *allocator, size_t max_jobs);
void bb_store_group_free(bb_store_group *group);

/* Does jobs that bb_queue_take() took, as one transaction if the backend can and nothing goes
 * wrong, otherwise one by one; tells each its answer. */
void bb_store_write_group(bb_contacts *contacts, bb_store_group *group, bb_job *const *jobs,
                          size_t count);

#endif
