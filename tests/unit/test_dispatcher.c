/*
 * test_dispatcher.c: requests that wait for a worker and are written together, on a storage that
 * answers what the test says (A2, E1, E7, E9, E11).
 *
 * One worker is held inside the storage while requests are submitted, so that they gather. Then it
 * is released, and the test checks what it does next.
 */
#include "scripted.h"
#include "shared_memory.h"

#include <signal.h>
#include <time.h>

#define KEY "oc_live_0123456789abcdef"

enum { MOST = 64, CHATBOT = 42 };

/* A submitted request and its answer. */
typedef struct sent {
    struct host *host;
    int is_done;
    int32_t status;
    int32_t http;
    size_t entries;
    size_t created;
    char body[2000];
    uint64_t ticket;
    pthread_t thread;  /* that called back with the answer */
    const char *again; /* a body to submit from the callback */
    struct sent *next;
} sent;

typedef struct host {
    script script;
    bb_storage_vtable table;
    shared_memory memory;
    bb_storage *storage;
    bb_contacts *contacts;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    size_t answers;
    sent sent[MOST];
    int64_t clock_us;
    kept_log log; /* under the mutex */
} host;

/* ---------------------------------------------------------------------------------------- host */

static int64_t ticking_clock(void *ctx)
{
    host *h = ctx;
    int64_t now;

    pthread_mutex_lock(&h->mutex);
    now = h->clock_us++;
    pthread_mutex_unlock(&h->mutex);
    return now;
}

static void keep_line_of_many(void *ctx, int32_t level, const char *line, size_t len)
{
    host *h = ctx;

    pthread_mutex_lock(&h->mutex);
    keep_line(&h->log, level, line, len);
    pthread_mutex_unlock(&h->mutex);
}

static void init_host(host *h)
{
    memset(h, 0, sizeof *h);
    script_init(&h->script);
    shared_init(&h->memory);
    if (pthread_mutex_init(&h->mutex, NULL) != 0 || pthread_cond_init(&h->answered, NULL) != 0)
        abort();
    h->clock_us = INT64_C(1700000000000000);
    h->table = script_table;
    h->table.write_group = script_write_group;
}

static bb_config config_of(host *h, uint32_t workers)
{
    bb_config config;

    bb_config_init(&config);
    config.allocator = &h->memory.allocator;
    config.clock = ticking_clock;
    config.clock_ctx = h;
    config.log = keep_line_of_many;
    config.log_ctx = h;
    config.timeout_ms = 60000;
    config.workers = workers;
    return config;
}

static void open_with(host *h, const bb_config *config)
{
    assert_int_equal(bb_storage_new(&h->table, &h->script, &h->memory.allocator, &h->storage, NULL),
                     BB_OK);
    assert_int_equal(bb_contacts_open(h->storage, config, &h->contacts, NULL), BB_OK);
}

/* Opens a host whose requests have this much time. */
static host *open_host_for(uint32_t workers, int64_t timeout_ms)
{
    host *h = must_alloc(sizeof *h);
    bb_config config;

    init_host(h);
    config = config_of(h, workers);
    config.timeout_ms = timeout_ms;
    open_with(h, &config);
    return h;
}

static host *open_host(uint32_t workers)
{
    return open_host_for(workers, 60000);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    assert_int_equal(h->script.closed, h->script.opened);
    bb_storage_close(h->storage);
    assert_int_equal(h->script.shared, 0);
    shared_destroy(&h->memory);
    script_destroy(&h->script);
    free(h->log.lines.data);
    pthread_cond_destroy(&h->answered);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

static bb_request request_to(const char *chatbot, const char *body)
{
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
    request.authorization = "Bearer " KEY;
    request.authorization_len = strlen(request.authorization);
    request.body = body;
    request.body_len = strlen(body);
    return request;
}

/* Keeps an answer and frees it. */
static void keep(sent *s, bb_result *result)
{
    s->status = bb_result_status(result);
    s->http = bb_result_http_status(result);
    s->entries = bb_result_entries(result);
    s->created = bb_result_count(result, BB_CREATED);
    snprintf(s->body, sizeof s->body, "%s", bb_result_body(result, NULL));
    bb_result_free(result);
}

static void submit(host *h, sent *s, const bb_request *request);

static void done(void *ctx, bb_result *result)
{
    sent *s = ctx;
    host *h = s->host;

    if (s->again != NULL) {
        bb_request request = request_to("42", s->again);
        submit(h, s->next, &request);
    }
    pthread_mutex_lock(&h->mutex);
    keep(s, result);
    s->thread = pthread_self();
    s->is_done++;
    h->answers++;
    pthread_cond_broadcast(&h->answered);
    pthread_mutex_unlock(&h->mutex);
}

/* Submits; keeps an answer, be it at once or later. */
static void submit(host *h, sent *s, const bb_request *request)
{
    bb_result *now;

    s->host = h;
    now = bb_contacts_submit(h->contacts, request, done, s, &s->ticket);
    if (now == NULL)
        return;
    pthread_mutex_lock(&h->mutex);
    keep(s, now);
    s->is_done++;
    h->answers++;
    pthread_mutex_unlock(&h->mutex);
}

/* Submits one contact, from memory that is gone when this returns. It has `timeout_ms`, or the
 * handle's time if that is 0. */
static void submit_timed(host *h, size_t i, const char *chatbot, const char *key,
                         int64_t timeout_ms)
{
    char body[200];
    bb_request request;

    snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%s\",\"name\":\"N %s\"}]}", key,
             key);
    request = request_to(chatbot, body);
    request.timeout_ms = timeout_ms;
    submit(h, &h->sent[i], &request);
    memset(body, 'x', sizeof body);
}

static void submit_contact(host *h, size_t i, const char *chatbot, const char *key)
{
    submit_timed(h, i, chatbot, key, 0);
}

static void wait_for_answers(host *h, size_t count)
{
    pthread_mutex_lock(&h->mutex);
    while (h->answers < count)
        pthread_cond_wait(&h->answered, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
}

/* Holds the worker in the storage with a first request. */
static void hold(host *h)
{
    script_hold(&h->script, 1);
    submit_contact(h, 0, "42", "first");
    script_wait_inside(&h->script, 1);
}

static void let_go(host *h)
{
    script_hold(&h->script, 0);
}

static bb_stats stats_of(host *h)
{
    bb_stats stats;

    bb_stats_init(&stats);
    assert_int_equal(bb_contacts_stats(h->contacts, &stats), BB_OK);
    return stats;
}

/* The first request, and `count` more that gather behind it. */
static void gather(host *h, size_t count)
{
    hold(h);
    for (size_t i = 1; i <= count; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        submit_contact(h, i, "42", key);
    }
    assert_int_equal(stats_of(h).queued, count);
}

static void expect_success(const sent *s, const char *key)
{
    char part[64];

    assert_int_equal(s->is_done, 1);
    assert_int_equal(s->http, 200);
    assert_int_equal(s->entries, 1);
    assert_int_equal(s->created, 1);
    snprintf(part, sizeof part, "\"external_id\":\"%s\",\"name\":\"N %s\"", key, key);
    assert_non_null(strstr(s->body, part));
}

static void expect_all(const host *h, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        expect_success(&h->sent[i], key);
    }
}

static void forget(void *ctx, bb_result *result)
{
    (void)ctx;
    bb_result_free(result);
}

/* Whether requests are refused now, as they are while the handle is being closed. */
static int is_closing(host *h)
{
    bb_request request = request_to("42", "{\"users\":[{}]}");
    uint64_t ticket;
    bb_result *refusal = bb_contacts_submit(h->contacts, &request, forget, NULL, &ticket);

    if (refusal == NULL)
        bb_contacts_cancel(h->contacts, ticket);
    bb_result_free(refusal);
    return refusal != NULL;
}

/* -------------------------------------------------------------------------------------- groups */

static void test_E7_what_gathers_is_written_together(void **state)
{
    host *h = open_host(1);
    bb_stats stats;

    (void)state;
    gather(h, 20);
    let_go(h);
    wait_for_answers(h, 21);
    expect_success(&h->sent[0], "first");
    expect_all(h, 1, 20);
    assert_int_equal(h->script.calls, 2);
    assert_int_equal(h->script.groups, 1);
    assert_int_equal(h->script.group_sizes[0], 20);
    stats = stats_of(h);
    assert_int_equal(stats.writes, 2);
    assert_int_equal(stats.grouped_requests, 20);
    assert_int_equal(stats.group_size[0], 1);
    assert_int_equal(stats.group_size[5], 1); /* more than 16, at most 32 */
    assert_int_equal(stats.requests[BB_STATUS_SUCCESS], 21);
    assert_int_equal(stats.contacts[BB_CREATED], 21);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(stats.queued_bytes, 0);
    close_host(h);
}

static void test_E7_the_time_of_a_group(void **state)
{
    host *h = open_host(1);

    (void)state;
    gather(h, 3);
    h->sent[4].host = h;
    let_go(h);
    wait_for_answers(h, 4);
    assert_int_equal(h->script.group_now_us, INT64_C(1700000000000003)); /* of the last one */
    close_host(h);
}

static void test_E11_the_deadline_of_a_group(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{\"external_id\":\"soon\"}]}");
    host *h = open_host(1);
    int64_t before;

    (void)state;
    gather(h, 3);
    request.timeout_ms = 30000;
    before = bb_deadline_in(0);
    submit(h, &h->sent[4], &request);
    let_go(h);
    wait_for_answers(h, 5);
    assert_int_equal(h->script.group_sizes[0], 4);
    /* a share of what the most urgent one has left */
    assert_in_range(h->script.group_deadline, before, bb_deadline_in(15000));
    assert_in_range(h->script.group_lock_deadline, before, bb_deadline_in(3000));
    close_host(h);
}

static void test_E1_one_contact_is_written_by_one_group_at_a_time(void **state)
{
    host *h = open_host(1);

    (void)state;
    hold(h);
    submit_contact(h, 1, "42", "k1");
    submit_contact(h, 2, "42", "k1");
    submit_contact(h, 3, "42", "k1");
    submit_contact(h, 4, "43", "k1");
    let_go(h);
    wait_for_answers(h, 5);
    for (size_t i = 1; i <= 4; i++)
        expect_success(&h->sent[i], "k1");
    assert_int_equal(h->script.groups, 1); /* of the two chatbots; the other two alone */
    assert_int_equal(h->script.group_sizes[0], 2);
    assert_int_equal(h->script.calls, 4);
    close_host(h);
}

static void test_E1_an_ordered_store_gets_them_together(void **state)
{
    host *h = must_alloc(sizeof *h);
    bb_config config;

    (void)state;
    init_host(h);
    h->table.flags = BB_STORAGE_ORDERED_GROUPS;
    config = config_of(h, 1);
    open_with(h, &config);
    hold(h);
    for (size_t i = 1; i <= 5; i++)
        submit_contact(h, i, "42", "k1");
    let_go(h);
    wait_for_answers(h, 6);
    assert_int_equal(h->script.groups, 1);
    assert_int_equal(h->script.group_sizes[0], 5);
    close_host(h);
}

static void test_B3_a_refusal_is_its_own(void **state)
{
    host *h = open_host(1);

    (void)state;
    h->script.refused_chatbot_id = 99;
    hold(h);
    submit_contact(h, 1, "42", "k1");
    submit_contact(h, 2, "99", "k2");
    submit_contact(h, 3, "42", "k3");
    let_go(h);
    wait_for_answers(h, 4);
    expect_all(h, 1, 1);
    assert_int_equal(h->sent[2].http, 404);
    expect_all(h, 3, 1);
    assert_int_equal(h->script.groups, 1);
    assert_int_equal(stats_of(h).grouped_requests, 2);
    close_host(h);
}

/* -------------------------------------------------------------------------------- groups fail */

static void test_A2_one_that_always_fails_fails_alone(void **state)
{
    host *h = open_host(1);

    (void)state;
    h->script.faulty_key = "k5";
    h->script.fault_code = BB_ERR_CONFLICT;
    gather(h, 16);
    let_go(h);
    wait_for_answers(h, 17);
    expect_all(h, 1, 4);
    assert_int_equal(h->sent[5].http, 409);
    expect_all(h, 6, 11);
    /* halves: 16, 8 (4 (2, 2 (1, 1)), 4), 8, and not each alone */
    assert_int_equal(h->script.calls, 1 + 1 + 2 + 2 + 2 + 2);
    assert_true(stats_of(h).ungrouped_requests > 0);
    close_host(h);
}

static void test_E9_after_what_the_store_goes_through_each_is_tried_alone(void **state)
{
    static const int32_t codes[] = {BB_ERR_RETRY,       BB_ERR_LOST,        BB_ERR_BUSY,
                                    BB_ERR_UNAVAILABLE, BB_ERR_UNSUPPORTED, BB_ERR_NOMEM};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        host *h = open_host(1);
        h->script.codes[1] = codes[i]; /* of the group; then all is well */
        h->script.message = "secret words";
        gather(h, 6);
        let_go(h);
        wait_for_answers(h, 7);
        expect_all(h, 1, 6);
        assert_int_equal(h->script.calls, 1 + 1 + 6);
        /* after BUSY two threads go on, perhaps at once */
        assert_in_range(h->script.opened, codes[i] == BB_ERR_LOST ? 2 : 1,
                        codes[i] == BB_ERR_LOST || codes[i] == BB_ERR_BUSY ? 2 : 1);
        assert_int_equal(stats_of(h).ungrouped_requests, codes[i] == BB_ERR_UNSUPPORTED ? 0 : 6);
        close_host(h);
    }
}

static void test_E11_each_of_a_group_is_told_when_nothing_helps(void **state)
{
    host *h = open_host(1);

    (void)state;
    gather(h, 5);
    h->script.always = BB_ERR_UNAVAILABLE;
    h->script.message = "secret words";
    let_go(h);
    wait_for_answers(h, 6);
    for (size_t i = 1; i <= 5; i++) {
        assert_int_equal(h->sent[i].http, 503);
        assert_null(strstr(h->sent[i].body, "secret"));
    }
    close_host(h);
}

static void test_A2_a_member_that_fails_after_the_commit(void **state)
{
    host *h = open_host(1);

    (void)state;
    h->script.member_code = BB_ERR_NOMEM;
    gather(h, 3);
    let_go(h);
    wait_for_answers(h, 4);
    assert_int_equal(h->sent[1].http, 500);
    expect_all(h, 2, 2);
    assert_int_equal(h->script.calls, 2);
    close_host(h);
}

static void test_E11_a_backend_that_puts_wrongly_makes_500s(void **state)
{
    host *h = open_host(1);

    (void)state;
    gather(h, 3);
    h->script.fault = PUTS_NONE;
    let_go(h);
    wait_for_answers(h, 4);
    for (size_t i = 1; i <= 3; i++)
        assert_int_equal(h->sent[i].http, 500);
    close_host(h);
}

static void test_E7_a_backend_without_groups(void **state)
{
    host *h = must_alloc(sizeof *h);
    bb_config config;

    (void)state;
    init_host(h);
    h->table.write_group = NULL;
    config = config_of(h, 1);
    open_with(h, &config);
    gather(h, 4);
    let_go(h);
    wait_for_answers(h, 5);
    expect_all(h, 1, 4);
    assert_int_equal(h->script.calls, 5);
    close_host(h);
}

/* ------------------------------------------------------------------------- what takes too long */

/* A share is a tenth of it, and the test waits for several. */
enum { ENOUGH_MS = 30000 };

/* These answers are there while the contact is still locked; the answer for it is not. */
static void expect_while_locked(host *h, size_t from, size_t count, size_t locked)
{
    expect_all(h, from, count);
    pthread_mutex_lock(&h->mutex);
    assert_int_equal(h->sent[locked].is_done, 0);
    pthread_mutex_unlock(&h->mutex);
}

/* One of a group waits for a row that the host has locked. The others are written all the same,
 * even those with less time, and so are later ones, of its own chatbot and of others. */
static void test_E11_one_that_waits_keeps_no_other_waiting(void **state)
{
    host *h = open_host_for(1, ENOUGH_MS + ENOUGH_MS / 10);

    (void)state;
    script_lock(&h->script, "locked");
    hold(h);
    submit_contact(h, 5, "43", "locked");
    for (size_t i = 1; i <= 4; i++) {
        static const char *const keys[] = {"", "k1", "k2", "k3", "k4"};
        submit_timed(h, i, i % 2 == 0 ? "42" : "43", keys[i], i == 1 ? ENOUGH_MS : 0);
    }
    let_go(h);
    wait_for_answers(h, 5);
    assert_int_equal(h->script.group_sizes[0], 5);
    expect_while_locked(h, 1, 4, 5);
    submit_contact(h, 6, "42", "k6");
    submit_contact(h, 7, "43", "k7");
    wait_for_answers(h, 7);
    expect_while_locked(h, 6, 2, 5);
    script_lock(&h->script, NULL);
    wait_for_answers(h, 8);
    expect_success(&h->sent[5], "locked");
    close_host(h);
}

/* As many requests as there are workers wait, each with others behind it. */
static void test_E11_those_that_wait_hold_no_worker_for_long(void **state)
{
    host *h = open_host_for(2, ENOUGH_MS);

    (void)state;
    script_lock(&h->script, "locked");
    submit_contact(h, 9, "43", "locked");
    submit_contact(h, 10, "44", "locked");
    for (size_t i = 1; i <= 8; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        submit_contact(h, i, "42", key);
    }
    wait_for_answers(h, 8);
    expect_while_locked(h, 1, 8, 9);
    expect_while_locked(h, 1, 8, 10);
    script_lock(&h->script, NULL);
    wait_for_answers(h, 10);
    expect_success(&h->sent[9], "locked");
    expect_success(&h->sent[10], "locked");
    close_host(h);
}

/* Once it is known which request waits, others for the same contact spoil no group. */
static void test_E11_a_chatbot_that_waits_is_in_quarantine(void **state)
{
    host *h = open_host_for(1, ENOUGH_MS);
    uint64_t ungrouped;

    (void)state;
    script_lock(&h->script, "locked");
    submit_contact(h, 50, "43", "locked");
    script_wait_waiters(&h->script, 1);
    submit_contact(h, 40, "42", "k40"); /* behind it, until it is known */
    wait_for_answers(h, 1);
    ungrouped = stats_of(h).ungrouped_requests;
    for (size_t i = 1; i <= 30; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        submit_contact(h, i, i % 2 == 0 ? "42" : "44", key);
        if (i % 10 == 0)
            submit_contact(h, 50 + i / 10, "43", "locked");
    }
    wait_for_answers(h, 31);
    expect_while_locked(h, 1, 30, 50);
    assert_int_equal(stats_of(h).ungrouped_requests, ungrouped);
    script_lock(&h->script, NULL);
    wait_for_answers(h, 35);
    for (size_t i = 50; i <= 53; i++)
        expect_success(&h->sent[i], "locked");
    close_host(h);
}

/* Of many chatbots each has a row that the host has locked; the few others are answered before any
 * of these. */
static void test_E11_many_that_wait_keep_no_other_waiting(void **state)
{
    enum { FREE = 5, LOCKED = 45 };
    host *h = open_host_for(1, ENOUGH_MS);

    (void)state;
    script_lock(&h->script, "locked");
    hold(h);
    for (size_t i = 1; i <= LOCKED; i++) {
        char chatbot[8];
        snprintf(chatbot, sizeof chatbot, "%zu", 100 + i);
        submit_contact(h, FREE + i, chatbot, "locked");
    }
    for (size_t i = 1; i <= FREE; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        submit_contact(h, i, "43", key);
    }
    let_go(h);
    wait_for_answers(h, 1 + FREE);
    assert_int_equal(h->script.group_sizes[0], FREE + LOCKED);
    for (size_t i = 1; i <= LOCKED; i++)
        expect_while_locked(h, 1, FREE, FREE + i);
    script_lock(&h->script, NULL);
    wait_for_answers(h, 1 + FREE + LOCKED);
    for (size_t i = 1; i <= LOCKED; i++)
        expect_success(&h->sent[FREE + i], "locked");
    close_host(h);
}

/* A request for a locked row of chatbot 43 waits in vain; longer each time that a slow machine has
 * left it no time to be tried twice. */
static void wait_in_vain(host *h)
{
    size_t answers = 0;

    script_lock(&h->script, "locked");
    for (int64_t ms = 300; stats_of(h).retries == 0; ms *= 2) {
        submit_timed(h, 1, "43", "locked", ms);
        wait_for_answers(h, ++answers);
        assert_int_equal(h->sent[1].http, 503);
    }
    h->answers = 0;
}

/* A row stays locked for longer than one request for it has time: the next one spoils nobody's
 * group either. */
static void test_E11_a_chatbot_that_waited_in_vain_stays_in_quarantine(void **state)
{
    host *h = open_host(1);

    (void)state;
    wait_in_vain(h);
    hold(h);
    submit_contact(h, 2, "43", "locked");
    submit_contact(h, 3, "42", "k3");
    submit_contact(h, 4, "44", "k4");
    let_go(h);
    wait_for_answers(h, 3);
    assert_int_equal(stats_of(h).ungrouped_requests, 0);
    assert_int_equal(h->script.group_sizes[0], 2);
    expect_while_locked(h, 3, 2, 2);
    script_lock(&h->script, NULL);
    wait_for_answers(h, 4);
    expect_success(&h->sent[2], "locked");
    close_host(h);
}

/* Once one of its requests has been written, others share groups again; perhaps not the next one,
 * as the answer is told before that is noted. */
static void test_E7_a_chatbot_that_waits_no_more_is_like_others(void **state)
{
    host *h = open_host(1);
    size_t answers = 1;

    (void)state;
    wait_in_vain(h);
    submit_contact(h, 2, "43", "k2");
    wait_for_answers(h, answers);
    for (size_t i = 3; i < MOST - 1 && h->script.groups == 0; i += 2) {
        hold(h);
        submit_contact(h, i, "43", "k");
        submit_contact(h, i + 1, "42", "k");
        let_go(h);
        wait_for_answers(h, answers += 3);
    }
    assert_int_equal(h->script.group_sizes[0], 2);
    close_host(h);
}

/* Each is answered at its own deadline, and the log says why, though the lock lasts for ever. */
static void test_E11_each_has_its_own_deadline(void **state)
{
    host *h = open_host(1);

    (void)state;
    h->script.message = "the deadline had passed already";
    h->script.first_message = "somebody has locked it";
    script_lock(&h->script, "locked");
    hold(h);
    submit_timed(h, 1, "42", "k1", 0);
    submit_timed(h, 2, "43", "locked", 700);
    let_go(h);
    wait_for_answers(h, 3);
    expect_all(h, 1, 1);
    assert_int_equal(h->sent[2].http, 503);
    assert_int_equal(h->log.levels[BB_LOG_ERROR], 1);
    assert_int_equal(h->log.levels[BB_LOG_WARN], 1); /* of the group */
    assert_non_null(strstr(h->log.lines.data, "write failed after "));
    assert_non_null(strstr(strstr(h->log.lines.data, "write failed after "),
                           "ms: scripted: somebody has locked it\n"));
    close_host(h);
}

/* All wait, as if the store stood still. */
static void test_E11_a_store_that_stands_still(void **state)
{
    host *h = open_host(2);

    (void)state;
    script_lock(&h->script, "locked");
    for (size_t i = 0; i < 40; i++) {
        char chatbot[8];
        snprintf(chatbot, sizeof chatbot, "%zu", 1 + i % 20);
        submit_timed(h, i, chatbot, "locked", 600);
    }
    wait_for_answers(h, 40);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(h->sent[i].http, 503);
    assert_int_equal(stats_of(h).queued, 0);
    script_lock(&h->script, NULL);
    submit_contact(h, 41, "7", "k41");
    wait_for_answers(h, 41);
    expect_all(h, 41, 1);
    close_host(h);
}

/* Closing waits for what is in quarantine. */
static void *unlock_later(void *ctx)
{
    host *h = ctx;
    const struct timespec pause = {0, 1000000};

    while (!is_closing(h))
        nanosleep(&pause, NULL);
    script_lock(&h->script, NULL);
    return NULL;
}

static void test_E11_closing_waits_for_the_quarantine(void **state)
{
    host *h = open_host_for(1, ENOUGH_MS);
    pthread_t thread;

    (void)state;
    script_lock(&h->script, "locked");
    submit_contact(h, 1, "43", "locked");
    script_wait_waiters(&h->script, 1);
    submit_contact(h, 2, "42", "k2");
    wait_for_answers(h, 1);
    assert_int_equal(pthread_create(&thread, NULL, unlock_later, h), 0);
    bb_contacts_close(h->contacts);
    pthread_join(thread, NULL);
    h->contacts = NULL;
    assert_int_equal(h->answers, 2);
    expect_success(&h->sent[1], "locked");
    close_host(h);
}

/* Without groups, requests are written one after the other; one that waits keeps the rest waiting
 * no longer than its share. */
static void test_E11_without_groups_those_behind_wait_for_a_share(void **state)
{
    host *h = open_host_for(1, ENOUGH_MS);

    (void)state;
    script_lock(&h->script, "k2");
    gather(h, 5);
    h->script.codes[1] = BB_ERR_UNSUPPORTED;
    let_go(h);
    wait_for_answers(h, 5);
    expect_while_locked(h, 1, 1, 2);
    expect_all(h, 3, 3);
    script_lock(&h->script, NULL);
    wait_for_answers(h, 6);
    expect_all(h, 2, 1);
    close_host(h);
}

/* Where all wait for the same, nothing can be gained: they go on waiting together. */
static void test_E11_a_store_with_one_writer_is_waited_for(void **state)
{
    host *h = must_alloc(sizeof *h);
    int64_t before = bb_deadline_in(0);
    bb_config config;

    (void)state;
    init_host(h);
    h->table.flags = BB_STORAGE_ONE_WRITER;
    config = config_of(h, 1);
    open_with(h, &config);
    gather(h, 3);
    let_go(h);
    wait_for_answers(h, 4);
    assert_in_range(h->script.group_deadline, before + 60000, bb_deadline_in(60000));
    assert_int_equal(h->script.group_lock_deadline, h->script.group_deadline);
    close_host(h);
}

/* ------------------------------------------------------------------------- what is no contact */

static void test_A1_refused_bodies_wait_for_their_turn(void **state)
{
    bb_request faulty = request_to("42", "{\"users\":[{\"name\":1}]}");
    bb_request no_json = request_to("42", "nothing");
    bb_request no_chatbot = request_to("x", "{\"users\":[{}]}");
    host *h = open_host(1);

    (void)state;
    hold(h);
    submit(h, &h->sent[1], &faulty);
    submit(h, &h->sent[2], &no_json);
    submit(h, &h->sent[3], &no_chatbot);
    submit_contact(h, 4, "42", "k4");
    assert_int_equal(h->sent[1].is_done, 0); /* the key is judged first */
    let_go(h);
    wait_for_answers(h, 5);
    assert_int_equal(h->sent[1].http, 400);
    assert_non_null(strstr(h->sent[1].body, "users[0].name"));
    assert_int_equal(h->sent[2].http, 400);
    assert_int_equal(h->sent[3].http, 404);
    expect_all(h, 4, 1);
    close_host(h);
}

static void test_B1_what_needs_no_store_is_answered_at_once(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{}]}");
    host *h = open_host(1);
    sent *s = &h->sent[0];

    (void)state;
    request.authorization = "Basic abc";
    request.authorization_len = strlen(request.authorization);
    submit(h, s, &request);
    assert_int_equal(s->is_done, 1);
    assert_int_equal(s->http, 401);
    assert_int_equal(h->script.calls, 0);
    assert_int_equal(stats_of(h).requests[BB_STATUS_INVALID_KEY], 1);
    close_host(h);
}

static void test_A1_authorizing_without_waiting(void **state)
{
    bb_request request = request_to("42", "");
    host *h = open_host(1);
    sent *s = &h->sent[0];
    bb_result *now;

    (void)state;
    s->host = h;
    assert_null(bb_contacts_submit_authorize(h->contacts, &request, done, s, NULL));
    wait_for_answers(h, 1);
    assert_int_equal(s->http, 200);
    assert_int_equal(s->entries, 0);
    assert_string_equal(h->script.last_call, "authorize");
    h->script.always = BB_ERR_UNKNOWN_KEY;
    s[1].host = h;
    assert_null(bb_contacts_submit_authorize(h->contacts, &request, done, &s[1], NULL));
    wait_for_answers(h, 2);
    assert_int_equal(s[1].http, 401);
    request.authorization = NULL;
    now = bb_contacts_submit_authorize(h->contacts, &request, done, s, NULL);
    assert_int_equal(bb_result_status(now), BB_STATUS_NO_KEY);
    bb_result_free(now);
    assert_int_equal(stats_of(h).requests[BB_STATUS_SUCCESS], 0); /* not counted */
    close_host(h);
}

static void test_E11_arguments(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{}]}");
    bb_request unknown = request;
    host *h = open_host(0);
    bb_stats stats;
    bb_result *result;

    (void)state;
    result = bb_contacts_submit(h->contacts, &request, done, h->sent, NULL); /* no workers */
    assert_int_equal(bb_result_http_status(result), 500);
    bb_result_free(result);
    assert_int_equal(bb_contacts_cancel(h->contacts, 1), BB_ERR_NOT_FOUND);
    close_host(h);

    h = open_host(1);
    unknown.size = 3;
    assert_int_equal(bb_result_status(bb_contacts_submit(NULL, &request, done, NULL, NULL)),
                     BB_STATUS_INTERNAL_ERROR);
    assert_int_equal(bb_result_status(bb_contacts_submit(h->contacts, NULL, done, NULL, NULL)),
                     BB_STATUS_INTERNAL_ERROR);
    assert_int_equal(bb_result_status(bb_contacts_submit(h->contacts, &unknown, done, NULL, NULL)),
                     BB_STATUS_INTERNAL_ERROR);
    assert_int_equal(bb_result_status(bb_contacts_submit(h->contacts, &request, NULL, NULL, NULL)),
                     BB_STATUS_INTERNAL_ERROR);
    assert_int_equal(bb_contacts_cancel(NULL, 1), BB_ERR_ARGUMENT);
    assert_int_equal(bb_contacts_cancel(h->contacts, 0), BB_ERR_NOT_FOUND);
    assert_int_equal(bb_contacts_cancel(h->contacts, 77), BB_ERR_NOT_FOUND);
    bb_stats_init(&stats);
    assert_int_equal(bb_contacts_stats(NULL, &stats), BB_ERR_ARGUMENT);
    assert_int_equal(bb_contacts_stats(h->contacts, NULL), BB_ERR_ARGUMENT);
    stats.size = 8;
    assert_int_equal(bb_contacts_stats(h->contacts, &stats), BB_ERR_ARGUMENT);
    close_host(h);
}

static void test_C7_a_body_past_the_limit(void **state)
{
    bb_request request = request_to("42", "{}");
    host *h = open_host(1);

    (void)state;
    request.body_len = bb_contacts_max_body(h->contacts) + 1; /* it is not there to be copied */
    submit(h, &h->sent[0], &request);
    wait_for_answers(h, 1);
    assert_int_equal(h->sent[0].http, 413);
    close_host(h);
}

/* ------------------------------------------------------------------------------ waiting, ending */

static void test_E11_a_full_queue_is_a_503_at_once(void **state)
{
    host *h = must_alloc(sizeof *h);
    bb_config config;

    (void)state;
    init_host(h);
    config = config_of(h, 1);
    config.max_queued = 4;
    open_with(h, &config);
    hold(h);
    for (size_t i = 1; i <= 2; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        submit_contact(h, i, "42", key);
    }
    submit_contact(h, 3, "42", "k3"); /* a chatbot's half */
    assert_int_equal(h->sent[3].http, 503);
    submit_contact(h, 4, "43", "k4");
    submit_contact(h, 5, "44", "k5");
    submit_contact(h, 6, "45", "k6");
    assert_int_equal(h->sent[6].http, 503);
    let_go(h);
    wait_for_answers(h, 7);
    expect_all(h, 1, 2);
    expect_all(h, 4, 2);
    assert_int_equal(stats_of(h).requests[BB_STATUS_UNAVAILABLE], 2);
    close_host(h);
}

static void test_E11_a_deadline_counts_in_the_queue(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{\"external_id\":\"k1\"}]}");
    host *h = open_host(1);

    (void)state;
    hold(h);
    request.timeout_ms = 60;
    submit(h, &h->sent[1], &request);
    request.timeout_ms = 30;
    submit(h, &h->sent[2], &request);
    submit_contact(h, 3, "42", "k3");
    wait_for_answers(h, 2); /* though the worker is held */
    assert_int_equal(h->sent[1].http, 503);
    assert_int_equal(h->sent[2].http, 503);
    assert_int_equal(h->sent[3].is_done, 0);
    let_go(h);
    wait_for_answers(h, 4);
    expect_all(h, 3, 1);
    assert_int_equal(h->script.calls, 2);
    close_host(h);
}

static void test_E11_cancelling(void **state)
{
    host *h = open_host(1);

    (void)state;
    gather(h, 3);
    assert_int_equal(bb_contacts_cancel(h->contacts, h->sent[2].ticket), BB_OK);
    assert_int_equal(h->sent[2].is_done, 1); /* before it returned, here */
    assert_true(pthread_equal(h->sent[2].thread, pthread_self()));
    assert_int_equal(h->sent[2].http, 503);
    assert_int_equal(bb_contacts_cancel(h->contacts, h->sent[2].ticket), BB_ERR_NOT_FOUND);
    assert_int_equal(bb_contacts_cancel(h->contacts, h->sent[0].ticket), BB_ERR_NOT_FOUND);
    let_go(h);
    wait_for_answers(h, 4);
    expect_success(&h->sent[0], "first");
    expect_all(h, 1, 1);
    expect_all(h, 3, 1);
    assert_int_equal(h->sent[2].is_done, 1);
    assert_int_equal(bb_contacts_cancel(h->contacts, h->sent[1].ticket), BB_ERR_NOT_FOUND);
    assert_int_equal(stats_of(h).cancelled, 1);
    close_host(h);
}

/* Closing does not end while a worker is held, however long that takes. */
static void *let_go_later(void *ctx)
{
    const struct timespec pause = {0, 1000000};

    while (!is_closing(ctx))
        nanosleep(&pause, NULL);
    let_go(ctx);
    return NULL;
}

static void test_E11_closing_lets_what_waits_be_written(void **state)
{
    host *h = open_host(1);
    pthread_t thread;

    (void)state;
    gather(h, 10);
    h->sent[3].again = "{\"users\":[{\"external_id\":\"late\"}]}"; /* submitted while it closes */
    h->sent[3].next = &h->sent[11];
    assert_int_equal(pthread_create(&thread, NULL, let_go_later, h), 0);
    bb_contacts_close(h->contacts);
    pthread_join(thread, NULL);
    h->contacts = NULL;
    assert_int_equal(h->answers, 12);
    expect_all(h, 1, 10);
    assert_int_equal(h->sent[11].http, 503);
    close_host(h);
}

static void test_E7_a_callback_may_submit(void **state)
{
    host *h = open_host(1);

    (void)state;
    h->sent[0].again = "{\"users\":[{\"external_id\":\"k1\",\"name\":\"N k1\"}]}";
    h->sent[0].next = &h->sent[1];
    submit_contact(h, 0, "42", "first");
    wait_for_answers(h, 2);
    expect_all(h, 1, 1);
    close_host(h);
}

/* ----------------------------------------------------------------------------- those who wait */

typedef struct caller {
    host *host;
    size_t number;
} caller;

static void *call(void *ctx)
{
    const caller *c = ctx;
    char body[100];
    bb_request request;

    snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"k%zu\",\"name\":\"N k%zu\"}]}",
             c->number, c->number);
    request = request_to("42", body);
    keep(&c->host->sent[c->number], bb_contacts_upsert(c->host->contacts, &request));
    c->host->sent[c->number].is_done = 1;
    return NULL;
}

static void test_E7_callers_that_wait_share_too(void **state)
{
    enum { CALLERS = 20 };
    host *h = open_host(1);
    pthread_t threads[CALLERS + 1];
    caller callers[CALLERS + 1];
    const struct timespec pause = {0, 1000000};

    (void)state;
    hold(h);
    for (size_t i = 1; i <= CALLERS; i++) {
        callers[i] = (caller){h, i};
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    while (stats_of(h).queued < CALLERS)
        nanosleep(&pause, NULL);
    let_go(h);
    for (size_t i = 1; i <= CALLERS; i++)
        pthread_join(threads[i], NULL);
    expect_all(h, 1, CALLERS);
    assert_int_equal(h->script.groups, 1);
    assert_int_equal(h->script.group_sizes[0], CALLERS);
    close_host(h);
}

static void test_E11_a_caller_that_waits_in_vain(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{\"external_id\":\"k1\"}]}");
    host *h = open_host(1);
    bb_result *result;

    (void)state;
    hold(h);
    request.timeout_ms = 30;
    result = bb_contacts_upsert(h->contacts, &request);
    assert_int_equal(bb_result_http_status(result), 503);
    bb_result_free(result);
    let_go(h);
    wait_for_answers(h, 1);
    close_host(h);
}

/* Alone, a request waits for nobody: it is written by the thread that calls. */
static void test_E7_a_lone_caller_does_it_itself(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{\"external_id\":\"k1\"}]}");
    host *h = open_host(2);
    bb_result *result = bb_contacts_upsert(h->contacts, &request);

    (void)state;
    assert_int_equal(bb_result_http_status(result), 200);
    assert_true(pthread_equal(h->script.last_thread, pthread_self()));
    bb_result_free(result);
    submit_contact(h, 0, "42", "first");
    wait_for_answers(h, 1);
    assert_false(pthread_equal(h->script.last_thread, pthread_self()));
    assert_true(pthread_equal(h->script.last_thread, h->sent[0].thread));
    close_host(h);
}

/* Two groups are being written, so it does not pay to begin a third for one request. It begins all
 * the same after a while, though neither of the two ends and nothing else comes. */
static void test_E7_nobody_waits_long_for_company(void **state)
{
    host *h = open_host(3);

    (void)state;
    hold(h);
    submit_contact(h, 1, "42", "k1");
    script_wait_inside(&h->script, 2);
    submit_contact(h, 2, "42", "k2");
    script_wait_inside(&h->script, 3);
    let_go(h);
    wait_for_answers(h, 3);
    expect_all(h, 1, 2);
    assert_int_equal(h->script.groups, 0);
    close_host(h);
}

/* Two requests are stuck; others go past them, one after the other, on the third worker. If each
 * waited for company first, all would take at least the named time. The test tries several times: a
 * machine may be slow, but none is that fast. */
static void test_E7_those_that_are_stuck_keep_nobody_waiting_twice(void **state)
{
    enum { ROUNDS = 50, LEAST_MS = ROUNDS * 2, TRIES = 100 };
    bb_request request = request_to("42", "{\"users\":[{\"external_id\":\"k2\"}]}");
    host *h = open_host(3);
    int64_t left = 0;

    (void)state;
    h->script.held_calls = 2;
    hold(h);
    submit_contact(h, 1, "42", "k1");
    script_wait_inside(&h->script, 2);
    for (int i = 0; i < TRIES && left == 0; i++) {
        int64_t deadline = bb_deadline_in(LEAST_MS);
        for (int round = 0; round < ROUNDS; round++) {
            bb_result *result = bb_contacts_upsert(h->contacts, &request);
            assert_int_equal(bb_result_http_status(result), 200);
            bb_result_free(result);
        }
        left = bb_deadline_left(deadline);
    }
    assert_int_not_equal(left, 0);
    let_go(h);
    wait_for_answers(h, 2);
    close_host(h);
}

/* Its caller goes on waiting, but gives the worker's place back. */
static void test_E11_a_caller_that_waits_holds_nobody_up(void **state)
{
    bb_request request = request_to("42", "{\"users\":[{\"external_id\":\"k2\"}]}");
    host *h = open_host_for(1, ENOUGH_MS);
    caller waiting = {h, 1};
    pthread_t thread;

    (void)state;
    script_lock(&h->script, "k1");
    h->sent[1].host = h;
    assert_int_equal(pthread_create(&thread, NULL, call, &waiting), 0);
    script_wait_waiters(&h->script, 1);
    for (int i = 0; i < 5; i++) {
        bb_result *result = bb_contacts_upsert(h->contacts, &request);
        assert_int_equal(bb_result_http_status(result), 200);
        bb_result_free(result);
    }
    script_lock(&h->script, NULL);
    pthread_join(thread, NULL);
    expect_all(h, 1, 1);
    close_host(h);
}

static sigset_t seen_signals;

static int32_t write_and_look(void *session, const bb_write *write, bb_error *error)
{
    pthread_sigmask(SIG_SETMASK, NULL, &seen_signals);
    return script_write(session, write, error);
}

static void test_E7_workers_take_no_signals(void **state)
{
    host *h = must_alloc(sizeof *h);
    bb_config config;

    (void)state;
    init_host(h);
    h->table.write = write_and_look;
    config = config_of(h, 1);
    open_with(h, &config);
    submit_contact(h, 0, "42", "first");
    wait_for_answers(h, 1);
    assert_int_equal(sigismember(&seen_signals, SIGTERM), 1);
    assert_int_equal(sigismember(&seen_signals, SIGUSR1), 1);
    pthread_sigmask(SIG_SETMASK, NULL, &seen_signals); /* and the host's thread is as before */
    assert_int_equal(sigismember(&seen_signals, SIGTERM), 0);
    close_host(h);
}

/* -------------------------------------------------------------------------------------- memory */

static void test_A2_opening_workers_without_memory(void **state)
{
    size_t n = 1;
    int opened = 0;

    (void)state;
    for (; !opened; n++) {
        host *h = must_alloc(sizeof *h);
        bb_config config;
        bb_error error;
        init_host(h);
        config = config_of(h, 3);
        assert_int_equal(
            bb_storage_new(&h->table, &h->script, &h->memory.allocator, &h->storage, NULL), BB_OK);
        bb_error_init(&error);
        shared_fail(&h->memory, n, 0);
        opened = bb_contacts_open(h->storage, &config, &h->contacts, &error) == BB_OK;
        if (!opened) {
            assert_int_equal(error.code, BB_ERR_NOMEM);
            assert_null(h->contacts);
        }
        close_host(h);
    }
    assert_true(n > 20);
}

/* Each allocation fails, once or with all later ones, while a first request is in the store and
 * four more gather. Returns how many of these failed. */
static size_t run_without_memory(size_t n, int after, int *is_through)
{
    host *h = open_host(1);
    size_t failures = 0;
    size_t calls;

    gather(h, 1); /* warm */
    let_go(h);
    wait_for_answers(h, 2);
    h->answers = 0;
    memset(h->sent, 0, sizeof h->sent);
    hold(h);
    shared_fail(&h->memory, n, after);
    for (size_t i = 1; i <= 4; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        submit_contact(h, i, "42", key);
    }
    let_go(h);
    wait_for_answers(h, 5);
    calls = shared_calls(&h->memory);
    for (size_t i = 1; i <= 4; i++) {
        assert_int_equal(h->sent[i].is_done, 1);
        assert_true(h->sent[i].http == 200 || h->sent[i].http == 500);
        failures += h->sent[i].http == 500;
    }
    *is_through = calls < n;
    shared_fail(&h->memory, 0, 0);
    submit_contact(h, 6, "42", "k6"); /* and it goes on working */
    wait_for_answers(h, 6);
    expect_all(h, 6, 1);
    close_host(h);
    return failures;
}

static void test_A3_groups_without_memory(void **state)
{
    (void)state;
    for (int after = 0; after <= 1; after++) {
        size_t failures = 0;
        int is_through = 0;
        for (size_t n = 1; !is_through; n++)
            failures += run_without_memory(n, after, &is_through);
        assert_true(failures > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E7_what_gathers_is_written_together),
        cmocka_unit_test(test_E7_the_time_of_a_group),
        cmocka_unit_test(test_E11_the_deadline_of_a_group),
        cmocka_unit_test(test_E1_one_contact_is_written_by_one_group_at_a_time),
        cmocka_unit_test(test_E1_an_ordered_store_gets_them_together),
        cmocka_unit_test(test_B3_a_refusal_is_its_own),
        cmocka_unit_test(test_A2_one_that_always_fails_fails_alone),
        cmocka_unit_test(test_E9_after_what_the_store_goes_through_each_is_tried_alone),
        cmocka_unit_test(test_E11_each_of_a_group_is_told_when_nothing_helps),
        cmocka_unit_test(test_A2_a_member_that_fails_after_the_commit),
        cmocka_unit_test(test_E11_a_backend_that_puts_wrongly_makes_500s),
        cmocka_unit_test(test_E7_a_backend_without_groups),
        cmocka_unit_test(test_E11_one_that_waits_keeps_no_other_waiting),
        cmocka_unit_test(test_E11_those_that_wait_hold_no_worker_for_long),
        cmocka_unit_test(test_E11_a_chatbot_that_waits_is_in_quarantine),
        cmocka_unit_test(test_E11_many_that_wait_keep_no_other_waiting),
        cmocka_unit_test(test_E11_a_chatbot_that_waited_in_vain_stays_in_quarantine),
        cmocka_unit_test(test_E7_a_chatbot_that_waits_no_more_is_like_others),
        cmocka_unit_test(test_E11_each_has_its_own_deadline),
        cmocka_unit_test(test_E11_a_store_that_stands_still),
        cmocka_unit_test(test_E11_closing_waits_for_the_quarantine),
        cmocka_unit_test(test_E11_without_groups_those_behind_wait_for_a_share),
        cmocka_unit_test(test_E11_a_store_with_one_writer_is_waited_for),
        cmocka_unit_test(test_A1_refused_bodies_wait_for_their_turn),
        cmocka_unit_test(test_B1_what_needs_no_store_is_answered_at_once),
        cmocka_unit_test(test_A1_authorizing_without_waiting),
        cmocka_unit_test(test_E11_arguments),
        cmocka_unit_test(test_C7_a_body_past_the_limit),
        cmocka_unit_test(test_E11_a_full_queue_is_a_503_at_once),
        cmocka_unit_test(test_E11_a_deadline_counts_in_the_queue),
        cmocka_unit_test(test_E11_cancelling),
        cmocka_unit_test(test_E11_closing_lets_what_waits_be_written),
        cmocka_unit_test(test_E7_a_callback_may_submit),
        cmocka_unit_test(test_E7_callers_that_wait_share_too),
        cmocka_unit_test(test_E11_a_caller_that_waits_in_vain),
        cmocka_unit_test(test_E7_a_lone_caller_does_it_itself),
        cmocka_unit_test(test_E7_nobody_waits_long_for_company),
        cmocka_unit_test(test_E7_those_that_are_stuck_keep_nobody_waiting_twice),
        cmocka_unit_test(test_E11_a_caller_that_waits_holds_nobody_up),
        cmocka_unit_test(test_E7_workers_take_no_signals),
        cmocka_unit_test(test_A2_opening_workers_without_memory),
        cmocka_unit_test(test_A3_groups_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
