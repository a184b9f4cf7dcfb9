/*
 * pool.c: threads for work that would keep the loop's thread busy for too long.
 */
#include "pool.h"

#include <signal.h>
#include <stddef.h>

/* Waits for work; NULL: there will be none. */
static struct inbox_entry *take(struct pool *pool)
{
    struct inbox_entry *entry;

    uv_mutex_lock(&pool->mutex);
    while (pool->first == NULL && !pool->is_closing)
        uv_cond_wait(&pool->changed, &pool->mutex);
    entry = pool->first;
    if (entry != NULL)
        pool->first = entry->next;
    uv_mutex_unlock(&pool->mutex);
    return entry;
}

static void run(void *pool_)
{
    struct pool *pool = pool_;
    struct inbox_entry *entry;

    while ((entry = take(pool)) != NULL) {
        pool->work(entry->request);
        inbox_put(pool->done, entry, entry->request);
    }
}

/* Signals are for the loop's thread, so a thread of the pool begins with all of them blocked. */
static int start_thread(struct pool *pool, uv_thread_t *thread)
{
    sigset_t all;
    sigset_t before;
    int status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = uv_thread_create(thread, run, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int pool_open(struct pool *pool, void (*work)(struct request *request), struct inbox *done)
{
    int status;

    *pool = (struct pool){.work = work, .done = done};
    if ((status = uv_mutex_init(&pool->mutex)) != 0)
        return status;
    if ((status = uv_cond_init(&pool->changed)) != 0) {
        uv_mutex_destroy(&pool->mutex);
        return status;
    }
    while (pool->started < POOL_THREADS && status == 0) {
        status = start_thread(pool, &pool->threads[pool->started]);
        pool->started += status == 0;
    }
    if (status != 0)
        pool_close(pool);
    return status;
}

void pool_put(struct pool *pool, struct inbox_entry *entry, struct request *request)
{
    *entry = (struct inbox_entry){.request = request};
    uv_mutex_lock(&pool->mutex);
    if (pool->first == NULL)
        pool->first = entry;
    else
        pool->last->next = entry;
    pool->last = entry;
    uv_cond_signal(&pool->changed);
    uv_mutex_unlock(&pool->mutex);
}

void pool_close(struct pool *pool)
{
    uv_mutex_lock(&pool->mutex);
    pool->is_closing = 1;
    uv_cond_broadcast(&pool->changed);
    uv_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->started; i++)
        uv_thread_join(&pool->threads[i]);
    uv_cond_destroy(&pool->changed);
    uv_mutex_destroy(&pool->mutex);
}
