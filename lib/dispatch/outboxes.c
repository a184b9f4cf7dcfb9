/*
 * outboxes.c: the outboxes of a handle.
 */
#include "dispatch/outboxes.h"

#include <pthread.h>
#include <stdatomic.h>

#include "util/alloc.h"

struct bb_outboxes {
    bb_allocator allocator;
    atomic_size_t owners;  /* the handle, and each outbox */
    pthread_mutex_t mutex; /* guards the rest; an outbox's own comes after it */
    pthread_cond_t left;   /* the last one inside, after bb_outboxes_shut() */
    bb_outbox_member *first;
    size_t inside;
    int is_shut;
};

bb_outboxes *bb_outboxes_new(const bb_allocator *allocator)
{
    bb_outboxes *all = bb_zalloc(allocator, sizeof *all);

    if (all == NULL)
        return NULL;
    all->allocator = *allocator;
    atomic_init(&all->owners, 1);
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->left, NULL);
    return all;
}

static void disown(bb_outboxes *all)
{
    bb_allocator allocator = all->allocator;

    if (atomic_fetch_sub(&all->owners, 1) > 1)
        return;
    pthread_cond_destroy(&all->left);
    pthread_mutex_destroy(&all->mutex);
    bb_free(&allocator, all);
}

int bb_outboxes_add(bb_outboxes *all, bb_outbox_member *member)
{
    int is_shut;

    pthread_mutex_lock(&all->mutex);
    is_shut = all->is_shut;
    if (!is_shut) {
        member->next = all->first;
        all->first = member;
        atomic_fetch_add(&all->owners, 1);
    }
    pthread_mutex_unlock(&all->mutex);
    return !is_shut;
}

void bb_outboxes_remove(bb_outboxes *all, bb_outbox_member *member)
{
    bb_outbox_member **at;

    pthread_mutex_lock(&all->mutex);
    for (at = &all->first; *at != NULL; at = &(*at)->next) {
        if (*at == member) {
            *at = member->next;
            break;
        }
    }
    pthread_mutex_unlock(&all->mutex);
    disown(all);
}

int bb_outboxes_enter(bb_outboxes *all)
{
    int may_enter;

    pthread_mutex_lock(&all->mutex);
    may_enter = !all->is_shut;
    all->inside += may_enter != 0;
    pthread_mutex_unlock(&all->mutex);
    return may_enter;
}

void bb_outboxes_leave(bb_outboxes *all)
{
    pthread_mutex_lock(&all->mutex);
    all->inside--;
    if (all->is_shut && all->inside == 0)
        pthread_cond_signal(&all->left);
    pthread_mutex_unlock(&all->mutex);
}

void bb_outboxes_log(bb_outboxes *all, int32_t level, const char *line, size_t len)
{
    pthread_mutex_lock(&all->mutex);
    for (bb_outbox_member *at = all->first; at != NULL; at = at->next)
        bb_outbox_put_line(at->box, level, line, len);
    pthread_mutex_unlock(&all->mutex);
}

void bb_outboxes_shut(bb_outboxes *all)
{
    pthread_mutex_lock(&all->mutex);
    all->is_shut = 1;
    while (all->inside > 0)
        pthread_cond_wait(&all->left, &all->mutex);
    pthread_mutex_unlock(&all->mutex);
}

void bb_outboxes_end(bb_outboxes *all)
{
    pthread_mutex_lock(&all->mutex);
    for (bb_outbox_member *at = all->first; at != NULL; at = at->next)
        bb_outbox_end(at->box);
    pthread_mutex_unlock(&all->mutex);
    disown(all);
}

void bb_outboxes_abandon(bb_outboxes *all)
{
    bb_allocator allocator = all->allocator;

    if (atomic_fetch_sub(&all->owners, 1) == 1)
        bb_free(&allocator, all);
}
