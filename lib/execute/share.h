/*
 * share.h: how much of its time a job is given at once.
 */
#ifndef BB_SHARE_H
#define BB_SHARE_H

#include <stddef.h>

#include "bb_contacts/storage.h"

/* Nobody says what a job waits for; but what it has taken, a session and perhaps others' company,
 * is to be free again in time. */
typedef struct bb_share {
    int64_t lock_deadline; /* for what others have locked, and for trying again */
    int64_t deadline;      /* for all of it */
    int64_t halfway;       /* to lock_deadline; see is_deferred() in retry.c */
} bb_share;

/* So many parts are made of the time of a job that has not been tried alone. */
enum { BB_FIRST_SHARES = 10 };

/*
 * The share of a job that is alone: one of `parts` equal ones of its time to wait for locks, though
 * not less than a store that is far away may need, and all of its time to do what it does without
 * waiting. Where all writes wait for the same (BB_STORAGE_ONE_WRITER), all for both.
 */
bb_share bb_share_alone(const bb_storage *storage, int64_t deadline, size_t parts);

/* The share of several jobs that are done together, or one after the other, of which the most
 * urgent one has time until `deadline`: half of that, so that there is time for another try,
 * whatever takes so long. */
bb_share bb_share_together(const bb_storage *storage, int64_t deadline);

#endif
