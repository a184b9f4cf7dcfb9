/*
 * timeouts.c: which connections have been waited for too long.
 */
#include "timeouts.h"

#include "limits.h"

#include <stddef.h>

/* A client that has closed its side may still read the answer, or be gone: TCP does not tell. So an
 * answer has a second to come before the request is cancelled. */
enum { GONE_MS = 1000 };

void timeouts_init(struct timeouts *timeouts)
{
    timeouts->durations[TIMEOUT_GONE] = GONE_MS;
    timeouts->durations[TIMEOUT_LINGER] = LINGER_MS;
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++) {
        timeouts->lists[kind].before = &timeouts->lists[kind];
        timeouts->lists[kind].after = &timeouts->lists[kind];
    }
}

void timeout_stop(struct timeout *timeout)
{
    if (timeout->after == NULL)
        return;
    timeout->before->after = timeout->after;
    timeout->after->before = timeout->before;
    timeout->after = NULL;
}

void timeout_start(struct timeouts *timeouts, struct timeout *timeout, enum timeout_kind kind,
                   uint64_t now)
{
    struct timeout *end = &timeouts->lists[kind];

    timeout_stop(timeout);
    timeout->since = now;
    timeout->before = end->before;
    timeout->after = end;
    timeout->before->after = timeout;
    end->before = timeout;
}

struct timeout *timeouts_expired(struct timeouts *timeouts, enum timeout_kind kind, uint64_t now)
{
    struct timeout *first = timeouts->lists[kind].after;

    if (first == &timeouts->lists[kind] || now - first->since < timeouts->durations[kind])
        return NULL;
    return first;
}
