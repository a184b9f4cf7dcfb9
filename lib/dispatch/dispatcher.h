/*
 * dispatcher.h: many requests at the price of few: the handle's workers write the waiting requests,
 * several in one transaction. Without workers, those that wait do the same in turn.
 */
#ifndef BB_DISPATCHER_H
#define BB_DISPATCHER_H

#include "dispatch/queue.h"

typedef struct bb_dispatcher bb_dispatcher;

/* The threads that write besides the workers, each on a session of its own: they go on with jobs
 * that were not done in their share of time. */
enum { BB_QUARANTINE_WORKERS = 2 };

/* Starts `workers` threads, those of the quarantine, and one that answers what expires; or no
 * thread if `workers` is 0: then bb_dispatcher_run() does all of the work. BB_OK,
 * BB_ERR_NOMEM, or BB_ERR_INTERNAL if the system has no more threads or random bytes. The executor
 * must outlive the dispatcher; `random` is used for as long as this call takes. */
int32_t bb_dispatcher_open(bb_executor *executor, uint32_t workers, const bb_queue_limits *limits,
                           bb_random_fn random, void *random_ctx, bb_dispatcher **out);

/* Waits until all queued jobs are written, then ends the threads. NULL does nothing. */
void bb_dispatcher_close(bb_dispatcher *dispatcher);

/* For a child of fork(), where the threads are missing and locks may be held for ever: frees what
 * has not changed since bb_dispatcher_open(). NULL does nothing. */
void bb_dispatcher_abandon(bb_dispatcher *dispatcher);

/* Has a job done and waits for its answer, never NULL. If nothing waits and a worker could begin at
 * once, this thread does it; otherwise it is queued. Without workers, this thread may then write it
 * together with others. Any thread but a worker. */
bb_result *bb_dispatcher_run(bb_dispatcher *dispatcher, bb_job *job);

/* Queues a job; its done() will be called. `ticket` may be NULL. BB_ERR_QUEUE_FULL;
 * BB_ERR_CLOSED if the dispatcher is being closed; BB_ERR_NOMEM; BB_ERR_ARGUMENT without workers.
 * Any thread. */
int32_t bb_dispatcher_submit(bb_dispatcher *dispatcher, bb_job *job, uint64_t *ticket);

/* Takes out a waiting job and answers it with a 503: BB_OK. BB_ERR_NOT_FOUND if there is none with
 * this ticket; those that wait in bb_dispatcher_run() have none without workers. */
int32_t bb_dispatcher_cancel(bb_dispatcher *dispatcher, uint64_t ticket);

/* How many jobs wait, and the bytes of their bodies. */
void bb_dispatcher_load(bb_dispatcher *dispatcher, size_t *queued, size_t *queued_bytes);

#endif
