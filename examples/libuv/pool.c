/*
 * pool.c: threads for work that would keep the loop's thread busy for too long.
 */
#include "pool.h"

#include "request.h"

#include <signal.h>
#include <stddef.h>

/* Waits for work; NULL: there will be none. */
static struct request *take(struct pool *pool)
{
    struct request *request;

    uv_mutex_lock(&pool->mutex);
    while (pool->first == NULL && !pool->is_closing)
        uv_cond_wait(&pool->changed, &pool->mutex);
    request = pool->first;
    if (request != NULL)
        pool->first = request->next;
    uv_mutex_unlock(&pool->mutex);
    return request;
}

/* From here on the request is the loop's. The loop may see several calls as one. */
static void give_back(struct pool *pool, struct request *request)
{
    uv_mutex_lock(&pool->mutex);
    request->next = pool->done;
    pool->done = request;
    uv_mutex_unlock(&pool->mutex);
    uv_async_send(&pool->wake);
}

static void run(void *pool_)
{
    struct pool *pool = pool_;
    struct request *request;

    while ((request = take(pool)) != NULL) {
        pool->work(request);
        give_back(pool, request);
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

static void on_wake(uv_async_t *wake)
{
    struct pool *pool = wake->data;
    struct request *request;

    uv_mutex_lock(&pool->mutex);
    request = pool->done;
    pool->done = NULL;
    uv_mutex_unlock(&pool->mutex);
    while (request != NULL) {
        struct request *next = request->next;
        pool->after(request);
        request = next;
    }
}

int pool_open(struct pool *pool, uv_loop_t *loop, void (*work)(struct request *request),
              void (*after)(struct request *request))
{
    int status;

    *pool = (struct pool){.work = work, .after = after};
    if ((status = uv_mutex_init(&pool->mutex)) != 0 ||
        (status = uv_cond_init(&pool->changed)) != 0 ||
        (status = uv_async_init(loop, &pool->wake, on_wake)) != 0)
        return status;
    pool->wake.data = pool;
    while (pool->started < POOL_THREADS && status == 0) {
        status = start_thread(pool, &pool->threads[pool->started]);
        pool->started += status == 0;
    }
    return status;
}

void pool_put(struct pool *pool, struct request *request)
{
    request->next = NULL;
    uv_mutex_lock(&pool->mutex);
    if (pool->first == NULL)
        pool->first = request;
    else
        pool->last->next = request;
    pool->last = request;
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
    on_wake(&pool->wake);
    uv_cond_destroy(&pool->changed);
    uv_mutex_destroy(&pool->mutex);
    uv_close((uv_handle_t *)&pool->wake, NULL);
}
