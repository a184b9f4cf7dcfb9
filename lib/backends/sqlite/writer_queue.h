/*
 * writer_queue.h: lets the sessions of one process write one after the other, in order of arrival.
 *
 * SQLite has one writer at a time. It waits by sleeping and trying again, which wastes time and
 * lets late comers overtake; within a process we can do better. Between processes the file's lock
 * decides.
 */
#ifndef BB_SQLITE_WRITER_QUEUE_H
#define BB_SQLITE_WRITER_QUEUE_H

#include <pthread.h>
#include <stdint.h>

/* A place in the queue, one per session. */
typedef struct bb_sqlite_waiter {
    pthread_cond_t turn_came;
    int has_turn;
    struct bb_sqlite_waiter *next;
} bb_sqlite_waiter;

typedef struct bb_sqlite_writer_queue {
    pthread_mutex_t mutex; /* guards the rest and every waiter's has_turn and next */
    int taken;             /* somebody writes */
    bb_sqlite_waiter *first;
    bb_sqlite_waiter *last;
} bb_sqlite_writer_queue;

/* These return 0, or an error number. */
int bb_sqlite_writer_queue_init(bb_sqlite_writer_queue *queue);
int bb_sqlite_waiter_init(bb_sqlite_waiter *waiter);

void bb_sqlite_writer_queue_destroy(bb_sqlite_writer_queue *queue);
void bb_sqlite_waiter_destroy(bb_sqlite_waiter *waiter);

/* Waits for the turn to write, until `deadline`. Returns whether it came. */
int bb_sqlite_writer_queue_enter(bb_sqlite_writer_queue *queue, bb_sqlite_waiter *waiter,
                                 int64_t deadline);

/* Gives the turn to the one that has waited longest. */
void bb_sqlite_writer_queue_leave(bb_sqlite_writer_queue *queue);

#endif
