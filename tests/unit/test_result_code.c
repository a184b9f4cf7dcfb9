/*
 * test_result_code.c: why a request has failed, as callers are told (E11), and all of a result in
 * one call.
 */
#include "scripted.h"

#include <semaphore.h>

#include "request/response.h"

#define KEY "oc_live_0123456789abcdef"

typedef struct host {
    script script;
    kept_log log;
    bb_storage *storage;
    bb_contacts *contacts;
} host;

static bb_config config_of(host *h, uint32_t workers)
{
    bb_config config;

    bb_config_init(&config);
    config.log = keep_line;
    config.log_ctx = &h->log;
    config.timeout_ms = 60000;
    config.workers = workers;
    return config;
}

static void open_with(host *h, const bb_config *config)
{
    assert_int_equal(bb_storage_new(&script_table, &h->script, NULL, &h->storage, NULL), BB_OK);
    assert_int_equal(bb_contacts_open(h->storage, config, &h->contacts, NULL), BB_OK);
}

static void open_host(host *h, uint32_t workers)
{
    bb_config config = config_of(h, workers);

    memset(h, 0, sizeof *h);
    script_init(&h->script);
    open_with(h, &config);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    script_destroy(&h->script);
    free(h->log.lines.data);
}

static bb_request request_with(const char *body)
{
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = "42";
    request.chatbot_id_len = 2;
    request.authorization = "Bearer " KEY;
    request.authorization_len = strlen(request.authorization);
    request.body = body;
    request.body_len = strlen(body);
    return request;
}

static const char two_users[] = "{\"users\":[{\"external_id\":\"b\"},{\"external_id\":\"a\"}]}";

/* Frees a result, after a check of what it says. */
static void expect(bb_result *result, int32_t http, int32_t code)
{
    if (bb_result_http_status(result) != http || bb_result_code(result) != code)
        fail_msg("%d, %s", bb_result_http_status(result), bb_code_name(bb_result_code(result)));
    bb_result_free(result);
}

static bb_result *send(host *h, int64_t timeout_ms)
{
    bb_request request = request_with(two_users);

    request.timeout_ms = timeout_ms;
    return bb_contacts_upsert(h->contacts, &request);
}

static bb_result *authorize(host *h, int64_t timeout_ms)
{
    bb_request request = request_with("");

    request.timeout_ms = timeout_ms;
    return bb_contacts_authorize(h->contacts, &request);
}

/* ------------------------------------------------------------------------------- plain results */

static const struct {
    int32_t code;
    int32_t http;
} faults[] = {
    {BB_ERR_ARGUMENT, 500}, {BB_ERR_NOMEM, 500},         {BB_ERR_UNAVAILABLE, 503},
    {BB_ERR_SCHEMA, 500},   {BB_ERR_UNSUPPORTED, 500},   {BB_ERR_INTERNAL, 500},
    {BB_ERR_DEADLINE, 503}, {BB_ERR_CANCELLED, 503},     {BB_ERR_QUEUE_FULL, 503},
    {BB_ERR_CLOSED, 503},   {BB_ERR_OTHER_PROCESS, 500},
};

static void test_E11_every_fault_has_a_result_that_takes_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        bb_result *result = bb_response_plain(BB_FAULT(faults[i].code));
        for (int times = 0; times < 2; times++) /* static: freeing leaves it alone */
            expect(result, faults[i].http, faults[i].code);
        assert_string_equal(bb_result_body(result, NULL),
                            faults[i].http == 503 ? "{\"message\":\"Service unavailable\"}"
                                                  : "{\"message\":\"Internal server error\"}");
    }
}

static void test_E11_what_is_no_fault_counts_as_unexpected(void **state)
{
    static const int32_t codes[] = {BB_ERR_UNKNOWN_KEY,
                                    BB_ERR_NOT_FOUND,
                                    BB_ERR_CONFLICT,
                                    BB_ERR_BUSY,
                                    BB_ERR_RETRY,
                                    BB_ERR_LOST,
                                    99,
                                    INT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        expect(bb_response_plain(BB_FAULT(codes[i])), 500, BB_ERR_INTERNAL);
    expect(bb_response_plain(INT32_MIN), 500, BB_ERR_INTERNAL);
}

static void test_A3_every_status_has_a_code(void **state)
{
    static const int32_t codes[] = {
        [BB_STATUS_SUCCESS] = BB_OK,
        [BB_STATUS_INVALID_DATA] = BB_ERR_ARGUMENT,
        [BB_STATUS_TOO_MANY_CONTACTS] = BB_ERR_ARGUMENT,
        [BB_STATUS_NO_KEY] = BB_ERR_UNKNOWN_KEY,
        [BB_STATUS_INVALID_KEY] = BB_ERR_UNKNOWN_KEY,
        [BB_STATUS_NOT_FOUND] = BB_ERR_NOT_FOUND,
        [BB_STATUS_CONFLICT] = BB_ERR_CONFLICT,
        [BB_STATUS_PAYLOAD_TOO_LARGE] = BB_ERR_ARGUMENT,
        [BB_STATUS_INTERNAL_ERROR] = BB_ERR_INTERNAL,
        [BB_STATUS_UNAVAILABLE] = BB_ERR_UNAVAILABLE,
    };

    (void)state;
    for (int32_t status = 0; status < (int32_t)COUNT_OF(codes); status++)
        assert_int_equal(bb_result_code(bb_response_plain(status)), codes[status]);
    assert_int_equal(bb_result_code(NULL), BB_ERR_INTERNAL);
}

/* ------------------------------------------------------------------------- what the store says */

static const struct {
    int32_t said;
    int32_t http;
    int32_t code;
} answers[] = {
    {BB_ERR_UNKNOWN_KEY, 401, BB_ERR_UNKNOWN_KEY},
    {BB_ERR_NOT_FOUND, 404, BB_ERR_NOT_FOUND},
    {BB_ERR_CONFLICT, 409, BB_ERR_CONFLICT},
    {BB_ERR_BUSY, 503, BB_ERR_DEADLINE},
    {BB_ERR_UNAVAILABLE, 503, BB_ERR_UNAVAILABLE},
    {BB_ERR_NOMEM, 500, BB_ERR_NOMEM},
    {BB_ERR_SCHEMA, 500, BB_ERR_SCHEMA},
    {BB_ERR_UNSUPPORTED, 500, BB_ERR_UNSUPPORTED},
    {BB_ERR_INTERNAL, 500, BB_ERR_INTERNAL},
    {BB_ERR_ARGUMENT, 500, BB_ERR_INTERNAL},  /* not the host's mistake */
    {BB_ERR_CANCELLED, 500, BB_ERR_INTERNAL}, /* not for a backend to say */
    {BB_ERR_OTHER_PROCESS, 500, BB_ERR_INTERNAL},
    {99, 500, BB_ERR_INTERNAL},
    {-1, 500, BB_ERR_INTERNAL},
};

static void test_E11_what_the_store_says_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        host h;
        open_host(&h, 0);
        script_answers(&h.script, &answers[i].said, 1);
        expect(send(&h, 0), answers[i].http, answers[i].code);
        script_answers(&h.script, &answers[i].said, 1);
        expect(authorize(&h, 0), answers[i].http, answers[i].code);
        expect(send(&h, 0), 200, BB_OK);
        close_host(&h);
    }
}

static void test_E11_no_session_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        host h;
        open_host(&h, 0);
        h.script.open_codes[0] = answers[i].said;
        expect(send(&h, 0), answers[i].http, answers[i].code);
        close_host(&h);
    }
}

/* Sends until the store has been called, with more time after each run in which a slow machine had
 * none left for that. */
static bb_result *send_to_store(host *h)
{
    int64_t ms = 50;
    bb_result *result;

    h->script.calls = 0;
    for (;;) {
        result = send(h, ms);
        if (h->script.calls > 0 || ms > 30000)
            return result;
        bb_result_free(result);
        ms *= 2;
    }
}

static void test_E11_tried_until_the_deadline(void **state)
{
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.always = BB_ERR_RETRY;
    expect(send_to_store(&h), 503, BB_ERR_DEADLINE);
    h.script.always = BB_ERR_LOST;
    expect(send_to_store(&h), 503, BB_ERR_UNAVAILABLE);
    close_host(&h);
}

/* The pool waits for such a store, within the request's time; it is not there at its end either. */
static void test_E11_a_store_that_goes_away_and_stays_away(void **state)
{
    host h;

    (void)state;
    open_host(&h, 0);
    expect(send(&h, 0), 200, BB_OK);
    h.script.always = BB_ERR_LOST;
    h.script.open_always = BB_ERR_UNAVAILABLE;
    expect(send_to_store(&h), 503, BB_ERR_UNAVAILABLE);
    close_host(&h);
}

/* -------------------------------------------------------------------------------- no time left */

static void test_E11_no_time_left_asks_no_store(void **state)
{
    bb_request request = request_with(two_users);
    host h;

    (void)state;
    open_host(&h, 0);
    expect(send(&h, BB_TIMEOUT_NONE_LEFT), 503, BB_ERR_DEADLINE);
    expect(authorize(&h, BB_TIMEOUT_NONE_LEFT), 503, BB_ERR_DEADLINE);
    assert_int_equal(h.script.opens, 0);
    assert_int_equal(h.log.count, 2);
    assert_non_null(strstr(h.log.lines.data, "request refused: scripted: no time is left\n"));
    request.timeout_ms = BB_TIMEOUT_NONE_LEFT;
    request.authorization = NULL;
    expect(bb_contacts_upsert(h.contacts, &request), 401, BB_ERR_UNKNOWN_KEY); /* known before */
    close_host(&h);
}

/* As programs of version 0.1 were told. */
static void test_E11_other_timeouts_below_0_are_the_handles(void **state)
{
    static const int64_t timeouts[] = {0,        -1, -1000, INT32_MIN + 1, INT64_C(-1) + INT32_MIN,
                                       INT64_MIN};
    host h;

    (void)state;
    open_host(&h, 0);
    for (size_t i = 0; i < COUNT_OF(timeouts); i++) {
        expect(send(&h, timeouts[i]), 200, BB_OK);
        assert_in_range(bb_deadline_left(h.script.access.deadline), 1, 60000);
    }
    close_host(&h);
}

static void test_E11_administration_without_time(void **state)
{
    bb_error error;
    host h;

    (void)state;
    open_host(&h, 0);
    bb_error_init(&error);
    assert_int_equal(bb_storage_migrate(h.storage, BB_TIMEOUT_NONE_LEFT, &error), BB_ERR_BUSY);
    assert_int_equal(error.code, BB_ERR_BUSY);
    assert_int_equal(h.script.opens, 0);
    assert_int_equal(bb_storage_migrate(h.storage, -1, &error), BB_OK);
    close_host(&h);
}

/* ------------------------------------------------------------------------------------- workers */

/* A submitted request's answer. */
typedef struct answer {
    sem_t is_there;
    bb_result *result;
} answer;

static void unexpected(void *ctx, bb_result *result)
{
    (void)ctx;
    bb_result_free(result);
    fail();
}

static void forget(void *ctx, bb_result *result)
{
    (void)ctx;
    bb_result_free(result);
}

static void done(void *ctx, bb_result *result)
{
    answer *a = ctx;

    a->result = result;
    sem_post(&a->is_there);
}

static void init_answer(answer *a)
{
    memset(a, 0, sizeof *a);
    assert_int_equal(sem_init(&a->is_there, 0, 0), 0);
}

static void submit(host *h, answer *a, int64_t timeout_ms, uint64_t *ticket)
{
    bb_request request = request_with(two_users);
    bb_result *result;

    init_answer(a);
    request.timeout_ms = timeout_ms;
    result = bb_contacts_submit(h->contacts, &request, done, a, ticket);
    if (result != NULL) /* its time was over already */
        done(a, result);
}

static void expect_answer(answer *a, int32_t http, int32_t code)
{
    while (sem_wait(&a->is_there) != 0)
        continue;
    sem_destroy(&a->is_there);
    expect(a->result, http, code);
}

static void test_E11_the_queue_tells_why(void **state)
{
    bb_request request = request_with(two_users);
    bb_config config;
    answer sent[3];
    uint64_t ticket;
    host h;

    (void)state;
    memset(&h, 0, sizeof h);
    script_init(&h.script);
    config = config_of(&h, 1);
    config.max_queued = 4; /* a chatbot's half */
    open_with(&h, &config);
    script_hold(&h.script, 1);
    submit(&h, &sent[0], 0, NULL);
    script_wait_inside(&h.script, 1);
    submit(&h, &sent[1], 20, NULL);
    submit(&h, &sent[2], 0, &ticket);
    expect(bb_contacts_submit(h.contacts, &request, unexpected, NULL, NULL), 503,
           BB_ERR_QUEUE_FULL);
    expect(bb_contacts_upsert(h.contacts, &request), 503, BB_ERR_QUEUE_FULL);
    expect_answer(&sent[1], 503, BB_ERR_DEADLINE); /* though the worker is held */
    assert_int_equal(bb_contacts_cancel(h.contacts, ticket), BB_OK);
    expect_answer(&sent[2], 503, BB_ERR_CANCELLED);
    expect(send(&h, 20), 503, BB_ERR_DEADLINE); /* a caller that waits */
    request.timeout_ms = BB_TIMEOUT_NONE_LEFT;
    expect(bb_contacts_submit(h.contacts, &request, unexpected, NULL, NULL), 503, BB_ERR_DEADLINE);
    script_hold(&h.script, 0);
    expect_answer(&sent[0], 200, BB_OK);
    close_host(&h);
}

/* Lets go of the store once a request is refused because the handle is being closed. */
static void *submit_until_closed(void *ctx)
{
    bb_request request = request_with(two_users);
    host *h = ctx;
    bb_result *result = NULL;

    while (result == NULL) {
        uint64_t ticket;
        result = bb_contacts_submit(h->contacts, &request, forget, NULL, &ticket);
        if (result == NULL)
            bb_contacts_cancel(h->contacts, ticket);
    }
    script_hold(&h->script, 0);
    return result;
}

static void test_E11_a_handle_that_is_being_closed_says_so(void **state)
{
    pthread_t thread;
    void *refusal;
    answer sent;
    host h;

    (void)state;
    open_host(&h, 1);
    script_hold(&h.script, 1);
    submit(&h, &sent, 0, NULL);
    script_wait_inside(&h.script, 1);
    assert_int_equal(pthread_create(&thread, NULL, submit_until_closed, &h), 0);
    bb_contacts_close(h.contacts);
    h.contacts = NULL;
    pthread_join(thread, &refusal);
    expect(refusal, 503, BB_ERR_CLOSED);
    expect_answer(&sent, 200, BB_OK);
    close_host(&h);
}

/* ------------------------------------------------------------------------- the host's mistakes */

static void test_E11_the_hosts_mistakes_are_told(void **state)
{
    bb_request request = request_with(two_users);
    bb_request unknown = request;
    bb_principal principal;
    host h;

    (void)state;
    open_host(&h, 0);
    unknown.size = 3;
    expect(bb_contacts_upsert(NULL, &request), 500, BB_ERR_ARGUMENT);
    expect(bb_contacts_upsert(h.contacts, NULL), 500, BB_ERR_ARGUMENT);
    expect(bb_contacts_upsert(h.contacts, &unknown), 500, BB_ERR_ARGUMENT);
    expect(bb_contacts_authorize(h.contacts, &unknown), 500, BB_ERR_ARGUMENT);
    bb_principal_init(&principal);
    principal.size = 3;
    request.principal = &principal;
    expect(bb_contacts_upsert(h.contacts, &request), 500, BB_ERR_ARGUMENT);
    request.principal = NULL;
    expect(bb_contacts_submit(h.contacts, &request, unexpected, NULL, NULL), 500,
           BB_ERR_ARGUMENT); /* no workers */
    close_host(&h);
}

static void test_E11_out_of_memory_is_told(void **state)
{
    size_t failed = 0;

    (void)state;
    for (;;) {
        bb_request request = request_with(two_users);
        unit_memory memory;
        bb_config config;
        bb_result *result;
        int32_t code;
        host h;
        memset(&h, 0, sizeof h);
        script_init(&h.script);
        unit_memory_init(&memory);
        config = config_of(&h, 0);
        config.allocator = &memory.allocator;
        open_with(&h, &config);
        unit_memory_fail(&memory, failed + 1, 1);
        result = bb_contacts_upsert(h.contacts, &request);
        code = bb_result_code(result);
        expect(result, code == BB_OK ? 200 : 500, code == BB_OK ? BB_OK : BB_ERR_NOMEM);
        close_host(&h);
        unit_memory_check(&memory);
        if (code == BB_OK)
            break;
        failed++;
    }
    assert_true(failed > 3);
}

/* ---------------------------------------------------------------------------------- in one call */

static void test_E6_a_view_has_all_of_a_result(void **state)
{
    bb_result_view view;
    bb_result *result;
    host h;

    (void)state;
    open_host(&h, 0);
    result = send(&h, 0);
    bb_result_view_init(&view);
    assert_int_equal(bb_result_read(result, &view), BB_OK);
    assert_int_equal(view.size, sizeof view);
    assert_int_equal(view.code, BB_OK);
    assert_int_equal(view.status, BB_STATUS_SUCCESS);
    assert_int_equal(view.http_status, 200);
    assert_ptr_equal(view.body, bb_result_body(result, NULL));
    assert_int_equal(view.body_len, strlen(view.body));
    assert_int_equal(view.entries, 2);
    for (size_t i = 0; i < view.entries; i++)
        assert_int_equal(view.outcomes[i], bb_result_outcome(result, i));
    assert_int_equal(view.created, 2);
    assert_int_equal(view.updated, 0);
    assert_int_equal(view.unchanged, 0);
    bb_result_free(result);
    close_host(&h);
}

static void test_E11_a_view_of_no_success_and_of_no_result(void **state)
{
    bb_result_view view;

    (void)state;
    bb_result_view_init(&view);
    assert_int_equal(bb_result_read(bb_response_plain(BB_FAULT(BB_ERR_CANCELLED)), &view), BB_OK);
    assert_int_equal(view.code, BB_ERR_CANCELLED);
    assert_int_equal(view.http_status, 503);
    assert_string_equal(view.body, "{\"message\":\"Service unavailable\"}");
    assert_null(view.outcomes);
    assert_int_equal(view.entries, 0);
    assert_int_equal(bb_result_read(NULL, &view), BB_OK);
    assert_int_equal(view.http_status, 500);
    assert_int_equal(view.code, BB_ERR_INTERNAL);
    assert_int_equal(view.body_len, strlen(view.body));
    assert_int_equal(bb_result_read(NULL, NULL), BB_ERR_ARGUMENT);
    view.size = 8;
    assert_int_equal(bb_result_read(NULL, &view), BB_ERR_ARGUMENT);
}

static void test_E11_many_results_are_freed_at_once(void **state)
{
    bb_result *results[3];
    host h;

    (void)state;
    open_host(&h, 0);
    results[0] = send(&h, 0);
    results[1] = NULL;
    results[2] = send(&h, 0);
    bb_results_free(results, COUNT_OF(results)); /* the leak checkers know whether it did */
    bb_results_free(results, 0);
    bb_results_free(NULL, 3);
    close_host(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E11_every_fault_has_a_result_that_takes_no_memory),
        cmocka_unit_test(test_E11_what_is_no_fault_counts_as_unexpected),
        cmocka_unit_test(test_A3_every_status_has_a_code),
        cmocka_unit_test(test_E11_what_the_store_says_is_told),
        cmocka_unit_test(test_E11_no_session_is_told),
        cmocka_unit_test(test_E11_tried_until_the_deadline),
        cmocka_unit_test(test_E11_a_store_that_goes_away_and_stays_away),
        cmocka_unit_test(test_E11_no_time_left_asks_no_store),
        cmocka_unit_test(test_E11_other_timeouts_below_0_are_the_handles),
        cmocka_unit_test(test_E11_administration_without_time),
        cmocka_unit_test(test_E11_the_queue_tells_why),
        cmocka_unit_test(test_E11_a_handle_that_is_being_closed_says_so),
        cmocka_unit_test(test_E11_the_hosts_mistakes_are_told),
        cmocka_unit_test(test_E11_out_of_memory_is_told),
        cmocka_unit_test(test_E6_a_view_has_all_of_a_result),
        cmocka_unit_test(test_E11_a_view_of_no_success_and_of_no_result),
        cmocka_unit_test(test_E11_many_results_are_freed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
