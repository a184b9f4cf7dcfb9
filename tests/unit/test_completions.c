/*
 * test_completions.c: completion queues on a storage that answers what the test says: each request
 * comes out once, whatever is closed when (A1, A3, A5, E7, E11).
 */
#include "scripted.h"
#include "shared_memory.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64, LINES = 4 };

typedef struct host {
    script script;
    bb_storage_vtable table;
    shared_memory memory;
    bb_storage *storage;
    bb_contacts *contacts;
    bb_completions *completions;
    bb_completion taken[MOST];
    size_t count; /* of those */
} host;

/* ------------------------------------------------------------------------------------ the host */

static void open_with(host *h, const bb_config *options)
{
    bb_config config = *options;

    memset(h, 0, sizeof *h);
    script_init(&h->script);
    shared_init(&h->memory);
    h->table = script_table;
    h->table.write_group = script_write_group;
    for (size_t i = 0; i < MOST; i++)
        bb_completion_init(&h->taken[i]);
    config.allocator = &h->memory.allocator;
    config.timeout_ms = 60000;
    assert_int_equal(bb_storage_new(&h->table, &h->script, &h->memory.allocator, &h->storage, NULL),
                     BB_OK);
    assert_int_equal(bb_contacts_open(h->storage, &config, &h->contacts, NULL), BB_OK);
}

static void open_handle(host *h, uint32_t workers)
{
    bb_config config;

    bb_config_init(&config);
    config.workers = workers;
    open_with(h, &config);
}

static bb_completions *open_queue(host *h, uint32_t max_lines)
{
    bb_completions_options options;
    bb_completions *made = NULL;

    bb_completions_options_init(&options);
    options.max_lines = max_lines;
    assert_int_equal(bb_completions_open(h->contacts, &options, &made, NULL), BB_OK);
    return made;
}

static void open_host(host *h)
{
    open_handle(h, 1);
    h->completions = open_queue(h, 0);
}

static void close_handle(host *h)
{
    bb_contacts_close(h->contacts);
    h->contacts = NULL;
    bb_storage_close(h->storage);
    h->storage = NULL;
}

static void close_queue(host *h)
{
    bb_completions_close(h->completions);
    h->completions = NULL;
}

/* Whatever the test has left open. Everything was given back, results included. */
static void close_host(host *h)
{
    for (size_t i = 0; i < h->count; i++)
        bb_result_free(h->taken[i].result);
    close_queue(h);
    close_handle(h);
    assert_int_equal(h->script.opened, h->script.closed);
    shared_destroy(&h->memory);
    script_destroy(&h->script);
}

static bb_request request_of(const char *body)
{
    static const bb_principal workspace_1 = {.size = sizeof workspace_1, .workspace_id = 1};
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = "42";
    request.chatbot_id_len = 2;
    request.principal = &workspace_1;
    request.body = body;
    request.body_len = strlen(body);
    return request;
}

static const char one[] = "{\"users\":[{\"external_id\":\"one\"}]}";

static uint64_t submit_to(bb_completions *completions, const char *body, uint64_t tag)
{
    bb_request request = request_of(body);
    uint64_t ticket = 0;

    assert_int_equal(bb_completions_submit(completions, &request, tag, &ticket), BB_OK);
    return ticket;
}

static uint64_t submit(host *h, uint64_t tag)
{
    uint64_t ticket = submit_to(h->completions, one, tag);

    assert_true(ticket != 0);
    return ticket;
}

/* A request that the worker does not finish until the script is let go. */
static void hold(host *h, uint64_t tag)
{
    script_hold(&h->script, 1);
    submit(h, tag);
    script_wait_inside(&h->script, 1);
}

static void let_go(host *h)
{
    script_hold(&h->script, 0);
}

/* Takes the next completion, after those that were taken before. */
static bb_completion *take_from(host *h, bb_completions *completions)
{
    bb_completion *next = &h->taken[h->count];
    size_t taken = 0;

    assert_true(h->count < MOST);
    assert_int_equal(bb_completions_take(completions, next, 1, -1, &taken), BB_OK);
    assert_int_equal(taken, 1);
    h->count++;
    return next;
}

static bb_completion *take(host *h)
{
    return take_from(h, h->completions);
}

static void expect_status(const bb_completion *completion, uint64_t tag, int32_t http)
{
    assert_non_null(completion->result);
    assert_true(completion->tag == tag);
    assert_int_equal(bb_result_http_status(completion->result), http);
    assert_int_equal(completion->level, 0);
}

static void expect_code(host *h, int64_t timeout_ms, int32_t code)
{
    size_t taken = 99;

    assert_int_equal(
        bb_completions_take(h->completions, &h->taken[h->count], 1, timeout_ms, &taken), code);
    assert_int_equal(taken, 0);
}

/* ------------------------------------------------------------------------------------- answers */

static void test_A1_every_answer_comes_through_the_queue(void **state)
{
    bb_request request = request_of(one);
    uint64_t ticket = 7;
    host h;

    (void)state;
    open_host(&h);
    submit(&h, 1);
    expect_status(take(&h), 1, 200);
    assert_int_equal(bb_result_outcome(h.taken[0].result, 0), BB_CREATED);
    assert_true(submit_to(h.completions, "[]", UINT64_MAX) != 0); /* told to those who may write */
    expect_status(take(&h), UINT64_MAX, 400);
    assert_int_equal(bb_completions_submit_authorize(h.completions, &request, 0, NULL), BB_OK);
    expect_status(take(&h), 0, 200);
    assert_int_equal(bb_result_entries(h.taken[2].result), 0);
    request.principal = NULL; /* no key either: known at once, and there is no ticket */
    assert_int_equal(bb_completions_submit(h.completions, &request, 4, &ticket), BB_OK);
    assert_int_equal(ticket, 0);
    expect_status(take(&h), 4, 401);
    expect_code(&h, 0, BB_OK);
    close_host(&h);
}

static void test_E11_a_503_of_a_full_queue_comes_through_the_queue(void **state)
{
    uint64_t last = 1;
    host h;

    (void)state;
    open_with(&h, &(bb_config){.size = sizeof(bb_config), .workers = 1, .max_queued = 2});
    h.completions = open_queue(&h, 0);
    hold(&h, 1);
    while (submit_to(h.completions, one, ++last) != 0) /* a ticket: it waits */
        assert_true(last < 4);
    expect_status(take(&h), last, 503);
    let_go(&h);
    for (uint64_t tag = 1; tag < last; tag++)
        expect_status(take(&h), tag, 200);
    close_host(&h);
}

static void test_E11_cancelling_and_expiring(void **state)
{
    bb_request request = request_of(one);
    bb_stats stats;
    uint64_t ticket;
    host h;

    (void)state;
    open_host(&h);
    hold(&h, 1);
    ticket = submit(&h, 2);
    request.timeout_ms = 1;
    assert_int_equal(bb_completions_submit(h.completions, &request, 3, NULL), BB_OK);
    expect_status(take(&h), 3, 503); /* at its deadline, though the worker is busy */
    expect_code(&h, 0, BB_OK);
    assert_int_equal(bb_contacts_cancel(h.contacts, ticket), BB_OK);
    assert_int_equal(bb_contacts_cancel(h.contacts, ticket), BB_ERR_NOT_FOUND);
    expect_status(take(&h), 2, 503);
    let_go(&h);
    expect_status(take(&h), 1, 200);
    bb_stats_init(&stats);
    assert_int_equal(bb_contacts_stats(h.contacts, &stats), BB_OK);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.requests[BB_STATUS_UNAVAILABLE], 2);
    assert_int_equal(stats.requests[BB_STATUS_SUCCESS], 1);
    close_host(&h);
}

static void test_E11_who_has_no_time_does_not_wait(void **state)
{
    host h;

    (void)state;
    open_host(&h);
    expect_code(&h, 0, BB_OK);
    expect_code(&h, BB_TIMEOUT_NONE_LEFT, BB_OK);
    close_host(&h);
}

static void test_E7_many_are_taken_at_once(void **state)
{
    size_t taken = 0;
    host h;

    (void)state;
    open_host(&h);
    hold(&h, 0);
    for (uint64_t tag = 1; tag < 10; tag++)
        submit(&h, tag);
    let_go(&h);
    while (h.count < 10) {
        assert_int_equal(
            bb_completions_take(h.completions, &h.taken[h.count], MOST - h.count, -1, &taken),
            BB_OK);
        assert_in_range(taken, 1, 10 - h.count);
        h.count += taken;
    }
    expect_status(&h.taken[0], 0, 200);
    for (uint64_t tag = 1; tag < 10; tag++)
        expect_status(&h.taken[tag], tag, 200); /* one worker, one contact: in order */
    close_host(&h);
}

static int is_readable(host *h)
{
    struct pollfd watched = {.fd = bb_completions_fd(h->completions), .events = POLLIN};

    return poll(&watched, 1, 0) == 1;
}

static void test_E7_the_descriptor_waits_for_answers(void **state)
{
    struct pollfd watched = {.events = POLLIN};
    host h;

    (void)state;
    open_host(&h);
    watched.fd = bb_completions_fd(h.completions);
    assert_true(watched.fd >= 0);
    hold(&h, 1);
    assert_false(is_readable(&h));
    let_go(&h);
    assert_int_equal(poll(&watched, 1, -1), 1);
    expect_status(take(&h), 1, 200);
    assert_false(is_readable(&h));
    close_host(&h);
}

/* The answers of a group come one after the other, to queues in any order. */
static void test_E7_each_queue_is_woken_for_its_part_of_a_group(void **state)
{
    static const char pattern[] = "aabbabababbbbbaaa";
    bb_completions *other;
    host h;

    (void)state;
    open_host(&h);
    other = open_queue(&h, 0);
    hold(&h, 0);
    for (uint64_t tag = 0; pattern[tag] != '\0'; tag++) {
        char body[60];
        snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%u\"}]}", (unsigned)tag);
        submit_to(pattern[tag] == 'a' ? h.completions : other, body, tag);
    }
    expect_code(&h, 0, BB_OK);
    let_go(&h);
    expect_status(take(&h), 0, 200);
    for (uint64_t tag = 0; pattern[tag] != '\0'; tag++) {
        bb_completions *own = pattern[tag] == 'a' ? h.completions : other;
        struct pollfd watched = {.fd = bb_completions_fd(own), .events = POLLIN};
        assert_int_equal(poll(&watched, 1, -1), 1);
        expect_status(take_from(&h, own), tag, 200);
    }
    assert_int_equal(h.script.groups, 1);
    bb_completions_close(other);
    close_host(&h);
}

static void test_E11_taking_waits_as_long_as_it_is_told(void **state)
{
    int64_t before = bb_deadline_in(0);
    host h;

    (void)state;
    open_host(&h);
    expect_code(&h, 0, BB_OK);
    expect_code(&h, 20, BB_OK);
    assert_true(bb_deadline_in(0) >= before + 20);
    submit(&h, 1);
    h.count = 0;
    assert_int_equal(bb_completions_take(h.completions, h.taken, 1, INT64_MAX, &h.count), BB_OK);
    assert_int_equal(h.count, 1);
    close_host(&h);
}

/* ---------------------------------------------------------------------------- opening, closing */

static void test_E11_the_handle_is_closed_before_all_is_taken(void **state)
{
    bb_request request = request_of(one);
    bb_completions *other;
    uint64_t ticket = 5;
    host h;

    (void)state;
    open_host(&h);
    other = open_queue(&h, 0);
    hold(&h, 1);
    submit(&h, 2);
    submit_to(other, one, 3);
    let_go(&h);
    close_handle(&h); /* waits for the answers, and for nobody who takes them */
    assert_int_equal(bb_completions_submit(h.completions, &request, 9, &ticket), BB_ERR_CLOSED);
    assert_int_equal(bb_completions_submit_authorize(other, &request, 9, NULL), BB_ERR_CLOSED);
    assert_true(is_readable(&h));
    expect_status(take(&h), 1, 200);
    expect_status(take(&h), 2, 200);
    assert_non_null(strstr(bb_result_body(h.taken[1].result, NULL), "\"external_id\":\"one\""));
    expect_code(&h, -1, BB_ERR_CLOSED);
    expect_code(&h, 0, BB_ERR_CLOSED);
    assert_false(is_readable(&h));
    expect_status(take_from(&h, other), 3, 200);
    bb_completions_close(other);
    close_host(&h);
}

static void test_E11_the_queue_is_closed_before_its_requests_are_answered(void **state)
{
    bb_completions *other;
    bb_stats stats;
    host h;

    (void)state;
    open_host(&h);
    other = open_queue(&h, 0);
    hold(&h, 1);
    submit(&h, 2);
    submit_to(other, one, 3);
    close_queue(&h); /* waits for nothing */
    let_go(&h);
    expect_status(take_from(&h, other), 3, 200);
    bb_stats_init(&stats);
    assert_int_equal(bb_contacts_stats(h.contacts, &stats), BB_OK);
    assert_int_equal(stats.requests[BB_STATUS_SUCCESS], 3); /* all were done */
    bb_completions_close(other);
    close_host(&h);
}

static void test_E11_the_queue_is_closed_with_answers_in_it(void **state)
{
    host h;

    (void)state;
    open_host(&h);
    submit(&h, 1);
    submit(&h, 2);
    expect_status(take(&h), 1, 200);
    close_handle(&h);
    close_queue(&h);
    close_host(&h);
}

static void test_E11_opening_and_closing_does_nothing_else(void **state)
{
    host h;

    (void)state;
    open_handle(&h, 1);
    for (size_t i = 0; i < 1000; i++)
        bb_completions_close(open_queue(&h, i % 2 == 0 ? 0 : LINES));
    h.completions = open_queue(&h, LINES);
    close_handle(&h);
    expect_code(&h, -1, BB_ERR_CLOSED);
    close_host(&h);
}

/* A thread that takes and waits for ever. */
typedef struct taker {
    pthread_t thread;
    bb_completions *completions;
    size_t taken;
    int32_t code;
    atomic_int is_started;
} taker;

static void *take_until_closed(void *taker_)
{
    taker *t = taker_;
    bb_completion completion;
    size_t taken = 0;

    bb_completion_init(&completion);
    atomic_store(&t->is_started, 1);
    while ((t->code = bb_completions_take(t->completions, &completion, 1, -1, &taken)) == BB_OK) {
        bb_result_free(completion.result);
        t->taken += taken;
    }
    return NULL;
}

enum { TAKERS = 4 };

static void start_takers(host *h, taker *takers)
{
    for (size_t i = 0; i < TAKERS; i++) {
        takers[i] = (taker){.completions = h->completions};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_until_closed, &takers[i]), 0);
    }
    for (size_t i = 0; i < TAKERS; i++) {
        while (!atomic_load(&takers[i].is_started))
            sched_yield();
    }
}

static size_t join_takers(taker *takers)
{
    size_t taken = 0;

    for (size_t i = 0; i < TAKERS; i++) {
        pthread_join(takers[i].thread, NULL);
        assert_int_equal(takers[i].code, BB_ERR_CLOSED);
        taken += takers[i].taken;
    }
    return taken;
}

static void test_E11_who_waits_is_told_when_the_handle_is_closed(void **state)
{
    taker takers[TAKERS];
    host h;

    (void)state;
    open_host(&h);
    start_takers(&h, takers);
    hold(&h, 1);
    for (uint64_t tag = 2; tag <= 20; tag++)
        submit(&h, tag);
    let_go(&h);
    close_handle(&h);
    assert_int_equal(join_takers(takers), 20);
    close_host(&h);
}

/* They may also be about to wait, or come back later: the queue stays until it is closed. */
static void test_E11_who_takes_is_told_when_the_queue_is_stopped(void **state)
{
    bb_request request = request_of(one);
    taker takers[TAKERS];
    bb_stats stats;
    host h;

    (void)state;
    open_host(&h);
    start_takers(&h, takers);
    hold(&h, 1);
    submit(&h, 2);
    bb_completions_stop(h.completions);
    assert_int_equal(join_takers(takers), 0);
    expect_code(&h, -1, BB_ERR_CLOSED);
    assert_int_equal(bb_completions_submit(h.completions, &request, 3, NULL), BB_ERR_CLOSED);
    let_go(&h);
    bb_stats_init(&stats);
    while (stats.requests[BB_STATUS_SUCCESS] < 2) /* done all the same */
        assert_int_equal(bb_contacts_stats(h.contacts, &stats), BB_OK);
    bb_completions_stop(NULL);
    close_host(&h);
}

static void test_E11_who_waits_is_told_when_the_queue_is_closed(void **state)
{
    taker takers[TAKERS];
    host h;

    (void)state;
    open_host(&h);
    hold(&h, 1);
    start_takers(&h, takers);
    close_queue(&h);
    assert_int_equal(join_takers(takers), 0);
    let_go(&h);
    close_host(&h);
}

/* -------------------------------------------------------------------------------- many threads */

enum { SUBMITTERS = 4, EACH = 300, ALL = SUBMITTERS * EACH };

typedef struct submitter {
    pthread_t thread;
    host *host;
    size_t first_tag;
    size_t submitted;
} submitter;

/* Submits, and cancels every second request, until all is done or the handle is closed. */
static void *submit_and_cancel(void *submitter_)
{
    submitter *s = submitter_;
    bb_request request = request_of(one);

    for (; s->submitted < EACH; s->submitted++) {
        uint64_t ticket = 0;
        int32_t code = bb_completions_submit(s->host->completions, &request,
                                             s->first_tag + s->submitted, &ticket);
        if (code == BB_ERR_CLOSED)
            break;
        assert_int_equal(code, BB_OK);
        if (s->submitted % 2 == 0)
            bb_contacts_cancel(s->host->contacts, ticket);
    }
    return NULL;
}

static void *only_submit(void *submitter_)
{
    submitter *s = submitter_;
    bb_request request = request_of(one);

    while (bb_completions_submit(s->host->completions, &request, s->first_tag + s->submitted,
                                 NULL) == BB_OK)
        s->submitted++;
    return NULL;
}

static void start_submitters(host *h, submitter *submitters, void *(*run)(void *))
{
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){.host = h, .first_tag = i * EACH};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, run, &submitters[i]), 0);
    }
}

static size_t join_submitters(submitter *submitters)
{
    size_t submitted = 0;

    for (size_t i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i].thread, NULL);
        submitted += submitters[i].submitted;
    }
    return submitted;
}

/* Takes so many, and checks that none comes twice. */
static void take_each_once(host *h, size_t count)
{
    unsigned char *seen = must_alloc(ALL);

    memset(seen, 0, ALL);
    for (size_t i = 0; i < count; i++) {
        const bb_completion *completion;
        h->count = 0;
        completion = take(h);
        assert_true(completion->tag < ALL);
        assert_int_equal(seen[completion->tag]++, 0);
        assert_true(bb_result_http_status(completion->result) == 200 ||
                    bb_result_http_status(completion->result) == 503);
        bb_result_free(completion->result);
    }
    h->count = 0;
    free(seen);
}

static void test_E11_cancelling_races_with_answers(void **state)
{
    submitter submitters[SUBMITTERS];
    host h;

    (void)state;
    open_host(&h);
    start_submitters(&h, submitters, submit_and_cancel);
    take_each_once(&h, ALL);
    assert_int_equal(join_submitters(submitters), ALL);
    expect_code(&h, 0, BB_OK);
    close_host(&h);
}

static void test_E11_closing_the_handle_races_with_submitting(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        submitter submitters[SUBMITTERS];
        taker takers[TAKERS];
        host h;
        open_host(&h);
        start_takers(&h, takers);
        start_submitters(&h, submitters, only_submit);
        submit_to(h.completions, one, 1);
        close_handle(&h);
        assert_int_equal(join_takers(takers), 1 + join_submitters(submitters));
        close_host(&h);
    }
}

/* ----------------------------------------------------------------------------------- log lines */

static void test_A5_log_lines_come_through_each_queue_that_takes_them(void **state)
{
    static const int32_t once[] = {BB_ERR_INTERNAL};
    bb_completions *deaf;
    bb_completions *other;
    host h;

    (void)state;
    open_handle(&h, 1);
    h.completions = open_queue(&h, LINES);
    other = open_queue(&h, LINES);
    deaf = open_queue(&h, 0);
    h.script.message = "the store says no";
    script_answers(&h.script, once, 1);
    submit_to(deaf, one, 1);
    expect_status(take_from(&h, deaf), 1, 500);
    for (size_t i = 0; i < 2; i++) {
        const bb_completion *line = take_from(&h, i == 0 ? h.completions : other);
        assert_null(line->result);
        assert_int_equal(line->level, BB_LOG_ERROR);
        assert_int_equal(line->line_len, strlen(line->line));
        assert_non_null(strstr(line->line, "the store says no"));
        assert_int_equal(line->lines_dropped, 0);
    }
    bb_completions_close(deaf);
    bb_completions_close(other);
    close_host(&h);
}

static void test_A5_more_lines_than_are_kept(void **state)
{
    bb_completions *answers;
    host h;

    (void)state;
    open_handle(&h, 1);
    h.completions = open_queue(&h, LINES);
    answers = open_queue(&h, 0);
    h.script.always = BB_ERR_INTERNAL;
    h.script.message = "no";
    for (uint64_t tag = 1; tag <= LINES + 3; tag++) {
        submit_to(answers, one, tag);
        expect_status(take_from(&h, answers), tag, 500);
    }
    for (size_t i = 0; i < LINES; i++)
        assert_int_equal(take(&h)->lines_dropped, 3);
    expect_code(&h, 0, BB_OK);
    submit_to(answers, one, 99); /* there is room again */
    expect_status(take_from(&h, answers), 99, 500);
    assert_non_null(strstr(take(&h)->line, "no"));
    bb_completions_close(answers);
    close_host(&h);
}

/* -------------------------------------------------------------------------------------- misuse */

static void test_A3_misuse_is_told_at_once(void **state)
{
    bb_request request = request_of(one);
    bb_completions_options options;
    bb_completions *refused = (bb_completions *)&options;
    size_t taken = 99;
    bb_error error;
    host h;

    (void)state;
    open_host(&h);
    bb_error_init(&error);
    assert_int_equal(bb_completions_open(NULL, NULL, &refused, &error), BB_ERR_ARGUMENT);
    assert_null(refused);
    assert_string_equal(error.message, "no handle");
    assert_int_equal(bb_completions_open(h.contacts, NULL, NULL, NULL), BB_ERR_ARGUMENT);
    bb_completions_options_init(&options);
    options.max_lines = 65537;
    assert_int_equal(bb_completions_open(h.contacts, &options, &refused, NULL), BB_ERR_ARGUMENT);
    bb_completions_options_init(&options);
    options.size = 1;
    assert_int_equal(bb_completions_open(h.contacts, &options, &refused, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_completions_submit(NULL, &request, 1, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_completions_submit(h.completions, NULL, 1, NULL), BB_ERR_ARGUMENT);
    request.size = 1;
    assert_int_equal(bb_completions_submit(h.completions, &request, 1, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_completions_submit_authorize(h.completions, &request, 1, NULL),
                     BB_ERR_ARGUMENT);
    assert_int_equal(bb_completions_fd(NULL), -1);
    assert_int_equal(bb_completions_take(NULL, h.taken, 1, 0, &taken), BB_ERR_ARGUMENT);
    assert_int_equal(taken, 0);
    assert_int_equal(bb_completions_take(h.completions, NULL, 1, 0, &taken), BB_ERR_ARGUMENT);
    assert_int_equal(bb_completions_take(h.completions, h.taken, 0, 0, &taken), BB_ERR_ARGUMENT);
    assert_int_equal(bb_completions_take(h.completions, h.taken, 1, 0, NULL), BB_ERR_ARGUMENT);
    h.taken[0].size = 1;
    assert_int_equal(bb_completions_take(h.completions, h.taken, 1, 0, &taken), BB_ERR_ARGUMENT);
    bb_completion_init(&h.taken[0]);
    expect_code(&h, 0, BB_OK); /* none of these left anything */
    bb_completions_close(NULL);
    close_host(&h);
}

static void test_A3_a_handle_without_workers_has_no_queues(void **state)
{
    bb_completions *refused = NULL;
    bb_error error;
    host h;

    (void)state;
    open_handle(&h, 0);
    bb_error_init(&error);
    assert_int_equal(bb_completions_open(h.contacts, NULL, &refused, &error), BB_ERR_ARGUMENT);
    assert_string_equal(error.message, "the handle has no workers");
    close_host(&h);
}

/* -------------------------------------------------------------------------------------- memory */

static void test_A3_opening_without_memory(void **state)
{
    int32_t code = BB_ERR_NOMEM;
    bb_completions_options options;
    host h;

    (void)state;
    open_handle(&h, 1);
    bb_completions_options_init(&options);
    options.max_lines = LINES;
    for (size_t n = 1; code != BB_OK; n++) {
        shared_fail(&h.memory, n, 0);
        code = bb_completions_open(h.contacts, &options, &h.completions, NULL);
        shared_fail(&h.memory, 0, 0);
        assert_true(code == (n <= 3 ? BB_ERR_NOMEM : BB_OK));
        assert_true((h.completions != NULL) == (code == BB_OK));
    }
    close_host(&h);
}

/* With the n-th allocation failing, once or with all later ones: either nothing was submitted, or
 * the answer comes, whatever it is. */
static void test_A3_what_is_submitted_is_answered_without_memory(void **state)
{
    bb_request request = request_of(one);
    host h;

    (void)state;
    open_host(&h);
    for (int after = 0; after < 2; after++) {
        size_t failures = 0;
        int32_t status = 0;
        for (size_t n = 1; status != 200; n++) {
            int32_t code;
            h.count = 0;
            shared_fail(&h.memory, n, after);
            code = bb_completions_submit(h.completions, &request, n, NULL);
            if (code == BB_OK) {
                status = bb_result_http_status(take(&h)->result);
                assert_true(h.taken[0].tag == n);
            }
            shared_fail(&h.memory, 0, 0);
            assert_true(code == BB_OK || code == BB_ERR_NOMEM);
            assert_true(code == BB_ERR_NOMEM || status == 200 || status == 500 || status == 503);
            failures += code != BB_OK || status != 200;
            if (code == BB_OK)
                bb_result_free(h.taken[0].result);
        }
        assert_true(failures > 3);
    }
    h.count = 0;
    close_host(&h);
}

/* ---------------------------------------------------------------------------------------- fork */

/* Each of these ends the child with a status of its own. */
#define EXPECT(number, condition) \
    do {                          \
        if (!(condition))         \
            _exit(number);        \
    } while (0)

_Noreturn static void use_in_child(host *h)
{
    bb_request request = request_of(one);
    bb_completions *refused = NULL;
    size_t taken = 0;

    EXPECT(1, bb_completions_submit(h->completions, &request, 1, NULL) == BB_ERR_ARGUMENT);
    EXPECT(2,
           bb_completions_submit_authorize(h->completions, &request, 1, NULL) == BB_ERR_ARGUMENT);
    EXPECT(3, bb_completions_take(h->completions, h->taken, 1, -1, &taken) == BB_ERR_ARGUMENT);
    EXPECT(4, bb_completions_fd(h->completions) == -1);
    EXPECT(5, bb_completions_open(h->contacts, NULL, &refused, NULL) == BB_ERR_ARGUMENT);
    bb_completions_close(h->completions);
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    _exit(0);
}

static void test_E7_a_child_of_fork_uses_nothing(void **state)
{
    int status = -1;
    pid_t child;
    host h;

    (void)state;
    open_handle(&h, 1);
    h.completions = open_queue(&h, LINES);
    hold(&h, 1); /* so that nobody is in the allocator */
    assert_true(bb_completions_fd(h.completions) >= 0);
    child = fork();
    if (child == 0)
        use_in_child(&h);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(is_readable(&h));
    let_go(&h);
    expect_status(take(&h), 1, 200);
    close_host(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A1_every_answer_comes_through_the_queue),
        cmocka_unit_test(test_E11_a_503_of_a_full_queue_comes_through_the_queue),
        cmocka_unit_test(test_E11_cancelling_and_expiring),
        cmocka_unit_test(test_E11_who_has_no_time_does_not_wait),
        cmocka_unit_test(test_E7_many_are_taken_at_once),
        cmocka_unit_test(test_E7_the_descriptor_waits_for_answers),
        cmocka_unit_test(test_E7_each_queue_is_woken_for_its_part_of_a_group),
        cmocka_unit_test(test_E11_taking_waits_as_long_as_it_is_told),
        cmocka_unit_test(test_E11_the_handle_is_closed_before_all_is_taken),
        cmocka_unit_test(test_E11_the_queue_is_closed_before_its_requests_are_answered),
        cmocka_unit_test(test_E11_the_queue_is_closed_with_answers_in_it),
        cmocka_unit_test(test_E11_opening_and_closing_does_nothing_else),
        cmocka_unit_test(test_E11_who_waits_is_told_when_the_handle_is_closed),
        cmocka_unit_test(test_E11_who_takes_is_told_when_the_queue_is_stopped),
        cmocka_unit_test(test_E11_who_waits_is_told_when_the_queue_is_closed),
        cmocka_unit_test(test_E11_cancelling_races_with_answers),
        cmocka_unit_test(test_E11_closing_the_handle_races_with_submitting),
        cmocka_unit_test(test_A5_log_lines_come_through_each_queue_that_takes_them),
        cmocka_unit_test(test_A5_more_lines_than_are_kept),
        cmocka_unit_test(test_A3_misuse_is_told_at_once),
        cmocka_unit_test(test_A3_a_handle_without_workers_has_no_queues),
        cmocka_unit_test(test_A3_opening_without_memory),
        cmocka_unit_test(test_A3_what_is_submitted_is_answered_without_memory),
        cmocka_unit_test(test_E7_a_child_of_fork_uses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
