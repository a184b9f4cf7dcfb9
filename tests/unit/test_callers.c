/*
 * test_callers.c: callers that wait share commits without any workers: one of them writes for all,
 * on a storage that answers what the test says (A2, E7, E9, E11).
 *
 * Most tests have one place where groups are written. A first caller is held there, inside the
 * storage, while others gather behind it, one after the other.
 */
#include "execute/group.h"
#include "request/response.h"
#include "scripted.h"
#include "shared_memory.h"
#include "support/settings.h"
#include "support/wait.h"

#define KEY "oc_live_0123456789abcdef"

enum { MOST = 64, ONE_PLACE = 2, LARGE = 128 };

/* One place for groups takes two sessions: the other one is the quarantine's. */

typedef struct caller {
    struct host *host;
    pthread_t thread;
    char chatbot[8];
    test_text body;
    int64_t timeout_ms;
    int is_done; /* under the host's mutex */
    int32_t status;
    int32_t http;
    size_t created;
} caller;

typedef struct host {
    script script;
    bb_storage_vtable table;
    shared_memory memory;
    bb_storage *storage;
    bb_contacts *contacts;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    size_t started;
    size_t done;
    caller callers[MOST];
    kept_log log; /* under the mutex */
} host;

/* ----------------------------------------------------------------------------------------- host */

static void keep_line_of_many(void *ctx, int32_t level, const char *line, size_t len)
{
    host *h = ctx;

    pthread_mutex_lock(&h->mutex);
    keep_line(&h->log, level, line, len);
    pthread_mutex_unlock(&h->mutex);
}

static host *new_host(bb_config *config)
{
    host *h = must_alloc(sizeof *h);

    memset(h, 0, sizeof *h);
    script_init(&h->script);
    shared_init(&h->memory);
    if (pthread_mutex_init(&h->mutex, NULL) != 0 || pthread_cond_init(&h->answered, NULL) != 0)
        abort();
    h->table = script_table;
    h->table.write_group = script_write_group;
    bb_config_init(config);
    config->allocator = &h->memory.allocator;
    config->log = keep_line_of_many;
    config->log_ctx = h;
    config->timeout_ms = TEST_PATIENCE_MS;
    return h;
}

static void open_with(host *h, const bb_config *config)
{
    assert_int_equal(bb_storage_new(&h->table, &h->script, &h->memory.allocator, &h->storage, NULL),
                     BB_OK);
    assert_int_equal(bb_contacts_open(h->storage, config, &h->contacts, NULL), BB_OK);
}

static host *open_host(uint32_t max_sessions)
{
    bb_config config;
    host *h = new_host(&config);

    config.max_sessions = max_sessions;
    open_with(h, &config);
    return h;
}

static void close_host(host *h)
{
    for (size_t i = 0; i < MOST; i++)
        free(h->callers[i].body.data);
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

static bb_stats stats_of(host *h)
{
    bb_stats stats;

    bb_stats_init(&stats);
    assert_int_equal(bb_contacts_stats(h->contacts, &stats), BB_OK);
    return stats;
}

/* -------------------------------------------------------------------------------------- callers */

static bb_request request_of(const caller *c)
{
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = c->chatbot;
    request.chatbot_id_len = strlen(c->chatbot);
    request.authorization = "Bearer " KEY;
    request.authorization_len = strlen(request.authorization);
    request.body = c->body.data;
    request.body_len = c->body.len;
    request.timeout_ms = c->timeout_ms;
    return request;
}

static void *call(void *ctx)
{
    caller *c = ctx;
    host *h = c->host;
    bb_request request = request_of(c);
    bb_result *result = bb_contacts_upsert(h->contacts, &request);

    pthread_mutex_lock(&h->mutex);
    c->status = bb_result_status(result);
    c->http = bb_result_http_status(result);
    c->created = bb_result_count(result, BB_CREATED);
    c->is_done = 1;
    h->done++;
    pthread_cond_broadcast(&h->answered);
    pthread_mutex_unlock(&h->mutex);
    bb_result_free(result);
    return NULL;
}

static void start(host *h, size_t i)
{
    h->callers[i].host = h;
    assert_int_equal(pthread_create(&h->callers[i].thread, NULL, call, &h->callers[i]), 0);
    h->started++;
}

/* Starts a caller with one contact; it has `timeout_ms`, or the handle's time if that is 0. */
static void start_timed(host *h, size_t i, const char *chatbot, const char *key, int64_t timeout_ms)
{
    caller *c = &h->callers[i];

    snprintf(c->chatbot, sizeof c->chatbot, "%s", chatbot);
    c->timeout_ms = timeout_ms;
    c->body.len = 0;
    test_append(&c->body, "{\"users\":[{\"external_id\":\"%s\"}]}", key);
    start(h, i);
}

/* Whether each that was started is inside the storage, waits, or is done. */
static int have_settled(void *ctx)
{
    host *h = ctx;
    size_t settled = stats_of(h).queued;

    pthread_mutex_lock(&h->mutex);
    settled += h->done;
    pthread_mutex_unlock(&h->mutex);
    pthread_mutex_lock(&h->script.mutex);
    settled += h->script.inside;
    pthread_mutex_unlock(&h->script.mutex);
    return settled >= h->started;
}

static void settle(host *h)
{
    assert_true(test_wait_until(have_settled, h));
}

/* Starts one that will wait behind those before it. */
static void line_up(host *h, size_t i, const char *chatbot, const char *key, int64_t timeout_ms)
{
    start_timed(h, i, chatbot, key, timeout_ms);
    settle(h);
}

/* Holds the first caller in the storage. */
static void hold(host *h)
{
    script_hold(&h->script, 1);
    start_timed(h, 0, "42", "first", 0);
    script_wait_inside(&h->script, 1);
}

static void let_go(host *h)
{
    script_hold(&h->script, 0);
}

static void line_up_many(host *h, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%zu", i);
        line_up(h, i, "42", key, 0);
    }
}

static void gather(host *h, size_t count)
{
    hold(h);
    line_up_many(h, 1, count);
    assert_int_equal(stats_of(h).queued, count);
}

static void join(host *h, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        pthread_join(h->callers[i].thread, NULL);
}

static void expect_http(const host *h, size_t from, size_t count, int32_t http)
{
    for (size_t i = from; i < from + count; i++) {
        assert_int_equal(h->callers[i].http, http);
        assert_int_equal(h->callers[i].created, http == 200 ? 1 : 0);
    }
}

static void join_all(host *h, size_t count)
{
    join(h, 0, count);
    expect_http(h, 0, count, 200);
}

static int is_done(host *h, size_t i)
{
    int is;

    pthread_mutex_lock(&h->mutex);
    is = h->callers[i].is_done;
    pthread_mutex_unlock(&h->mutex);
    return is;
}

/* ------------------------------------------------------------------------------------- the lead */

static void test_E7_alone_a_caller_waits_for_nobody(void **state)
{
    host *h = open_host(0);

    (void)state;
    start_timed(h, 0, "42", "first", 0);
    join_all(h, 1);
    assert_true(pthread_equal(h->script.last_thread, h->callers[0].thread));
    assert_int_equal(h->script.calls, 1);
    assert_int_equal(h->script.groups, 0);
    close_host(h);
}

static void test_E7_one_of_those_that_wait_writes_for_all(void **state)
{
    host *h = open_host(ONE_PLACE);
    bb_stats stats;

    (void)state;
    gather(h, 20);
    let_go(h);
    join_all(h, 21);
    assert_int_equal(h->script.calls, 2);
    assert_int_equal(h->script.groups, 1);
    assert_int_equal(h->script.group_sizes[0], 20);
    assert_true(pthread_equal(h->script.last_thread, h->callers[1].thread));
    assert_int_equal(h->script.opened, 1);
    stats = stats_of(h);
    assert_int_equal(stats.writes, 2);
    assert_int_equal(stats.grouped_requests, 20);
    assert_int_equal(stats.requests[BB_STATUS_SUCCESS], 21);
    assert_int_equal(stats.queued, 0);
    close_host(h);
}

/* Each group is written by the caller of its first request, and that one returns with the others of
 * its group, though more wait. */
static void test_E7_nobody_writes_for_ever(void **state)
{
    bb_config config;
    host *h = new_host(&config);

    (void)state;
    config.max_sessions = ONE_PLACE;
    config.max_group_requests = 4;
    open_with(h, &config);
    gather(h, 12);
    for (size_t group = 0; group < 3; group++) {
        script_pass_to(&h->script, group + 2);
        join(h, group == 0 ? 0 : 4 * group - 3, group == 0 ? 1 : 4);
        assert_true(pthread_equal(h->script.last_thread, h->callers[4 * group + 1].thread));
        assert_int_equal(stats_of(h).queued, 12 - 4 * (group + 1));
        assert_false(is_done(h, 4 * group + 1));
    }
    let_go(h);
    join(h, 9, 4);
    expect_http(h, 0, 13, 200);
    assert_int_equal(h->script.groups, 3);
    assert_int_equal(h->script.most_inside, 1);
    close_host(h);
}

/* Two groups are being written, so it does not pay to begin a third for one request. It begins all
 * the same after a while, though neither of the two ends and nothing else comes. */
static void test_E7_nobody_waits_long_for_company(void **state)
{
    host *h = open_host(0);

    (void)state;
    script_hold(&h->script, 1);
    for (size_t i = 0; i < 4; i++) {
        start_timed(h, i, "42", "k", 0);
        script_wait_inside(&h->script, i + 1);
    }
    let_go(h);
    join_all(h, 4);
    assert_int_equal(h->script.groups, 0);
    close_host(h);
}

/* What comes while all places are taken is written by turns: chatbot 43 has one request, behind
 * eight of 42. */
static void test_E11_chatbots_take_turns(void **state)
{
    bb_config config;
    host *h = new_host(&config);

    (void)state;
    config.max_sessions = ONE_PLACE;
    config.max_group_requests = 2;
    open_with(h, &config);
    gather(h, 8);
    line_up(h, 9, "43", "k9", 0);
    script_pass_to(&h->script, 2);
    script_pass_to(&h->script, 3);
    join(h, 9, 1); /* with the first group */
    let_go(h);
    join(h, 0, 9);
    expect_http(h, 0, 10, 200);
    close_host(h);
}

/* Those that are large gain nothing by company. They hold up nobody, and are not held up. */
static void test_E7_large_requests_go_apart(void **state)
{
    enum { SESSIONS = 12, OTHERS = 4 };
    host *h = open_host(SESSIONS);

    (void)state;
    script_hold(&h->script, 1);
    for (size_t i = 0; i < SESSIONS - OTHERS; i++) {
        caller *c = &h->callers[i];
        snprintf(c->chatbot, sizeof c->chatbot, "42");
        test_append(&c->body, "{\"users\":[{\"external_id\":\"%zu\"}", i);
        for (int n = 1; n < LARGE; n++)
            test_append(&c->body, ",{\"external_id\":\"%zu-%d\"}", i, n);
        test_append(&c->body, "]}");
        start(h, i);
        script_wait_inside(&h->script, i + 1);
    }
    start_timed(h, SESSIONS, "42", "small", 0);
    settle(h);
    assert_int_equal(stats_of(h).queued, 1);
    let_go(h);
    join(h, 0, SESSIONS - OTHERS);
    join(h, SESSIONS, 1);
    expect_http(h, SESSIONS, 1, 200);
    for (size_t i = 0; i < SESSIONS - OTHERS; i++)
        assert_int_equal(h->callers[i].created, LARGE);
    close_host(h);
}

static void test_E7_without_groups_all_go_at_once(void **state)
{
    (void)state;
    for (int has_groups = 0; has_groups <= 1; has_groups++) {
        bb_config config;
        host *h = new_host(&config);
        config.max_sessions = 5;
        config.max_group_requests = has_groups ? 1 : 0;
        if (!has_groups)
            h->table.write_group = NULL;
        open_with(h, &config);
        script_hold(&h->script, 1);
        for (size_t i = 0; i < 5; i++)
            start_timed(h, i, "42", "k", 0);
        script_wait_inside(&h->script, 5);
        let_go(h);
        join_all(h, 5);
        assert_int_equal(h->script.groups, 0);
        close_host(h);
    }
}

static void test_B3_a_refusal_is_its_own(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    h->script.refused_chatbot_id = 99;
    hold(h);
    line_up(h, 1, "42", "k1", 0);
    line_up(h, 2, "99", "k2", 0);
    line_up(h, 3, "42", "k3", 0);
    snprintf(h->callers[4].chatbot, sizeof h->callers[4].chatbot, "42");
    test_append(&h->callers[4].body, "{\"users\":[{\"name\":1}]}");
    start(h, 4);
    settle(h);
    let_go(h);
    join(h, 0, 5);
    expect_http(h, 1, 1, 200);
    expect_http(h, 2, 1, 404);
    expect_http(h, 3, 1, 200);
    expect_http(h, 4, 1, 400);
    assert_int_equal(h->script.groups, 1);
    close_host(h);
}

/* ----------------------------------------------------------------------------- groups that fail */

static void test_A2_one_that_always_fails_fails_alone(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    h->script.faulty_key = "k5";
    h->script.fault_code = BB_ERR_CONFLICT;
    gather(h, 16);
    let_go(h);
    join(h, 0, 17);
    expect_http(h, 0, 5, 200);
    expect_http(h, 5, 1, 409);
    expect_http(h, 6, 11, 200);
    /* halves: 16, 8 (4 (2, 2 (1, 1)), 4), 8, and not each alone */
    assert_int_equal(h->script.calls, 1 + 1 + 2 + 2 + 2 + 2);
    close_host(h);
}

static void test_E9_after_what_the_store_goes_through_each_is_tried_alone(void **state)
{
    static const int32_t codes[] = {BB_ERR_RETRY,       BB_ERR_LOST,        BB_ERR_BUSY,
                                    BB_ERR_UNAVAILABLE, BB_ERR_UNSUPPORTED, BB_ERR_NOMEM};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        host *h = open_host(ONE_PLACE);
        h->script.codes[1] = codes[i]; /* of the group; then all is well */
        gather(h, 6);
        let_go(h);
        join_all(h, 7);
        assert_int_equal(h->script.calls, 1 + 1 + 6);
        assert_int_equal(stats_of(h).ungrouped_requests, codes[i] == BB_ERR_UNSUPPORTED ? 0 : 6);
        assert_int_equal(stats_of(h).queued, 0);
        close_host(h);
    }
}

static void test_E11_each_of_a_group_is_told_when_nothing_helps(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    gather(h, 5);
    h->script.always = BB_ERR_UNAVAILABLE;
    let_go(h);
    join(h, 0, 6);
    expect_http(h, 1, 5, 503);
    close_host(h);
}

/* ------------------------------------------------------------------------------------ deadlines */

/* The one who writes is busy for longer. Those that wait are answered at their own deadlines, even
 * the one that would have written next; the rest is written after that. */
static void test_E11_a_deadline_counts_while_another_writes(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    hold(h);
    line_up(h, 1, "42", "k1", 60);
    line_up(h, 2, "42", "k2", 0);
    line_up(h, 3, "43", "k3", 30);
    join(h, 1, 1);
    join(h, 3, 1);
    expect_http(h, 1, 1, 503);
    expect_http(h, 3, 1, 503);
    assert_false(is_done(h, 0));
    assert_false(is_done(h, 2));
    assert_int_equal(stats_of(h).queued, 1);
    assert_non_null(strstr(h->log.lines.data, "past their deadline"));
    let_go(h);
    join(h, 0, 1);
    join(h, 2, 1);
    expect_http(h, 2, 1, 200);
    assert_int_equal(h->script.calls, 2);
    close_host(h);
}

/* Two groups are being written, so a third lingers. Its heir's time may be over before that: then
 * the next one must look after it, though neither of the two ends. */
static void test_E11_an_heir_that_expires_has_a_successor(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < test_times(100); round++) {
        host *h = open_host(0);
        script_hold(&h->script, 1);
        for (size_t i = 0; i < 2; i++) {
            start_timed(h, i, "42", "k", 0);
            script_wait_inside(&h->script, i + 1);
        }
        start_timed(h, 2, "42", "heir", 2);
        start_timed(h, 3, "42", "next", 0);
        script_wait_inside(&h->script, 3);
        settle(h); /* the heir may be inside, too */
        let_go(h);
        join(h, 0, 4);
        expect_http(h, 3, 1, 200);
        close_host(h);
    }
}

/* Some expire at the moment when a place becomes free, so perhaps one that was just called. */
static void test_E11_those_that_expire_pass_the_lead_on(void **state)
{
    enum { WAITING = 6 };

    (void)state;
    for (uint32_t round = 0; round < test_times(20); round++) {
        host *h = open_host(ONE_PLACE);
        hold(h);
        for (size_t i = 1; i <= WAITING; i++) {
            char chatbot[8];
            snprintf(chatbot, sizeof chatbot, "%zu", 100 + i);
            line_up(h, i, chatbot, "k", i < WAITING ? 30 : 0);
        }
        join(h, 1, 1);
        let_go(h);
        join(h, 0, 1);
        join(h, 2, WAITING - 1);
        expect_http(h, WAITING, 1, 200);
        assert_int_equal(stats_of(h).queued, 0);
        close_host(h);
    }
}

/* -------------------------------------------------------------------------- what takes too long */

/* A share is a tenth of it, and the tests wait for several. */
enum { ENOUGH_MS = 30000 };

/* One of a group waits for a row that the host has locked. The others are written all the same, and
 * so are later ones, of its own chatbot and of others. */
static void test_E11_one_that_waits_keeps_no_other_waiting(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    script_lock(&h->script, "locked");
    hold(h);
    line_up(h, 5, "43", "locked", ENOUGH_MS);
    for (size_t i = 1; i <= 4; i++) {
        static const char *const keys[] = {"", "k1", "k2", "k3", "k4"};
        line_up(h, i, i % 2 == 0 ? "42" : "43", keys[i], ENOUGH_MS);
    }
    let_go(h);
    join(h, 0, 5);
    assert_int_equal(h->script.group_sizes[0], 5);
    start_timed(h, 6, "42", "k6", 0);
    start_timed(h, 7, "43", "k7", 0);
    join(h, 6, 2);
    assert_false(is_done(h, 5));
    script_lock(&h->script, NULL);
    join(h, 5, 1);
    expect_http(h, 0, 8, 200);
    close_host(h);
}

/* As many callers as there are places wait for a row, each alone. They give the places back. */
static void test_E11_callers_that_wait_hold_no_place_for_long(void **state)
{
    enum { LOCKED = 12, FREE = 20 };
    host *h = open_host(0);

    (void)state;
    script_lock(&h->script, "locked");
    for (size_t i = 0; i < LOCKED; i++) {
        char chatbot[8];
        snprintf(chatbot, sizeof chatbot, "%zu", 100 + i);
        start_timed(h, i, chatbot, "locked", ENOUGH_MS);
    }
    script_wait_waiters(&h->script, 2);
    for (size_t i = 0; i < FREE; i++)
        start_timed(h, LOCKED + i, i % 2 == 0 ? "42" : "43", "k", 0);
    join(h, LOCKED, FREE);
    expect_http(h, LOCKED, FREE, 200);
    for (size_t i = 0; i < LOCKED; i++)
        assert_false(is_done(h, i));
    script_lock(&h->script, NULL);
    join(h, 0, LOCKED);
    expect_http(h, 0, LOCKED, 200);
    assert_true(h->script.opened <= 16);
    close_host(h);
}

/* Each is answered at its own deadline, and the log says why, though the lock lasts for ever. */
static void test_E11_each_has_its_own_deadline(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    h->script.message = "the deadline had passed already";
    h->script.first_message = "somebody has locked it";
    script_lock(&h->script, "locked");
    hold(h);
    line_up(h, 1, "42", "k1", 0);
    line_up(h, 2, "43", "locked", 700);
    let_go(h);
    join(h, 0, 3);
    expect_http(h, 0, 2, 200);
    expect_http(h, 2, 1, 503);
    assert_int_equal(h->log.levels[BB_LOG_ERROR], 1);
    assert_non_null(strstr(h->log.lines.data, "write failed after "));
    close_host(h);
}

/* All of a group are put off, and the quarantine's only place is taken by one with much time. The
 * caller of another slept while its job was in the group, and watches its deadline from then on. */
static void test_E11_a_deadline_counts_after_a_group_was_put_off(void **state)
{
    bb_config config;
    host *h = new_host(&config);

    (void)state;
    config.max_sessions = ONE_PLACE;
    h->table.flags |= BB_STORAGE_ONE_WRITER;
    open_with(h, &config);
    script_lock(&h->script, "locked");
    hold(h);
    line_up(h, 1, "43", "locked", 0);
    line_up(h, 2, "42", "k2", 700);
    let_go(h);
    join(h, 0, 1);
    join(h, 2, 1);
    expect_http(h, 2, 1, 503);
    script_lock(&h->script, NULL);
    join(h, 1, 1);
    expect_http(h, 0, 2, 200);
    close_host(h);
}

static bb_result *answer_at_once(bb_executor *executor, bb_job *job, bb_share share)
{
    (void)executor;
    (void)job;
    (void)share;
    return bb_response_plain(BB_STATUS_UNAVAILABLE);
}

static void keep_answer(bb_job *job, bb_result *result)
{
    *(bb_result **)job->done_ctx = result;
}

/* Put off, it would be taken again at once, and for ever if its caller does that. */
static void test_E11_what_has_no_time_left_is_not_put_off(void **state)
{
    host *h = open_host(0);
    bb_executor executor = {.allocator = h->memory.allocator, .storage = h->storage};
    bb_job_group *group = bb_job_group_new(&h->memory.allocator, 1);
    bb_result *result = NULL;
    bb_job job = {.access = {.deadline = bb_deadline_in(0)},
                  .execute = answer_at_once,
                  .done = keep_answer,
                  .done_ctx = &result};
    bb_job *jobs[] = {&job};
    bb_job *deferred[1];

    (void)state;
    assert_non_null(group);
    assert_int_equal(bb_job_group_execute(&executor, group, jobs, 1, 10, deferred), 0);
    assert_int_equal(bb_result_http_status(result), 503);
    bb_result_free(result);
    bb_job_group_free(group);
    close_host(h);
}

/* The host locks and unlocks rows while callers with little and with much time write. Each is
 * answered, and in the end nobody waits. */
typedef struct storm {
    host *host;
    uint64_t random;
    size_t unavailable;
    size_t other;
    size_t sent;
} storm;

static void *send_many(void *ctx)
{
    storm *s = ctx;
    caller c = {.host = s->host};
    uint32_t requests = test_times(300);

    for (uint32_t i = 0; i < requests; i++) {
        bb_request request;
        bb_result *result;
        snprintf(c.chatbot, sizeof c.chatbot, "%u", 42 + test_random(&s->random, 5));
        c.body.len = 0;
        test_append(&c.body, "{\"users\":[{\"external_id\":\"k%u\"}]}",
                    test_random(&s->random, 20));
        c.timeout_ms = test_random(&s->random, 3) == 0 ? 1 + test_random(&s->random, 200) : 0;
        request = request_of(&c);
        result = bb_contacts_upsert(s->host->contacts, &request);
        s->sent++;
        s->unavailable += bb_result_status(result) == BB_STATUS_UNAVAILABLE;
        s->other += bb_result_status(result) != BB_STATUS_UNAVAILABLE &&
                    bb_result_status(result) != BB_STATUS_SUCCESS;
        if (c.timeout_ms == 0 && bb_result_status(result) != BB_STATUS_SUCCESS)
            s->other++;
        bb_result_free(result);
    }
    free(c.body.data);
    return NULL;
}

static void run_storm(uint32_t max_sessions)
{
    enum { SENDERS = 24 };
    host *h = open_host(max_sessions);
    storm storms[SENDERS];
    pthread_t threads[SENDERS];
    uint64_t random = test_seed();
    size_t sent = 0;
    size_t unavailable = 0;
    bb_stats stats;

    for (size_t i = 0; i < SENDERS; i++) {
        storms[i] = (storm){.host = h, .random = test_seed() * 1000 + i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &storms[i]), 0);
    }
    for (uint32_t i = 0; i < test_times(100); i++) {
        static const char *const keys[] = {"k3", "k7", "k11"};
        script_lock(&h->script, i % 2 == 0 ? keys[test_random(&random, 3)] : NULL);
        test_pause_ms(test_random(&random, 40));
    }
    script_lock(&h->script, NULL);
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(storms[i].other, 0);
        sent += storms[i].sent;
        unavailable += storms[i].unavailable;
    }
    stats = stats_of(h);
    assert_int_equal(stats.requests[BB_STATUS_SUCCESS] + unavailable, sent);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(stats.queued_bytes, 0);
    close_host(h);
}

static void test_E11_a_storm(void **state)
{
    (void)state;
    run_storm(ONE_PLACE);
    run_storm(1);
    run_storm(0);
}

/* ------------------------------------------------------------------------------ bounds, tickets */

/* They bring their threads and bodies with them, so the queue's bounds are not for them. */
static void test_E11_no_caller_is_turned_away(void **state)
{
    bb_config config;
    host *h = new_host(&config);

    (void)state;
    config.max_sessions = ONE_PLACE;
    config.max_queued = 1;
    config.max_queued_bytes = 1;
    open_with(h, &config);
    gather(h, 30);
    let_go(h);
    join_all(h, 31);
    close_host(h);
}

static void test_E11_what_a_caller_waits_for_has_no_ticket(void **state)
{
    host *h = open_host(ONE_PLACE);

    (void)state;
    gather(h, 3);
    for (uint64_t ticket = 0; ticket < 10; ticket++)
        assert_int_equal(bb_contacts_cancel(h->contacts, ticket), BB_ERR_NOT_FOUND);
    let_go(h);
    join_all(h, 4);
    close_host(h);
}

/* --------------------------------------------------------------------------------------- memory */

static void test_A2_opening_without_memory(void **state)
{
    size_t n = 1;
    int opened = 0;

    (void)state;
    for (; !opened; n++) {
        bb_config config;
        host *h = new_host(&config);
        bb_error error;
        bb_error_init(&error);
        assert_int_equal(
            bb_storage_new(&h->table, &h->script, &h->memory.allocator, &h->storage, NULL), BB_OK);
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

/* Each allocation fails, once or with all later ones, while a first caller is in the store and four
 * more gather. Returns how many of these failed. */
static size_t run_without_memory(size_t n, int after, int *is_through)
{
    host *h = open_host(ONE_PLACE);
    size_t failures = 0;

    hold(h);
    shared_fail(&h->memory, n, after);
    line_up_many(h, 1, 4);
    let_go(h);
    join(h, 0, 5);
    *is_through = shared_calls(&h->memory) < n;
    for (size_t i = 1; i <= 4; i++) {
        assert_true(h->callers[i].http == 200 || h->callers[i].http == 500);
        failures += h->callers[i].http == 500;
    }
    shared_fail(&h->memory, 0, 0);
    start_timed(h, 6, "42", "k6", 0); /* and it goes on working */
    join(h, 6, 1);
    expect_http(h, 6, 1, 200);
    assert_int_equal(stats_of(h).queued, 0);
    close_host(h);
    return failures;
}

static void test_A3_callers_without_memory(void **state)
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
        cmocka_unit_test(test_E7_alone_a_caller_waits_for_nobody),
        cmocka_unit_test(test_E7_one_of_those_that_wait_writes_for_all),
        cmocka_unit_test(test_E7_nobody_writes_for_ever),
        cmocka_unit_test(test_E7_nobody_waits_long_for_company),
        cmocka_unit_test(test_E11_chatbots_take_turns),
        cmocka_unit_test(test_E7_large_requests_go_apart),
        cmocka_unit_test(test_E7_without_groups_all_go_at_once),
        cmocka_unit_test(test_B3_a_refusal_is_its_own),
        cmocka_unit_test(test_A2_one_that_always_fails_fails_alone),
        cmocka_unit_test(test_E9_after_what_the_store_goes_through_each_is_tried_alone),
        cmocka_unit_test(test_E11_each_of_a_group_is_told_when_nothing_helps),
        cmocka_unit_test(test_E11_a_deadline_counts_while_another_writes),
        cmocka_unit_test(test_E11_an_heir_that_expires_has_a_successor),
        cmocka_unit_test(test_E11_those_that_expire_pass_the_lead_on),
        cmocka_unit_test(test_E11_one_that_waits_keeps_no_other_waiting),
        cmocka_unit_test(test_E11_callers_that_wait_hold_no_place_for_long),
        cmocka_unit_test(test_E11_each_has_its_own_deadline),
        cmocka_unit_test(test_E11_a_deadline_counts_after_a_group_was_put_off),
        cmocka_unit_test(test_E11_what_has_no_time_left_is_not_put_off),
        cmocka_unit_test(test_E11_a_storm),
        cmocka_unit_test(test_E11_no_caller_is_turned_away),
        cmocka_unit_test(test_E11_what_a_caller_waits_for_has_no_ticket),
        cmocka_unit_test(test_A2_opening_without_memory),
        cmocka_unit_test(test_A3_callers_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
