/*
 * test_groups.c: many submitted requests at once through the public API, over one backend: each
 * keeps its own outcome, whatever it shared a transaction with (A2, B1, B3, E1, E3, E7, E10, E11).
 *
 *     test_groups BACKEND
 *     test_groups_of_callers BACKEND
 *
 * In the second, each request is a thread's that blocks, on a handle without workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/endpoint.h"
#include "support/settings.h"
#include "support/text.h"
#include "support/wait.h"

#ifdef BB_TEST_CALLERS
#include "api/held_storage.h"
enum { ARE_CALLERS = 1 };
#else
enum { ARE_CALLERS = 0 };
#endif

enum { MOST = 400, BOUND = 1024 * 1024 };

#define KEY "oc_test_groups0123456789"

static const char *backend;

/* Requests under way, and their answers. */
typedef struct crowd {
    test_endpoint endpoint;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    size_t sent;
    size_t answers;
    int is_held;
    int is_inside; /* a worker waits in the callback until it is 0, or a caller in the storage */
    size_t held;   /* requests of callers that are held there */
    int64_t timeout_ms; /* of requests to come; 0: the handle's */
    void *lock;         /* what the host has locked, or NULL */
    bb_result *results[MOST];
    uint64_t tickets[MOST];
    struct place {
        struct crowd *crowd;
        size_t index;
        pthread_t thread; /* that calls */
        bb_request request;
        bb_principal principal;
        char *strings[3];
    } places[MOST];
    bb_storage *held_storage; /* holds callers before the store; or NULL */
    bb_contacts *contacts;    /* requests are sent to it */
} crowd;

/* Opens a handle without workers for callers, whose first writes wait. */
#ifdef BB_TEST_CALLERS
static void wait_inside(void *crowd_, size_t requests)
{
    crowd *c = crowd_;

    pthread_mutex_lock(&c->mutex);
    c->held += requests;
    c->is_inside = 1;
    pthread_cond_broadcast(&c->answered);
    while (c->is_held)
        pthread_cond_wait(&c->answered, &c->mutex);
    c->held -= requests;
    pthread_mutex_unlock(&c->mutex);
}

static void open_for_callers(crowd *c, const bb_config *config)
{
    c->held_storage = held_storage_open(c->endpoint.store.storage, wait_inside, c);
    assert_non_null(c->held_storage);
    assert_int_equal(bb_contacts_open(c->held_storage, config, &c->contacts, NULL), BB_OK);
}
#else
static void open_for_callers(crowd *c, const bb_config *config)
{
    (void)c;
    (void)config;
}
#endif

static int open_crowd(crowd *c)
{
    bb_config config;
    int status;

    memset(c, 0, sizeof *c);
    bb_config_init(&config);
    config.workers = 1; /* so that requests gather */
    config.timeout_ms = 60000;
#ifndef BB_TEST_VERSION_0_1 /* which has no such member, and the default is far away */
    config.max_answer_bytes = BOUND;
#endif
    status = test_endpoint_open(&c->endpoint, backend, &config);
    if (status != 0)
        return status;
    c->is_held = 1;
    assert_int_equal(pthread_mutex_init(&c->mutex, NULL), 0);
    assert_int_equal(pthread_cond_init(&c->answered, NULL), 0);
    c->contacts = c->endpoint.contacts;
    config.workers = 0;
    if (ARE_CALLERS)
        open_for_callers(c, &config);
    return 0;
}

static void unlock(crowd *c)
{
    if (c->lock != NULL)
        test_store_unlock(&c->endpoint.store, c->lock);
    c->lock = NULL;
}

static void let_go(crowd *c)
{
    pthread_mutex_lock(&c->mutex);
    c->is_held = 0;
    pthread_cond_broadcast(&c->answered);
    pthread_mutex_unlock(&c->mutex);
}

/* After a failure requests may still be under way. */
static void close_crowd(crowd *c)
{
    unlock(c);
    let_go(c);
    for (size_t i = 0; i < c->sent && ARE_CALLERS; i++)
        pthread_join(c->places[i].thread, NULL);
    if (ARE_CALLERS)
        bb_contacts_close(c->contacts);
    bb_storage_close(c->held_storage);
    test_endpoint_close(&c->endpoint);
    for (size_t i = 0; i < c->sent; i++) {
        bb_result_free(c->results[i]);
        for (size_t k = 0; k < 3; k++)
            free(c->places[i].strings[k]);
    }
    pthread_cond_destroy(&c->answered);
    pthread_mutex_destroy(&c->mutex);
}

/* Holds the worker after the first request until all have been submitted, so that the rest
 * gathers. */
static void done(void *ctx, bb_result *result)
{
    const struct place *place = ctx;
    crowd *c = place->crowd;

    pthread_mutex_lock(&c->mutex);
    while (c->is_held && !ARE_CALLERS) {
        c->is_inside = 1;
        pthread_cond_broadcast(&c->answered);
        pthread_cond_wait(&c->answered, &c->mutex);
    }
    c->results[place->index] = result;
    c->answers++;
    pthread_cond_broadcast(&c->answered);
    pthread_mutex_unlock(&c->mutex);
}

static void *call(void *place_)
{
    struct place *place = place_;

    done(place, bb_contacts_upsert(place->crowd->contacts, &place->request));
    return NULL;
}

static const char *copy(struct place *place, size_t which, const char *text)
{
    place->strings[which] = strdup(text);
    assert_non_null(place->strings[which]);
    return place->strings[which];
}

/* Has a thread send the request, of which it copies what the caller may change. */
static void start_caller(struct place *place, const bb_request *request, const char *body)
{
    enum { STACK = 512 * 1024 }; /* for hundreds of them */
    pthread_attr_t attributes;

    place->request = *request;
    place->request.chatbot_id = copy(place, 0, request->chatbot_id);
    place->request.authorization = copy(place, 1, request->authorization);
    place->request.body = copy(place, 2, body);
    if (request->principal != NULL) {
        place->principal = *request->principal;
        place->request.principal = &place->principal;
    }
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
    assert_int_equal(pthread_create(&place->thread, &attributes, call, place), 0);
    pthread_attr_destroy(&attributes);
}

/* Submits as workspace 1's principal, or as the holder of `key`. */
static void submit(crowd *c, const char *chatbot, const char *key, const char *body)
{
    size_t index = c->sent++;
    char header[100];
    bb_principal principal;
    bb_request request;
    bb_result *now;

    c->places[index].crowd = c;
    c->places[index].index = index;
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    bb_request_init(&request);
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
    request.principal = key == NULL ? &principal : NULL;
    snprintf(header, sizeof header, "Bearer %s", key != NULL ? key : "");
    request.authorization = header;
    request.authorization_len = strlen(header);
    request.body = body;
    request.body_len = strlen(body);
    request.timeout_ms = c->timeout_ms;
    if (ARE_CALLERS) {
        start_caller(&c->places[index], &request, body);
        return;
    }
    now = bb_contacts_submit(c->contacts, &request, done, &c->places[index], &c->tickets[index]);
    assert_null(now);
}

static void submit_contact(crowd *c, const char *chatbot, const char *key, const char *external_id,
                           const char *name)
{
    char body[200];

    snprintf(body, sizeof body,
             "{\"users\":[{\"external_id\":\"%s\",\"name\":\"%s\",\"email\":\"%s@x\"}]}",
             external_id, name, external_id);
    submit(c, chatbot, key, body);
}

static bb_stats stats_of(const crowd *c)
{
    bb_stats stats;

    bb_stats_init(&stats);
    assert_int_equal(bb_contacts_stats(c->contacts, &stats), BB_OK);
    return stats;
}

/* Whether all callers wait, or are held in the storage, or answered. */
static int have_gathered(void *ctx)
{
    crowd *c = ctx;
    size_t known = stats_of(c).queued;

    pthread_mutex_lock(&c->mutex);
    known += c->held + c->answers;
    pthread_mutex_unlock(&c->mutex);
    return known >= c->sent;
}

/* Waits until the worker is held, so that requests gather from now on. */
static void wait_for_the_worker(crowd *c)
{
    pthread_mutex_lock(&c->mutex);
    while (!c->is_inside)
        pthread_cond_wait(&c->answered, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
}

static void wait_for(crowd *c, size_t count)
{
    if (ARE_CALLERS && c->is_held)
        assert_true(test_wait_until(have_gathered, c));
    let_go(c);
    pthread_mutex_lock(&c->mutex);
    while (c->answers < count)
        pthread_cond_wait(&c->answered, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
}

static void wait_for_all(crowd *c)
{
    wait_for(c, c->sent);
}

static int is_answered(crowd *c, size_t index)
{
    int is;

    pthread_mutex_lock(&c->mutex);
    is = c->results[index] != NULL;
    pthread_mutex_unlock(&c->mutex);
    return is;
}

static int32_t status_of(const crowd *c, size_t index)
{
    return bb_result_http_status(c->results[index]);
}

/* The one contact of an answer must have this name; returns its number. */
static int64_t expect_contact(const crowd *c, size_t index, const char *name)
{
    json *body;
    const json *contact = json_at(test_data(c->results[index], &body), 0);
    int64_t number;

    assert_non_null(contact);
    assert_string_equal(json_text(contact, "name", ""), name);
    number = test_contact_number(contact);
    json_free(body);
    return number;
}

/* ------------------------------------------------------------------------------------ the cases */

static void test_E3_many_at_once_share_transactions(void **state)
{
    crowd *c = *state;
    int64_t numbers[MOST];
    char id[20];

    for (int i = 0; i < MOST; i++) {
        snprintf(id, sizeof id, "u%d", i);
        submit_contact(c, "123", NULL, id, id);
    }
    wait_for_all(c);
    for (size_t i = 0; i < MOST; i++) {
        snprintf(id, sizeof id, "u%zu", i);
        assert_int_equal(status_of(c, i), 200);
        assert_int_equal(bb_result_outcome(c->results[i], 0), BB_CREATED);
        numbers[i] = expect_contact(c, i, id);
        for (size_t k = 0; k < i; k++)
            assert_true(numbers[k] != numbers[i]);
    }
    assert_true(stats_of(c).writes < MOST / 2);
    assert_true(stats_of(c).grouped_requests > MOST / 2);
    assert_int_equal(stats_of(c).ungrouped_requests, 0);
    assert_int_equal(stats_of(c).contacts[BB_CREATED], MOST);
}

/* One contact, over and over: each answer shows what its own request made of it, and only one
 * request created it. */
static void test_E1_requests_for_one_contact(void **state)
{
    crowd *c = *state;
    size_t created = 0;
    char name[20];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%d", i);
        submit_contact(c, "123", NULL, "the one", name);
    }
    wait_for_all(c);
    for (size_t i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        assert_int_equal(status_of(c, i), 200);
        assert_int_equal(expect_contact(c, i, name), expect_contact(c, 0, "n0"));
        created += bb_result_count(c->results[i], BB_CREATED);
    }
    assert_int_equal(created, 1);
}

static void test_B1_B3_refused_ones_among_others(void **state)
{
    crowd *c = *state;
    bb_storage *storage = c->endpoint.store.storage;
    bb_key_options options;
    char id[20];

    assert_int_equal(bb_storage_chatbot_add(storage, 124, 1, TEST_PATIENCE_MS, NULL), BB_OK);
    assert_int_equal(bb_storage_chatbot_add(storage, 900, 2, TEST_PATIENCE_MS, NULL), BB_OK);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    options.chatbot_id = 124;
    options.token = KEY;
    options.token_len = strlen(KEY);
    assert_int_equal(bb_storage_key_add(storage, &options, NULL, 0, TEST_PATIENCE_MS, NULL), BB_OK);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "u%d", i);
        submit_contact(c, "123", NULL, id, id);                    /* 200 */
        submit_contact(c, "124", KEY, id, id);                     /* 200 */
        submit_contact(c, "123", KEY, id, "theirs");               /* not the key's own */
        submit_contact(c, "900", NULL, id, "theirs");              /* another workspace's */
        submit_contact(c, "123", "oc_test_unknown", id, "theirs"); /* no key */
        submit_contact(c, "777", NULL, id, "theirs");              /* no chatbot */
        submit(c, "123", NULL, "{\"users\":[{\"name\":7}]}");
        submit(c, "123", "oc_test_unknown", "{\"users\":[{\"name\":7}]}");
    }
    wait_for_all(c);
    for (size_t i = 0; i < c->sent; i++) {
        static const int32_t wanted[] = {200, 200, 404, 404, 401, 404, 400, 401};
        assert_int_equal(status_of(c, i), wanted[i % 8]);
        snprintf(id, sizeof id, "u%zu", i / 8);
        if (i % 8 < 2)
            expect_contact(c, i, id);
    }
    assert_int_equal(stats_of(c).contacts[BB_CREATED], 80);
    assert_int_equal(stats_of(c).ungrouped_requests, 0); /* a refusal is no failure */
    assert_true(stats_of(c).grouped_requests > 0);
}

/* Requests that break a rule of the host's own are 409; those that shared a transaction with them
 * are stored, as if they had come alone. */
static void test_E10_A2_conflicts_among_others(void **state)
{
    static const char *const index[] = {
        "CREATE UNIQUE INDEX host_email ON bb_contacts (chatbot_id, email)",
        "CREATE UNIQUE INDEX host_email ON bb_contacts.contacts (chatbot_id, email)"};
    crowd *c = *state;
    char id[20];
    size_t stored = 0;

    if (strcmp(backend, "memory") == 0)
        skip();
    assert_int_equal(
        test_store_sql(&c->endpoint.store, index[strcmp(backend, "sqlite") != 0], NULL, 0), 0);
    submit_contact(c, "123", NULL, "u0", "u0");
    wait_for_all(c);
    c->is_held = 1;
    for (int i = 1; i < 60; i++) {
        snprintf(id, sizeof id, "u%d", i);
        if (i % 20 == 10)
            submit(c, "123", NULL, "{\"users\":[{\"external_id\":\"z\",\"email\":\"u0@x\"}]}");
        else
            submit_contact(c, "123", NULL, id, id);
    }
    wait_for_all(c);
    for (size_t i = 1; i < 60; i++) {
        assert_int_equal(status_of(c, i), i % 20 == 10 ? 409 : 200);
        stored += bb_result_count(c->results[i], BB_CREATED);
    }
    assert_int_equal(stored, 56);
}

#ifndef BB_TEST_VERSION_0_1
/* Each of ten contacts takes 6/10 of the bound. So no group has room for two of them, nor an
 * answer; but each alone has, and so have those that ask for little. */
static void test_A7_large_answers_among_others(void **state)
{
    crowd *c = *state;
    test_text body = {0};
    char id[20];

    let_go(c);
    for (int i = 0; i < 10; i++) {
        body.len = 0;
        test_append(&body, "{\"users\":[{\"external_id\":\"large%d\",\"name\":\"", i);
        test_append_times(&body, "0123456789", BOUND / 10 * 6 / 10);
        test_append_text(&body, "\"}]}");
        submit(c, "123", NULL, body.data);
    }
    free(body.data);
    wait_for_all(c);
    c->is_held = 1;
    c->is_inside = 0;
    submit_contact(c, "123", NULL, "first", "first");
    wait_for_the_worker(c);
    for (int i = 0; i < 10; i++) {
        char one[80], two[120];
        snprintf(one, sizeof one, "{\"users\":[{\"external_id\":\"large%d\"}]}", i);
        snprintf(two, sizeof two,
                 "{\"users\":[{\"external_id\":\"large%d\",\"email\":\"x\"},"
                 "{\"external_id\":\"large%d\"}]}",
                 i, i);
        snprintf(id, sizeof id, "u%d", i);
        submit(c, "123", NULL, two);
        submit(c, "123", NULL, one);
        submit_contact(c, "123", NULL, id, id);
    }
    wait_for_all(c);
    for (size_t i = 11; i < c->sent; i++) {
        static const int32_t wanted[] = {413, 200, 200};
        assert_int_equal(status_of(c, i), wanted[(i - 11) % 3]);
        if ((i - 11) % 3 == 1)
            assert_int_equal(bb_result_outcome(c->results[i], 0), BB_UNCHANGED);
    }
    assert_true(stats_of(c).grouped_requests > 0 || strcmp(backend, "memory") == 0);
}

#endif

/* Batches of many sizes, some with one contact twice. */
static void test_E2_batches_in_groups(void **state)
{
    crowd *c = *state;
    test_text body = {0};

    for (int i = 0; i < 50; i++) {
        body.len = 0;
        test_append(&body, "{\"users\":[{\"external_id\":\"%d\",\"name\":\"first\"}", i);
        for (int k = 0; k < i % 7; k++)
            test_append(&body, ",{\"external_id\":\"%d-%d\"}", i, k);
        test_append(&body, ",{\"external_id\":\"%d\",\"email\":\"e\"}]}", i);
        submit(c, "123", NULL, body.data);
    }
    wait_for_all(c);
    for (size_t i = 0; i < 50; i++) {
        size_t entries = 2 + i % 7;
        assert_int_equal(status_of(c, i), 200);
        assert_int_equal(bb_result_entries(c->results[i]), entries);
        assert_int_equal(bb_result_outcome(c->results[i], 0), BB_CREATED);
        assert_int_equal(bb_result_outcome(c->results[i], entries - 1), BB_UPDATED);
        expect_contact(c, i, "first");
    }
    free(body.data);
}

/* Some are taken back: they are 503 and not stored. */
static void test_E11_cancelled_ones_are_not_stored(void **state)
{
    crowd *c = *state;
    size_t cancelled = 0;
    size_t refused = 0;
    char id[20];

    if (ARE_CALLERS)
        skip();
    for (size_t i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "u%zu", i);
        submit_contact(c, "123", NULL, id, id);
    }
    let_go(c); /* some of what is taken back may be under way */
    for (size_t i = 2; i < 200; i += 3)
        cancelled += bb_contacts_cancel(c->contacts, c->tickets[i]) == BB_OK;
    wait_for_all(c);
    for (size_t i = 0; i < 200; i++) {
        refused += status_of(c, i) == 503;
        assert_true(status_of(c, i) == 200 || (i % 3 == 2 && status_of(c, i) == 503));
    }
    assert_int_equal(refused, cancelled);
    assert_int_equal(stats_of(c).cancelled, cancelled);
    assert_int_equal(stats_of(c).contacts[BB_CREATED], 200 - cancelled);
}

/* A share of the time is a tenth of this, and the test waits for several. */
enum { ENOUGH_MS = 30000 };

/* The host has locked a contact. A request for it waits, and holds up nobody, neither those that
 * shared a group with it nor those that come later. All others are answered while it waits. */
static void test_E11_others_are_written_while_a_row_is_locked(void **state)
{
    enum { LOCKED = 2, FIRST_GROUP = 12, ALL = 40 };
    crowd *c = *state;
    char id[20];

    if (strcmp(backend, "postgres") != 0)
        skip();
    assert_int_equal(bb_storage_chatbot_add(c->endpoint.store.storage, 124, 1, 0, NULL), BB_OK);
    submit_contact(c, "123", NULL, "locked", "before");
    wait_for_all(c);
    c->lock = test_store_lock_contact(&c->endpoint.store, "locked");
    assert_non_null(c->lock);
    c->is_held = 1;
    c->timeout_ms = ENOUGH_MS;
    submit_contact(c, "123", NULL, "first", "first");
    wait_for_the_worker(c);
    for (size_t i = LOCKED; i < FIRST_GROUP; i++) {
        snprintf(id, sizeof id, "u%zu", i);
        submit_contact(c, i % 2 == 0 ? "123" : "124", NULL, i == LOCKED ? "locked" : id, id);
    }
    wait_for(c, FIRST_GROUP - 1);
    for (size_t i = FIRST_GROUP; i < ALL; i++) {
        snprintf(id, sizeof id, "u%zu", i);
        submit_contact(c, i % 2 == 0 ? "123" : "124", NULL, id, id);
    }
    wait_for(c, ALL - 1);
    assert_false(is_answered(c, LOCKED));
    unlock(c);
    wait_for_all(c);
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(status_of(c, i), 200);
    expect_contact(c, LOCKED, "u2");
}

/* Another process writes to the file for a long time. A request with little time is answered at its
 * deadline, whichever others it waits with; those go on waiting. */
static void test_E11_each_has_its_own_deadline_while_the_file_is_locked(void **state)
{
    enum { URGENT = 2, ALL = 8 };
    crowd *c = *state;
    char id[20];

    if (strcmp(backend, "sqlite") != 0)
        skip();
    c->timeout_ms = ENOUGH_MS;
    submit_contact(c, "123", NULL, "first", "first");
    wait_for_the_worker(c);
    c->lock = test_store_lock(&c->endpoint.store);
    assert_non_null(c->lock);
    for (size_t i = 1; i < ALL; i++) {
        snprintf(id, sizeof id, "u%zu", i);
        c->timeout_ms = i == URGENT ? 500 : ENOUGH_MS;
        submit_contact(c, "123", NULL, id, id);
    }
    let_go(c);
    pthread_mutex_lock(&c->mutex);
    while (c->results[URGENT] == NULL)
        pthread_cond_wait(&c->answered, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
    for (size_t i = 1; i < ALL; i++)
        assert_int_equal(is_answered(c, i), i == URGENT);
    unlock(c);
    wait_for_all(c);
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(status_of(c, i), i == URGENT ? 503 : 200);
}

static int set_up(void **state)
{
    static crowd c;

    *state = &c;
    return open_crowd(&c);
}

static int tear_down(void **state)
{
    close_crowd(*state);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_E3_many_at_once_share_transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_E1_requests_for_one_contact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_B1_B3_refused_ones_among_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_E10_A2_conflicts_among_others, set_up, tear_down),
#ifndef BB_TEST_VERSION_0_1
        cmocka_unit_test_setup_teardown(test_A7_large_answers_among_others, set_up, tear_down),
#endif
        cmocka_unit_test_setup_teardown(test_E2_batches_in_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_E11_cancelled_ones_are_not_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_E11_others_are_written_while_a_row_is_locked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_E11_each_has_its_own_deadline_while_the_file_is_locked,
                                        set_up, tear_down),
    };
    test_endpoint probe;
    int status;

    backend = argc > 1 ? argv[1] : "memory";
    status = test_endpoint_open(&probe, backend, NULL);
    if (status != 0)
        return status;
    test_endpoint_close(&probe);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
