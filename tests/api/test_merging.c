/*
 * test_merging.c: many requests at once that each merge a member of their own into one contact: all
 * of them are there in the end (D2, E7).
 *
 *     test_merging BACKEND
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum { MERGES = 200 };

static const char *backend;

typedef struct merger {
    const test_endpoint *endpoint;
    pthread_t thread;
    pthread_mutex_t *lock;
    pthread_cond_t *changed;
    size_t *answers;
    size_t number;
    bb_result *result;
    char body[128];
} merger;

static bb_request request_of(merger *m)
{
    bb_request request;

    snprintf(m->body, sizeof m->body,
             "{\"users\":[{\"external_id\":\"one\",\"custom_attributes\":{\"m%zu\":%zu,\"x\":1}}]}",
             m->number, m->number);
    request = test_request(m->body, strlen(m->body));
    request.custom_attributes = BB_ATTRIBUTES_MERGE;
    return request;
}

/* Whether the contact has all members, and each request changed it. */
static void check_all_there(const test_endpoint *endpoint, const merger *mergers)
{
    static const char look[] = "{\"users\":[{\"external_id\":\"one\"}]}";
    bb_result *result = test_send(endpoint, look, sizeof look - 1);
    json *body;
    const json *attributes = json_member(json_at(test_data(result, &body), 0), "custom_attributes");
    size_t created = 0;

    CHECK_MSG(json_count(attributes) == MERGES + 1, "%zu", json_count(attributes));
    for (size_t i = 0; i < MERGES; i++) {
        char name[24];
        snprintf(name, sizeof name, "m%zu", i);
        CHECK_MSG(json_integer(attributes, name, -1) == (int64_t)i, "%s", name);
        CHECK_MSG(bb_result_http_status(mergers[i].result) == 200, "%s",
                  bb_result_body(mergers[i].result, NULL));
        CHECK(bb_result_count(mergers[i].result, BB_UNCHANGED) == 0);
        created += bb_result_count(mergers[i].result, BB_CREATED);
    }
    CHECK(created == 1);
    json_free(body);
    bb_result_free(result);
}

static void *upsert(void *ctx)
{
    merger *m = ctx;
    bb_request request = request_of(m);

    m->result = bb_contacts_upsert(m->endpoint->contacts, &request);
    return NULL;
}

/* A thread for each. */
static void test_D2_E7_callers_that_wait(void)
{
    static merger mergers[MERGES];
    test_endpoint endpoint;

    if (!CHECK(test_endpoint_open(&endpoint, backend, NULL) == 0))
        return;
    for (size_t i = 0; i < MERGES; i++) {
        mergers[i] = (merger){.endpoint = &endpoint, .number = i};
        if (pthread_create(&mergers[i].thread, NULL, upsert, &mergers[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < MERGES; i++)
        pthread_join(mergers[i].thread, NULL);
    check_all_there(&endpoint, mergers);
    for (size_t i = 0; i < MERGES; i++)
        bb_result_free(mergers[i].result);
    test_endpoint_close(&endpoint);
}

static void answered(void *ctx, bb_result *result)
{
    merger *m = ctx;

    pthread_mutex_lock(m->lock);
    m->result = result;
    ++*m->answers;
    pthread_cond_signal(m->changed);
    pthread_mutex_unlock(m->lock);
}

static void submit_all(const test_endpoint *endpoint, merger *mergers)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    size_t answers = 0;

    for (size_t i = 0; i < MERGES; i++) {
        bb_request request;
        mergers[i] = (merger){.endpoint = endpoint,
                              .lock = &lock,
                              .changed = &changed,
                              .answers = &answers,
                              .number = i};
        request = request_of(&mergers[i]);
        if (!CHECK(bb_contacts_submit(endpoint->contacts, &request, answered, &mergers[i], NULL) ==
                   NULL))
            abort();
    }
    pthread_mutex_lock(&lock);
    while (answers < MERGES)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Through the dispatcher's groups. */
static void test_D2_E7_submitted(void)
{
    static merger mergers[MERGES];
    test_endpoint endpoint;
    bb_config config;

    bb_config_init(&config);
    config.workers = 2;
    config.timeout_ms = TEST_PATIENCE_MS;
    if (!CHECK(test_endpoint_open(&endpoint, backend, &config) == 0))
        return;
    submit_all(&endpoint, mergers);
    check_all_there(&endpoint, mergers);
    for (size_t i = 0; i < MERGES; i++)
        bb_result_free(mergers[i].result);
    test_endpoint_close(&endpoint);
}

int main(int argc, char **argv)
{
    test_endpoint endpoint;
    int status;

    backend = argc > 1 ? argv[1] : "memory";
    status = test_endpoint_open(&endpoint, backend, NULL);
    if (status != 0)
        return status;
    test_endpoint_close(&endpoint);
    CHECK_TEST(test_D2_E7_callers_that_wait());
    CHECK_TEST(test_D2_E7_submitted());
    return check_status();
}
