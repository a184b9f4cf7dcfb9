/*
 * inbox.c: brings requests from other threads to the loop's.
 */
#include "inbox.h"

static struct inbox_entry *take_list(struct inbox *inbox)
{
    struct inbox_entry *list;

    uv_mutex_lock(&inbox->mutex);
    list = inbox->list;
    inbox->list = NULL;
    uv_mutex_unlock(&inbox->mutex);
    return list;
}

static void take_all(struct inbox *inbox)
{
    struct inbox_entry *latest = take_list(inbox);
    struct inbox_entry *first = NULL;

    while (latest != NULL) { /* the first to come is taken first */
        struct inbox_entry *next = latest->next;
        latest->next = first;
        first = latest;
        latest = next;
    }
    while (first != NULL) {
        struct inbox_entry *next = first->next;
        inbox->take(first->request); /* which may free it */
        first = next;
    }
}

static void on_wake(uv_async_t *wake)
{
    take_all(wake->data);
}

int inbox_open(struct inbox *inbox, uv_loop_t *loop, void (*take)(struct request *request))
{
    int status = uv_mutex_init(&inbox->mutex);

    if (status != 0)
        return status;
    status = uv_async_init(loop, &inbox->wake, on_wake);
    if (status != 0) {
        uv_mutex_destroy(&inbox->mutex);
        return status;
    }
    inbox->wake.data = inbox;
    inbox->list = NULL;
    inbox->take = take;
    return 0;
}

void inbox_put(struct inbox *inbox, struct inbox_entry *entry, struct request *request)
{
    entry->request = request;
    uv_mutex_lock(&inbox->mutex);
    entry->next = inbox->list;
    inbox->list = entry;
    uv_mutex_unlock(&inbox->mutex);
    /* From here on the request is the loop's. The loop may see several calls as one. */
    uv_async_send(&inbox->wake);
}

void inbox_close(struct inbox *inbox)
{
    take_all(inbox);
    uv_mutex_destroy(&inbox->mutex);
    uv_close((uv_handle_t *)&inbox->wake, NULL);
}
