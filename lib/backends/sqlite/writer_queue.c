/*
 * writer_queue.c: lets the sessions of one process write one after the other, in order of arrival.
 */
#include "backends/sqlite/writer_queue.h"

#include <string.h>

#include "util/condition.h"

int bb_sqlite_writer_queue_init(bb_sqlite_writer_queue *queue)
{
    memset(queue, 0, sizeof *queue);
    return pthread_mutex_init(&queue->mutex, NULL);
}

void bb_sqlite_writer_queue_destroy(bb_sqlite_writer_queue *queue)
{
    pthread_mutex_destroy(&queue->mutex);
}

int bb_sqlite_waiter_init(bb_sqlite_waiter *waiter)
{
    memset(waiter, 0, sizeof *waiter);
    return bb_condition_init(&waiter->turn_came);
}

void bb_sqlite_waiter_destroy(bb_sqlite_waiter *waiter)
{
    pthread_cond_destroy(&waiter->turn_came);
}

static void append(bb_sqlite_writer_queue *queue, bb_sqlite_waiter *waiter)
{
    waiter->has_turn = 0;
    waiter->next = NULL;
    if (queue->last != NULL)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

static void take_out(bb_sqlite_writer_queue *queue, const bb_sqlite_waiter *waiter)
{
    bb_sqlite_waiter *before = NULL;
    bb_sqlite_waiter *at = queue->first;

    while (at != NULL && at != waiter) {
        before = at;
        at = at->next;
    }
    if (at == NULL)
        return;
    if (before != NULL)
        before->next = at->next;
    else
        queue->first = at->next;
    if (queue->last == at)
        queue->last = before;
}

int bb_sqlite_writer_queue_enter(bb_sqlite_writer_queue *queue, bb_sqlite_waiter *waiter,
                                 int64_t deadline)
{
    int came = 1;

    pthread_mutex_lock(&queue->mutex);
    if (!queue->taken) {
        queue->taken = 1;
    } else {
        append(queue, waiter);
        while (!waiter->has_turn && bb_condition_wait(&waiter->turn_came, &queue->mutex, deadline))
            continue;
        came = waiter->has_turn; /* its turn may have come at the last moment */
        if (!came)
            take_out(queue, waiter);
    }
    pthread_mutex_unlock(&queue->mutex);
    return came;
}

void bb_sqlite_writer_queue_leave(bb_sqlite_writer_queue *queue)
{
    bb_sqlite_waiter *next;

    pthread_mutex_lock(&queue->mutex);
    next = queue->first;
    if (next != NULL) {
        /* `taken` stays set: the turn is handed over, and no one can step in between */
        take_out(queue, next);
        next->has_turn = 1;
        pthread_cond_signal(&next->turn_came);
    } else {
        queue->taken = 0;
    }
    pthread_mutex_unlock(&queue->mutex);
}
