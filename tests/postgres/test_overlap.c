/*
 * test_overlap.c: 32 threads write overlapping batches in opposite orders; the server sees no
 * deadlock, and every answer is a 200 (E7). Six seconds; a minute if BB_TEST_LONG is set.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bb_contacts/storage.h"
#include "postgres/open.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"

enum { THREADS = 32, KEYS = 300 };

typedef struct client {
    pthread_t id;
    const test_endpoint *endpoint;
    unsigned number;
    int64_t end;
    unsigned requests;
    unsigned faults;
} client;

/* A run of keys, small or large, upwards in every second thread, downwards in the others. */
static void make_body(const client *c, uint64_t *random, test_text *body)
{
    uint32_t count =
        test_random(random, 2) == 0 ? 1 + test_random(random, 30) : 30 + test_random(random, 100);
    uint32_t first = test_random(random, KEYS);

    body->len = 0;
    test_append(body, "{\"users\":[");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t step = c->number % 2 == 0 ? i : count - 1 - i;
        test_append(body, "%s{\"external_id\":\"%u\",\"name\":\"%u\"}", i > 0 ? "," : "",
                    (first + step) % KEYS, test_random(random, 4));
    }
    test_append(body, "]}");
}

static void *run_client(void *arg)
{
    client *c = arg;
    uint64_t random = test_seed() * 1000003 + c->number + 1;
    test_text body = {0};

    do {
        bb_result *result;
        make_body(c, &random, &body);
        result = test_send(c->endpoint, body.data, body.len);
        if (bb_result_http_status(result) != 200)
            c->faults++;
        c->requests++;
        bb_result_free(result);
    } while (bb_deadline_left(c->end) > 0);
    free(body.data);
    return NULL;
}

static void test_E7_overlapping_batches_in_opposite_orders(const test_endpoint *endpoint)
{
    static client clients[THREADS];
    int64_t end = bb_deadline_in((int64_t)test_times(6) * 1000);
    unsigned requests = 0, faults = 0, started = 0;

    for (; started < THREADS; started++) {
        clients[started] = (client){.endpoint = endpoint, .number = started, .end = end};
        if (pthread_create(&clients[started].id, NULL, run_client, &clients[started]) != 0)
            break;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(clients[i].id, NULL);
        requests += clients[i].requests;
        faults += clients[i].faults;
    }
    printf("%u threads, %u requests, %u not 200\n", started, requests, faults);
    CHECK(started == THREADS && requests > 0 && faults == 0);
}

int main(void)
{
    test_endpoint endpoint;
    bb_config config;
    int status;

    bb_config_init(&config);
    config.max_sessions = THREADS;
    config.timeout_ms = 60000;
    status = test_endpoint_open(&endpoint, "postgres", &config);
    if (status != 0)
        return status;
    CHECK_TEST(test_E7_overlapping_batches_in_opposite_orders(&endpoint));
    CHECK(pg_saw_no_deadlock(&endpoint));
    test_endpoint_close(&endpoint);
    return check_status();
}
