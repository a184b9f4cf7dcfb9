/*
 * share.c: how much of its time a job gets at once.
 */
#include "execute/share.h"

#include "execute/storage.h"

/* The least shares. The store itself counts how long it waits for a lock, so its distance does not
 * matter. Trying again takes a transaction's time, on a distant or busy store, too. */
enum { LEAST_FOR_LOCKS_MS = 10, LEAST_FOR_RETRIES_MS = 250 };

bb_share bb_share_whole(int64_t deadline)
{
    bb_share share = {.lock_deadline = deadline, .retry_deadline = deadline, .deadline = deadline};

    return share;
}

static int has_one_writer(const bb_storage *storage)
{
    return (storage->vtable.flags & BB_STORAGE_ONE_WRITER) != 0;
}

/* The end of the first of `parts` equal parts of the time, but of `least_ms` of it. */
static int64_t end_of_part(int64_t now, int64_t deadline, size_t parts, int64_t least_ms)
{
    int64_t part = (deadline - now) / (int64_t)parts;

    if (part < least_ms)
        part = least_ms;
    return part < deadline - now ? now + part : deadline;
}

bb_share bb_share_alone(const bb_storage *storage, int64_t deadline, size_t parts)
{
    bb_share share = bb_share_whole(deadline);
    int64_t now;

    if (has_one_writer(storage))
        return share;
    now = bb_deadline_in(0);
    share.lock_deadline = end_of_part(now, deadline, parts, LEAST_FOR_LOCKS_MS);
    share.retry_deadline = end_of_part(now, deadline, parts, LEAST_FOR_RETRIES_MS);
    share.halfway = now + (share.lock_deadline - now) / 2;
    return share;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bb_share bb_share_together(const bb_storage *storage, int64_t deadline, size_t parts)
{
    bb_share share = bb_share_alone(storage, deadline, parts);

    if (has_one_writer(storage))
        return share;
    share.deadline = bb_deadline_in(bb_deadline_left(deadline) / 2);
    share.lock_deadline = earlier(share.lock_deadline, share.deadline);
    share.retry_deadline = earlier(share.retry_deadline, share.deadline);
    return share;
}
