/*
 * test_execute.c: requests against a storage that answers what the test says (A1, A5, E9, E11).
 */
#include "scripted.h"

#include "api/handle.h"
#include "execute/retry.h"
#include "util/clock.h"

#define KEY "oc_live_0123456789abcdef"

typedef struct host {
    script script;
    unit_memory memory;
    kept_log log;
    bb_storage *storage;
    bb_contacts *contacts;
} host;

static int64_t fixed_clock(void *ctx)
{
    (void)ctx;
    return INT64_C(1700000000123456);
}

static void open_host(host *h, uint32_t max_sessions)
{
    bb_config config;

    memset(h, 0, sizeof *h);
    script_init(&h->script);
    unit_memory_init(&h->memory);
    assert_int_equal(
        bb_storage_new(&script_table, &h->script, &h->memory.allocator, &h->storage, NULL), BB_OK);
    bb_config_init(&config);
    config.allocator = &h->memory.allocator;
    config.clock = fixed_clock;
    config.log = keep_line;
    config.log_ctx = &h->log;
    config.max_sessions = max_sessions;
    config.timeout_ms = 60000;
    assert_int_equal(bb_contacts_open(h->storage, &config, &h->contacts, NULL), BB_OK);
    assert_int_equal(h->script.opens, 0);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    assert_int_equal(h->script.closed, h->script.opened);
    bb_storage_close(h->storage);
    assert_int_equal(h->script.store_closed, 1);
    assert_int_equal(h->script.shared, 0);
    unit_memory_check(&h->memory);
    script_destroy(&h->script);
    free(h->log.lines.data);
}

static const char two_users[] =
    "{\"users\":[{\"external_id\":\"b\",\"name\":\"B\"},{\"external_id\":\"a\"}]}";

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

/* Sends two_users; the status, after checks that hold for every answer. */
static int32_t send(host *h, int64_t timeout_ms)
{
    bb_request request = request_with(two_users);
    bb_result *result;
    int32_t status;

    request.timeout_ms = timeout_ms;
    result = bb_contacts_upsert(h->contacts, &request);
    status = bb_result_status(result);
    if (h->script.message != NULL)
        assert_null(strstr(bb_result_body(result, NULL), h->script.message));
    assert_int_equal(bb_result_entries(result), status == BB_STATUS_SUCCESS ? 2 : 0);
    bb_result_free(result);
    return status;
}

static int32_t authorize(host *h, int64_t timeout_ms)
{
    bb_request request = request_with("");
    bb_result *result;
    int32_t status;

    request.timeout_ms = timeout_ms;
    result = bb_contacts_authorize(h->contacts, &request);
    status = bb_result_status(result);
    bb_result_free(result);
    return status;
}

/* ------------------------------------------------------------------------------- the happy way */

static void test_E2_what_storage_hands_back_is_the_answer(void **state)
{
    bb_request request = request_with(two_users);
    bb_result *result;
    host h;

    (void)state;
    open_host(&h, 0);
    result = bb_contacts_upsert(h.contacts, &request);
    assert_string_equal(
        bb_result_body(result, NULL),
        "{\"message\":\"Success\",\"data\":[{\"id\":\"contact_2\",\"external_id\":\"b\","
        "\"name\":\"B\",\"email\":null,\"phonenumber\":null,\"stripe_accounts\":[],"
        "\"custom_attributes\":{},\"created_at\":0,\"updated_at\":0},"
        "{\"id\":\"contact_1\",\"external_id\":\"a\",\"name\":null,\"email\":null,"
        "\"phonenumber\":null,\"stripe_accounts\":[],\"custom_attributes\":{},"
        "\"created_at\":0,\"updated_at\":0}]}");
    assert_int_equal(bb_result_count(result, BB_CREATED), 2);
    bb_result_free(result);
    assert_int_equal(h.script.calls, 1); /* authorization travels with the write */
    assert_int_equal(h.log.count, 0);
    close_host(&h);
}

static void test_B2_storage_is_told_who_asks_and_when(void **state)
{
    bb_principal principal;
    bb_request request = request_with(two_users);
    host h;

    (void)state;
    open_host(&h, 0);
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    assert_non_null(h.script.access.key_hash);
    assert_int_equal(h.script.access.size, sizeof(bb_access));
    assert_int_equal(h.script.access.chatbot_id, 42);
    assert_int_equal(h.script.access.workspace_id, 0);
    assert_int_equal(h.script.access.key_chatbot_id, 0);
    assert_int_equal(h.script.access.now_us, INT64_C(1700000000123456));
    assert_in_range(bb_deadline_left(h.script.access.deadline), 1, 60000);
    bb_principal_init(&principal);
    principal.workspace_id = 7;
    principal.chatbot_id = 9;
    request.principal = &principal;
    request.timeout_ms = 600000;
    bb_result_free(bb_contacts_upsert(h.contacts, &request));
    assert_null(h.script.access.key_hash);
    assert_int_equal(h.script.access.workspace_id, 7);
    assert_int_equal(h.script.access.key_chatbot_id, 9);
    assert_in_range(bb_deadline_left(h.script.access.deadline), 300000, 600000);
    close_host(&h);
}

static void test_A1_a_refused_body_is_authorized_but_not_written(void **state)
{
    static const char *const bodies[] = {"", "{}", "{\"users\":[]}", "{\"users\":[1]}"};
    const int32_t refused = BB_ERR_UNKNOWN_KEY;
    host h;

    (void)state;
    open_host(&h, 0);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        bb_request request = request_with(bodies[i]);
        bb_result *result;
        script_answers(&h.script, NULL, 0);
        result = bb_contacts_upsert(h.contacts, &request);
        assert_int_equal(bb_result_http_status(result), 400);
        bb_result_free(result);
        assert_int_equal(h.script.calls, 1);
        assert_string_equal(h.script.last_call, "authorize");
        script_answers(&h.script, &refused, 1);
        result = bb_contacts_upsert(h.contacts, &request);
        assert_int_equal(bb_result_http_status(result), 401);
        bb_result_free(result);
    }
    close_host(&h);
}

static void test_B1_storage_is_not_asked_about_what_is_no_key(void **state)
{
    bb_request request = request_with(two_users);
    bb_result *result;
    host h;

    (void)state;
    open_host(&h, 0);
    request.authorization = NULL;
    result = bb_contacts_upsert(h.contacts, &request);
    assert_int_equal(bb_result_status(result), BB_STATUS_NO_KEY);
    bb_result_free(result);
    request.authorization = "Bearer nonsense";
    request.authorization_len = strlen(request.authorization);
    result = bb_contacts_authorize(h.contacts, &request);
    assert_int_equal(bb_result_status(result), BB_STATUS_INVALID_KEY);
    bb_result_free(result);
    assert_int_equal(h.script.opens, 0);
    close_host(&h);
}

/* A backend may do what it likes with chatbot 0: storage.h says that write() never gets it. */
static void test_B3_a_chatbot_id_that_is_none_is_a_404_after_the_key(void **state)
{
    static const char *const ids[] = {"", "0", "none", "-42", "9223372036854775808"};
    const int32_t refused = BB_ERR_UNKNOWN_KEY;
    bb_request request = request_with(two_users);
    host h;

    (void)state;
    open_host(&h, 0);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        bb_result *result;
        request.chatbot_id = ids[i];
        request.chatbot_id_len = strlen(ids[i]);
        script_answers(&h.script, &refused, 1);
        result = bb_contacts_upsert(h.contacts, &request);
        assert_int_equal(bb_result_http_status(result), 401);
        bb_result_free(result);
        script_answers(&h.script, NULL, 0);
        result = bb_contacts_upsert(h.contacts, &request);
        assert_int_equal(bb_result_http_status(result), 404);
        bb_result_free(result);
    }
    close_host(&h);
}

/* --------------------------------------------------------------------------- codes to statuses */

static const struct {
    int32_t code;
    int32_t status;
    int is_logged;
} answers[] = {
    {BB_ERR_ARGUMENT, BB_STATUS_INTERNAL_ERROR, 1},
    {BB_ERR_NOMEM, BB_STATUS_INTERNAL_ERROR, 1},
    {BB_ERR_UNKNOWN_KEY, BB_STATUS_INVALID_KEY, 0},
    {BB_ERR_NOT_FOUND, BB_STATUS_NOT_FOUND, 0},
    {BB_ERR_CONFLICT, BB_STATUS_CONFLICT, 0},
    {BB_ERR_BUSY, BB_STATUS_UNAVAILABLE, 1},
    {BB_ERR_UNAVAILABLE, BB_STATUS_UNAVAILABLE, 1},
    {BB_ERR_SCHEMA, BB_STATUS_INTERNAL_ERROR, 1},
    {BB_ERR_UNSUPPORTED, BB_STATUS_INTERNAL_ERROR, 1},
    {BB_ERR_INTERNAL, BB_STATUS_INTERNAL_ERROR, 1},
    {BB_ERR_OVERSIZED, BB_STATUS_INTERNAL_ERROR, 1}, /* nothing was put that is too large */
    {99, BB_STATUS_INTERNAL_ERROR, 1},
    {-1, BB_STATUS_INTERNAL_ERROR, 1},
};

static void test_E11_every_code_has_its_status(void **state)
{
    host h;

    (void)state;
    open_host(&h, 0);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        for (int is_write = 0; is_write < 2; is_write++) {
            size_t logged = h.log.count;
            script_answers(&h.script, &answers[i].code, 1);
            if ((is_write ? send(&h, 0) : authorize(&h, 0)) != answers[i].status)
                fail_msg("code %d", answers[i].code);
            assert_int_equal(h.script.calls, 1); /* not tried again */
            assert_int_equal(h.log.count - logged, answers[i].is_logged);
        }
    }
    assert_int_equal(h.log.levels[BB_LOG_ERROR], h.log.count);
    assert_int_equal(h.script.opened, 1); /* none of them breaks the session */
    close_host(&h);
}

static void test_E11_every_code_of_opening_a_session_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        host h;
        open_host(&h, 1);
        h.script.open_codes[0] = answers[i].code;
        h.script.open_codes[1] = answers[i].code;
        assert_int_equal(send(&h, 0), answers[i].status);
        assert_int_equal(authorize(&h, 0), answers[i].status);
        /* the only place was given back both times */
        assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
        assert_int_equal(h.script.calls, 1);
        close_host(&h);
    }
}

static void test_A5_the_engines_text_goes_to_the_log_alone(void **state)
{
    const int32_t code = BB_ERR_INTERNAL;
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.message = "relation \"contacts\" is on fire";
    h.script.sqlstate = "XX001";
    script_answers(&h.script, &code, 1);
    assert_int_equal(send(&h, 0), BB_STATUS_INTERNAL_ERROR);
    assert_string_equal(h.log.lines.data, "write failed: scripted: relation \"contacts\" is on "
                                          "fire (SQLSTATE XX001)\n");
    close_host(&h);
}

static void test_A5_a_log_line_is_one_line(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_INTERNAL};
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.message = "ERROR:  first\nDETAIL:  second\n";
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, 0), BB_STATUS_INTERNAL_ERROR);
    assert_int_equal(h.log.count, 2);
    assert_int_equal(h.log.with_newline, 0);
    close_host(&h);
}

static void test_A5_no_key_is_logged(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_LOST, BB_ERR_INTERNAL};
    host h;

    (void)state;
    open_host(&h, 0);
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, 0), BB_STATUS_INTERNAL_ERROR);
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(authorize(&h, 0), BB_STATUS_INTERNAL_ERROR);
    assert_int_equal(h.log.count, 4);
    assert_null(strstr(h.log.lines.data, "oc_live"));
    assert_null(strstr(h.log.lines.data, "0123456789abcdef"));
    close_host(&h);
}

/* ------------------------------------------------------------------------------------- retries */

static void test_E9_what_was_undone_is_done_again(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_RETRY, BB_ERR_RETRY};
    host h;

    (void)state;
    open_host(&h, 0);
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    assert_int_equal(h.script.calls, 4);
    assert_int_equal(h.script.opened, 1);           /* the session is good */
    assert_int_equal(h.log.levels[BB_LOG_WARN], 1); /* not one for each attempt */
    assert_int_equal(h.log.count, 1);
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(authorize(&h, 0), BB_STATUS_SUCCESS);
    assert_int_equal(h.script.calls, 4);
    close_host(&h);
}

static void test_E9_a_broken_session_is_replaced(void **state)
{
    const int32_t codes[] = {BB_ERR_LOST, BB_ERR_LOST};
    host h;

    (void)state;
    open_host(&h, 1);
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    assert_int_equal(h.script.calls, 3);
    assert_int_equal(h.script.opened, 3);
    assert_int_equal(h.script.closed, 2);
    assert_int_equal(h.script.last_session, 3);
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    assert_int_equal(h.script.opened, 3);
    close_host(&h);
}

static void test_E9_opening_is_tried_again_too(void **state)
{
    host h;

    (void)state;
    open_host(&h, 1);
    h.script.open_codes[0] = BB_ERR_LOST;
    h.script.open_codes[1] = BB_ERR_RETRY;
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    assert_int_equal(h.script.opens, 3);
    assert_int_equal(h.script.opened, 1);
    close_host(&h);
}

/* The database starts again, or a standby takes its place. */
static void test_E9_a_store_that_goes_away_is_waited_for(void **state)
{
    const int32_t lost = BB_ERR_LOST;
    host h;

    (void)state;
    open_host(&h, 1);
    script_answers(&h.script, &lost, 1);
    for (size_t i = 1; i < 4; i++)
        h.script.open_codes[i] = BB_ERR_UNAVAILABLE;
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    assert_int_equal(h.script.opens, 5);
    close_host(&h);
}

static void test_E11_a_store_that_is_not_there_is_a_503_at_once(void **state)
{
    host h;

    (void)state;
    open_host(&h, 1);
    h.script.open_codes[0] = BB_ERR_UNAVAILABLE;
    assert_int_equal(send(&h, 0), BB_STATUS_UNAVAILABLE);
    assert_int_equal(h.script.opens, 1);
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    close_host(&h);
}

static void test_E11_retries_end_at_the_deadline(void **state)
{
    static const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_LOST};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        size_t calls = 0;
        /* longer after each run in which a slow machine left no time for a few attempts */
        for (int64_t ms = 120; calls < 3 && ms < 30000; ms *= 2) {
            int64_t start;
            host h;
            open_host(&h, 1);
            h.script.always = codes[i];
            start = bb_deadline_in(60000);
            assert_int_equal(send(&h, ms), BB_STATUS_UNAVAILABLE);
            /* as long as allowed, and no longer than the handle would */
            assert_in_range(bb_deadline_left(start), 1, 60000 - ms + 10);
            calls = h.script.calls;
            /* pauses grow: not thousands of attempts */
            assert_in_range(calls, 1, 10 + ms / 4);
            assert_int_equal(h.log.levels[BB_LOG_ERROR], 1);
            close_host(&h);
        }
        assert_true(calls >= 3); /* nor one */
    }
}

/* The last attempt may only say that there was no time left for it. */
static void test_E11_the_last_line_has_the_first_cause(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_LOST, BB_ERR_BUSY};
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.message = "the deadline had passed already";
    h.script.first_message = "the first cause";
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, 0), BB_STATUS_UNAVAILABLE);
    assert_int_equal(h.log.count, 2);
    assert_memory_equal(h.log.lines.data, "trying again: scripted: the first cause\n", 40);
    assert_non_null(strstr(h.log.lines.data, "\nwrite failed after 3 attempts in "));
    assert_non_null(strstr(h.log.lines.data, " ms: scripted: the first cause\n"));
    close_host(&h);
}

/* But any other last code counts. */
static void test_E11_the_last_line_has_what_ended_it(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_INTERNAL};
    host h;

    (void)state;
    open_host(&h, 0);
    h.script.message = "the row was not written";
    h.script.first_message = "a deadlock";
    script_answers(&h.script, codes, COUNT_OF(codes));
    assert_int_equal(send(&h, 0), BB_STATUS_INTERNAL_ERROR);
    assert_non_null(strstr(h.log.lines.data, "\nwrite failed after 2 attempts in "));
    assert_non_null(strstr(h.log.lines.data, " ms: scripted: the row was not written\n"));
    close_host(&h);
}

static int32_t be_busy(const bb_storage_vtable *table, void *session, void *ctx, bb_error *error)
{
    (void)table;
    (void)session;
    (void)ctx;
    (void)error;
    return BB_ERR_BUSY;
}

/* A backend gives up on a lock some time before a job's end: in what is left it may be had. */
static void test_E11_a_lock_given_up_early_is_tried_again(void **state)
{
    bb_job job = {.access.deadline = bb_deadline_in(60000)};
    bb_share share;
    host h;

    (void)state;
    open_host(&h, 1);
    share = bb_share_alone(h.storage, job.access.deadline, 1);
    assert_int_equal(share.lock_deadline, job.access.deadline);
    share.halfway = bb_deadline_in(0); /* as if it had waited */
    assert_int_equal(bb_job_retry(&h.contacts->executor, &job, share, be_busy, NULL), BB_DEFERRED);
    assert_int_equal(job.is_slow, 1);
    job.access.deadline = bb_deadline_in(0); /* and now it has waited until its end */
    assert_int_equal(bb_job_retry(&h.contacts->executor, &job, share, be_busy, NULL),
                     BB_FAULT(BB_ERR_DEADLINE));
    close_host(&h);
}

/* What holds up nobody else has one share, and what is busy without having waited says so. */
static void test_E11_what_is_busy_by_itself_is_told(void **state)
{
    bb_job job = {.access.deadline = bb_deadline_in(60000)};
    bb_executor *executor;
    host h;

    (void)state;
    open_host(&h, 1);
    executor = &h.contacts->executor;
    assert_int_equal(
        bb_job_retry(executor, &job, bb_share_whole(job.access.deadline), be_busy, NULL),
        BB_FAULT(BB_ERR_DEADLINE));
    assert_int_equal(bb_job_retry(executor, &job, bb_share_alone(h.storage, job.access.deadline, 1),
                                  be_busy, NULL),
                     BB_FAULT(BB_ERR_DEADLINE));
    assert_int_equal(job.is_slow, 0);
    close_host(&h);
}

/* However small, a share is worth an attempt, and never ends after the job's time. */
static void test_E11_the_least_share(void **state)
{
    int64_t before = bb_deadline_in(0);
    bb_share share;
    host h;

    (void)state;
    open_host(&h, 1);
    share = bb_share_alone(h.storage, before + 60000, BB_LEAST_SHARES);
    assert_in_range(share.lock_deadline, before + 1, bb_deadline_in(100));
    assert_in_range(share.retry_deadline, share.lock_deadline, bb_deadline_in(1000));
    assert_int_equal(share.deadline, before + 60000);
    share = bb_share_alone(h.storage, before, BB_LEAST_SHARES);
    assert_int_equal(share.lock_deadline, before);
    assert_int_equal(share.retry_deadline, before);
    share = bb_share_together(h.storage, bb_deadline_in(2), BB_LEAST_SHARES);
    assert_in_range(share.lock_deadline, before, share.deadline);
    assert_in_range(share.retry_deadline, before, share.deadline);
    close_host(&h);
}

static void test_E2_an_attempt_that_failed_leaves_nothing_in_the_answer(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_LOST};
    bb_request request = request_with(two_users);
    bb_result *result;
    size_t plain;
    size_t len;
    host h;

    (void)state;
    open_host(&h, 0);
    result = bb_contacts_upsert(h.contacts, &request);
    bb_result_body(result, &plain);
    bb_result_free(result);
    script_answers(&h.script, codes, COUNT_OF(codes)); /* they put everything, too */
    result = bb_contacts_upsert(h.contacts, &request);
    assert_int_equal(bb_result_status(result), BB_STATUS_SUCCESS);
    bb_result_body(result, &len);
    assert_int_equal(len, plain);
    bb_result_free(result);
    close_host(&h);
}

/* ---------------------------------------------------------------------- backends with mistakes */

static void test_E11_a_backend_that_puts_wrongly_makes_a_500(void **state)
{
    (void)state;
    for (int ignores = 0; ignores < 2; ignores++) {
        for (int fault = PUTS_NONE; fault <= PUTS_TOO_HIGH_AN_OUTCOME; fault++) {
            host h;
            open_host(&h, 1);
            h.script.fault = (script_fault)fault;
            h.script.ignores_put = ignores;
            if (send(&h, 0) != BB_STATUS_INTERNAL_ERROR)
                fail_msg("fault %d, put's answer %s", fault, ignores ? "ignored" : "returned");
            assert_int_equal(h.script.calls, 1);
            assert_int_equal(h.log.levels[BB_LOG_ERROR], 1);
            h.script.fault = PUTS_ALL;
            assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
            close_host(&h);
        }
    }
}

#define BYTES(literal)                 \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

/* A host may have written anything into its tables, and a backend hands back what it has read. */
static void test_A3_what_no_answer_can_hold_is_a_500(void **state)
{
    static const struct {
        int is_good;
        bb_contact contact;
    } cases[] = {
        {1, {.stripe_accounts = BYTES("[]"), .custom_attributes = BYTES("{}")}},
        {1, {.stripe_accounts = BYTES(" [ 1 ] "), .custom_attributes = BYTES("{\"a\": 1e999}\n")}},
        {1,
         {.name = BYTES("\xC3\xA9 \" \\ \x01"),
          .stripe_accounts = BYTES("[]"),
          .custom_attributes = BYTES("{}")}},
        {0, {.stripe_accounts = BYTES("[]"), .custom_attributes = {NULL, 0}}},
        {0, {.stripe_accounts = BYTES("[]"), .custom_attributes = BYTES("")}},
        {0, {.stripe_accounts = BYTES("[]"), .custom_attributes = BYTES("  ")}},
        {0, {.stripe_accounts = BYTES("[]"), .custom_attributes = BYTES("NaN")}},
        {0, {.stripe_accounts = BYTES("[]"), .custom_attributes = BYTES("[]")}},
        {0, {.stripe_accounts = BYTES("{}"), .custom_attributes = BYTES("{}")}},
        {0, {.stripe_accounts = BYTES("[],[]"), .custom_attributes = BYTES("{}")}},
        {0, {.stripe_accounts = BYTES("[\"\xFF\"]"), .custom_attributes = BYTES("{}")}},
        {0,
         {.email = BYTES("\xED\xA0\x80"),
          .stripe_accounts = BYTES("[]"),
          .custom_attributes = BYTES("{}")}},
        {0,
         {.phonenumber = BYTES("12345678\xC3"),
          .stripe_accounts = BYTES("[]"),
          .custom_attributes = BYTES("{}")}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        host h;
        open_host(&h, 1);
        h.script.read = &cases[i].contact;
        if ((send(&h, 0) == BB_STATUS_SUCCESS) != cases[i].is_good)
            fail_msg("case %zu", i);
        if (!cases[i].is_good)
            assert_non_null(strstr(h.log.lines.data, "contact_2 of chatbot 42 "));
        h.script.read = NULL;
        assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
        close_host(&h);
    }
}

/* put() says when memory runs out; a backend that does not listen must not make a 200 of it. */
static void test_A3_put_without_memory_is_a_500(void **state)
{
    (void)state;
    for (int ignores = 0; ignores < 2; ignores++) {
        size_t seen = 0;
        for (size_t n = 1;; n++) {
            int32_t status;
            host h;
            open_host(&h, 1);
            h.script.ignores_put = ignores;
            unit_memory_fail(&h.memory, n, 0);
            status = send(&h, 0);
            seen += h.script.put_code == BB_ERR_NOMEM;
            close_host(&h);
            if (status == BB_STATUS_SUCCESS)
                break;
            assert_int_equal(status, BB_STATUS_INTERNAL_ERROR);
        }
        assert_true(seen > 0);
    }
}

/* ------------------------------------------------------------------------------------- threads */

/* Returns NULL for a success. */
static void *send_in_thread(void *ctx)
{
    host *h = ctx;
    bb_request request = request_with(two_users);
    bb_result *result;
    int32_t status;

    request.timeout_ms = 60000;
    result = bb_contacts_upsert(h->contacts, &request);
    status = bb_result_status(result);
    bb_result_free(result);
    return status == BB_STATUS_SUCCESS ? NULL : h;
}

/* A handle whose allocator threads may share. */
static void open_shared_host(host *h, uint32_t max_sessions)
{
    bb_config config;

    memset(h, 0, sizeof *h);
    script_init(&h->script);
    unit_memory_init(&h->memory);
    assert_int_equal(bb_storage_new(&script_table, &h->script, NULL, &h->storage, NULL), BB_OK);
    bb_config_init(&config);
    config.max_sessions = max_sessions;
    config.timeout_ms = 60000;
    assert_int_equal(bb_contacts_open(h->storage, &config, &h->contacts, NULL), BB_OK);
}

static void test_E11_no_free_session_by_the_deadline_is_a_503(void **state)
{
    pthread_t threads[2];
    void *failed;
    host h;

    (void)state;
    open_shared_host(&h, 2);
    script_hold(&h.script, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_in_thread, &h), 0);
    script_wait_inside(&h.script, 2);
    assert_int_equal(send(&h, 60), BB_STATUS_UNAVAILABLE);
    assert_int_equal(authorize(&h, 1), BB_STATUS_UNAVAILABLE);
    assert_int_equal(h.script.opens, 2);
    script_hold(&h.script, 0);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(send(&h, 0), BB_STATUS_SUCCESS);
    close_host(&h);
}

static void test_E7_requests_share_the_sessions_there_are(void **state)
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    void *failed;
    host h;

    (void)state;
    open_shared_host(&h, 3);
    script_hold(&h.script, 1);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_in_thread, &h), 0);
    script_wait_inside(&h.script, 3);
    script_hold(&h.script, 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(h.script.calls, THREADS);
    assert_int_equal(h.script.most_inside, 3);
    assert_int_equal(h.script.opened, 3);
    close_host(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E2_what_storage_hands_back_is_the_answer),
        cmocka_unit_test(test_B2_storage_is_told_who_asks_and_when),
        cmocka_unit_test(test_A1_a_refused_body_is_authorized_but_not_written),
        cmocka_unit_test(test_B1_storage_is_not_asked_about_what_is_no_key),
        cmocka_unit_test(test_B3_a_chatbot_id_that_is_none_is_a_404_after_the_key),
        cmocka_unit_test(test_E11_every_code_has_its_status),
        cmocka_unit_test(test_E11_every_code_of_opening_a_session_has_its_status),
        cmocka_unit_test(test_A5_the_engines_text_goes_to_the_log_alone),
        cmocka_unit_test(test_A5_a_log_line_is_one_line),
        cmocka_unit_test(test_A5_no_key_is_logged),
        cmocka_unit_test(test_E9_what_was_undone_is_done_again),
        cmocka_unit_test(test_E9_a_broken_session_is_replaced),
        cmocka_unit_test(test_E9_opening_is_tried_again_too),
        cmocka_unit_test(test_E9_a_store_that_goes_away_is_waited_for),
        cmocka_unit_test(test_E11_a_store_that_is_not_there_is_a_503_at_once),
        cmocka_unit_test(test_E11_retries_end_at_the_deadline),
        cmocka_unit_test(test_E11_the_last_line_has_the_first_cause),
        cmocka_unit_test(test_E11_the_last_line_has_what_ended_it),
        cmocka_unit_test(test_E11_a_lock_given_up_early_is_tried_again),
        cmocka_unit_test(test_E11_what_is_busy_by_itself_is_told),
        cmocka_unit_test(test_E11_the_least_share),
        cmocka_unit_test(test_E2_an_attempt_that_failed_leaves_nothing_in_the_answer),
        cmocka_unit_test(test_E11_a_backend_that_puts_wrongly_makes_a_500),
        cmocka_unit_test(test_A3_what_no_answer_can_hold_is_a_500),
        cmocka_unit_test(test_A3_put_without_memory_is_a_500),
        cmocka_unit_test(test_E11_no_free_session_by_the_deadline_is_a_503),
        cmocka_unit_test(test_E7_requests_share_the_sessions_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
