/*
 * share.c: how much of its time a job gets at once.
 */
#include "execute/share.h"

#include "execute/storage.h"

/* Even the least share is enough for a transaction on a distant or busy store. */
enum { LEAST_SHARE_MS = 250 };

static int has_one_writer(const bb_storage *storage)
{
    return (storage->vtable.flags & BB_STORAGE_ONE_WRITER) != 0;
}

bb_share bb_share_alone(const bb_storage *storage, int64_t deadline, size_t parts)
{
    bb_share share = {.lock_deadline = deadline, .deadline = deadline};
    int64_t now;
    int64_t part;

    if (has_one_writer(storage))
        return share;
    now = bb_deadline_in(0);
    part = (deadline - now) / (int64_t)parts;
    if (part < LEAST_SHARE_MS)
        part = LEAST_SHARE_MS;
    if (part < deadline - now) {
        share.lock_deadline = now + part;
        share.halfway = now + part / 2;
    }
    return share;
}

bb_share bb_share_together(const bb_storage *storage, int64_t deadline)
{
    bb_share share = bb_share_alone(storage, deadline, BB_FIRST_SHARES);

    if (has_one_writer(storage))
        return share;
    share.deadline = bb_deadline_in(bb_deadline_left(deadline) / 2);
    if (share.lock_deadline > share.deadline)
        share.lock_deadline = share.deadline;
    return share;
}
