/*
 * outboxes.h: the outboxes of a handle. Handle and outboxes may be closed in any order, and in
 * several threads at once.
 */
#ifndef BB_OUTBOXES_H
#define BB_OUTBOXES_H

#include "dispatch/outbox.h"

/* Lives until the handle and all of its outboxes have let it go. Any thread may
 * call these functions. */
typedef struct bb_outboxes bb_outboxes;

/* One of them; lies in memory of the caller's until it is removed. */
typedef struct bb_outbox_member {
    bb_outbox *box;
    struct bb_outbox_member *next;
} bb_outbox_member;

/* NULL without memory. */
bb_outboxes *bb_outboxes_new(const bb_allocator *allocator);

/* Adds an outbox; returns 0 if the handle is being closed. */
int bb_outboxes_add(bb_outboxes *all, bb_outbox_member *member);

/* Lets it go: it gets no more log lines. */
void bb_outboxes_remove(bb_outboxes *all, bb_outbox_member *member);

/* Around each use of the handle by way of an outbox. The first returns 0 if the handle is being
 * closed. */
int bb_outboxes_enter(bb_outboxes *all);
void bb_outboxes_leave(bb_outboxes *all);

/* A log line, for those that take them. */
void bb_outboxes_log(bb_outboxes *all, int32_t level, const char *line, size_t len);

/* The handle is being closed: nobody enters from now on. Waits until those inside have left. */
void bb_outboxes_shut(bb_outboxes *all);

/* All is answered: tells the outboxes that nothing more comes, and lets go. */
void bb_outboxes_end(bb_outboxes *all);

/* In a child of fork(): lets go for the handle or for one outbox. Takes no lock, as it may be held
 * for ever. */
void bb_outboxes_abandon(bb_outboxes *all);

#endif
