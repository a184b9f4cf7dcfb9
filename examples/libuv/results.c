/*
 * results.c: brings the library's answers from its threads to the loop's.
 */
#include "results.h"

#include "server.h"

static void on_wake(uv_async_t *wake)
{
    results_take(wake->data);
}

int results_open(struct results *results, uv_loop_t *loop, void (*take)(struct request *request))
{
    int status = uv_mutex_init(&results->mutex);

    if (status != 0)
        return status;
    status = uv_async_init(loop, &results->wake, on_wake);
    if (status != 0) {
        uv_mutex_destroy(&results->mutex);
        return status;
    }
    results->wake.data = results;
    results->list = NULL;
    results->take = take;
    return 0;
}

void results_put(void *request_, bb_result *result)
{
    struct request *request = request_;
    struct results *results = &request->server->results;

    request->result = result;
    uv_mutex_lock(&results->mutex);
    request->next = results->list;
    results->list = request;
    uv_mutex_unlock(&results->mutex);
    /* From here on the request is the loop's. Of several calls the loop may see only one. */
    uv_async_send(&results->wake);
}

static struct request *take_list(struct results *results)
{
    struct request *list;

    uv_mutex_lock(&results->mutex);
    list = results->list;
    results->list = NULL;
    uv_mutex_unlock(&results->mutex);
    return list;
}

void results_take(struct results *results)
{
    struct request *latest = take_list(results);
    struct request *first = NULL;

    while (latest != NULL) { /* who was answered first is told first */
        struct request *next = latest->next;
        latest->next = first;
        first = latest;
        latest = next;
    }
    while (first != NULL) {
        struct request *next = first->next;
        results->take(first);
        first = next;
    }
}

void results_close(struct results *results)
{
    results_take(results);
    uv_mutex_destroy(&results->mutex);
    uv_close((uv_handle_t *)&results->wake, NULL);
}
