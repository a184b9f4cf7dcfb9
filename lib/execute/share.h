/*
 * share.h: how much of its time a job gets at once.
 */
#ifndef BB_SHARE_H
#define BB_SHARE_H

#include <stddef.h>

#include "bb_contacts/storage.h"

/* The store does not say what a job waits for. But the job must give back in time what it holds: a
 * session, and perhaps the other jobs of its group. */
typedef struct bb_share {
    int64_t lock_deadline;  /* for waiting for locks */
    int64_t retry_deadline; /* for trying again what the store has undone */
    int64_t deadline;       /* for all of it */
    int64_t halfway;        /* to lock_deadline; 0: there is no other share. See is_deferred() in
                               retry.c */
} bb_share;

/* The number of shares in the time of a job that has not been tried alone; and one so large that
 * each share is the least there is. */
enum { BB_FIRST_SHARES = 10, BB_LEAST_SHARES = 1 << 30 };

/* All of the time, for a request that holds up nobody else. */
bb_share bb_share_whole(int64_t deadline);

/*
 * The share of a job that is alone: for locks and for trying again, one of `parts` equal parts of
 * its time, but not less than is worth an attempt; for work without waiting, all of its time. Where
 * all writes wait for the same (BB_STORAGE_ONE_WRITER), all of its time for everything.
 */
bb_share bb_share_alone(const bb_storage *storage, int64_t deadline, size_t parts);

/* The share of several jobs that are done together, or one after the other, if the most urgent one
 * has time until `deadline`: half of that, so that there is time for another try whatever
 * happens. */
bb_share bb_share_together(const bb_storage *storage, int64_t deadline, size_t parts);

#endif
