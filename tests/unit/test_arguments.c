/*
 * test_arguments.c: requests whose arguments are missing, odd or of another version, by each of the
 * four functions that take one.
 */
#include "scripted.h"

#include <semaphore.h>

#include "bb_contacts/bb_contacts.h"

typedef struct host {
    script script;
    bb_storage *storage;
    bb_contacts *contacts;
    kept_log log;
} host;

static bb_config config_of(host *h)
{
    bb_config config;

    bb_config_init(&config);
    config.log = keep_line;
    config.log_ctx = &h->log;
    config.workers = 1;
    config.timeout_ms = 60000;
    return config;
}

static void open_with(host *h, const bb_config *config)
{
    memset(&h->log, 0, sizeof h->log);
    script_init(&h->script);
    assert_int_equal(bb_storage_new(&script_table, &h->script, NULL, &h->storage, NULL), BB_OK);
    assert_int_equal(bb_contacts_open(h->storage, config, &h->contacts, NULL), BB_OK);
}

static void open_host(host *h)
{
    bb_config config = config_of(h);

    open_with(h, &config);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    script_destroy(&h->script);
    free(h->log.lines.data);
}

/* Whether a line that names this struct was logged since the last call. */
static int log_names(host *h, const char *name)
{
    int found = h->log.lines.len > 0 && strstr(h->log.lines.data, name) != NULL;

    h->log.lines.len = 0;
    return found;
}

/* ------------------------------------------------------------------------------- the four ways */

/* A submitted request's answer. */
typedef struct answer {
    sem_t is_there;
    bb_result *result;
} answer;

static void done(void *ctx, bb_result *result)
{
    answer *a = ctx;

    a->result = result;
    sem_post(&a->is_there);
}

typedef bb_result *submit_fn(bb_contacts *contacts, const bb_request *request, bb_done_fn done,
                             void *done_ctx, uint64_t *ticket);

/* Waits for what was submitted. */
static bb_result *wait_for(submit_fn *submit, bb_contacts *contacts, const bb_request *request)
{
    bb_result *result;
    answer a;

    assert_int_equal(sem_init(&a.is_there, 0, 0), 0);
    result = submit(contacts, request, done, &a, NULL);
    if (result == NULL) {
        while (sem_wait(&a.is_there) != 0)
            continue;
        result = a.result;
    }
    sem_destroy(&a.is_there);
    // cppcheck-suppress returnDanglingLifetime ; the result is not the answer's
    return result;
}

static bb_result *submit_and_wait(bb_contacts *contacts, const bb_request *request)
{
    return wait_for(bb_contacts_submit, contacts, request);
}

static bb_result *submit_authorize_and_wait(bb_contacts *contacts, const bb_request *request)
{
    return wait_for(bb_contacts_submit_authorize, contacts, request);
}

static const struct way {
    const char *name;
    bb_result *(*send)(bb_contacts *contacts, const bb_request *request);
    int only_authorizes;
} ways[] = {
    {"bb_contacts_upsert", bb_contacts_upsert, 0},
    {"bb_contacts_submit", submit_and_wait, 0},
    {"bb_contacts_authorize", bb_contacts_authorize, 1},
    {"bb_contacts_submit_authorize", submit_authorize_and_wait, 1},
};

/* What each function must answer: `status`, or `authorize_status` if it ignores the body. */
static void expect_both(bb_contacts *contacts, const bb_request *request, int32_t status,
                        int32_t authorize_status)
{
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        int32_t wanted = ways[i].only_authorizes ? authorize_status : status;
        bb_result *result = ways[i].send(contacts, request);
        int32_t got = bb_result_http_status(result);
        bb_result_free(result);
        if (got != wanted)
            fail_msg("%s: %d, not %d", ways[i].name, got, wanted);
    }
}

static void expect(bb_contacts *contacts, const bb_request *request, int32_t status)
{
    expect_both(contacts, request, status, status);
}

static bb_request good_request(void)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = "1";
    request.chatbot_id_len = 1;
    request.authorization = "Bearer oc_live_abc";
    request.authorization_len = strlen(request.authorization);
    request.body = body;
    request.body_len = sizeof body - 1;
    return request;
}

/* ---------------------------------------------------------------------------------- the tests */

static void test_A3_without_arguments_there_is_a_500(void **state)
{
    bb_request request = good_request();
    host h;

    (void)state;
    expect(NULL, NULL, 500);
    expect(NULL, &request, 500);
    open_host(&h);
    expect(h.contacts, &request, 200);
    expect(h.contacts, NULL, 500);
    close_host(&h);
}

static void test_A3_submitting_without_workers_or_callback_is_a_500(void **state)
{
    static submit_fn *const submits[] = {bb_contacts_submit, bb_contacts_submit_authorize};
    bb_request request = good_request();
    bb_config config;
    host h;
    answer a;

    (void)state;
    config = config_of(&h);
    config.workers = 0;
    for (size_t i = 0; i < COUNT_OF(submits); i++) {
        open_host(&h);
        assert_int_equal(bb_result_http_status(submits[i](h.contacts, &request, NULL, &a, NULL)),
                         500);
        close_host(&h);
        open_with(&h, &config);
        assert_int_equal(bb_result_http_status(submits[i](h.contacts, &request, done, &a, NULL)),
                         500);
        close_host(&h);
    }
}

/* The size of version 0.1. */
enum { FIRST_REQUEST = offsetof(bb_request, flags) };

static void test_abi_sizes_of_no_version(void **state)
{
    static const size_t sizes[] = {0, 1, sizeof(size_t), FIRST_REQUEST - 1, SIZE_MAX};
    bb_request request = good_request();
    bb_principal principal;
    host h;

    (void)state;
    open_host(&h);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        request.size = sizes[i];
        expect(h.contacts, &request, 500);
        assert_true(log_names(&h, "bb_request"));
    }
    request = good_request();
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    request.principal = &principal;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        principal.size = sizes[i] == FIRST_REQUEST - 1 ? sizeof principal - 1 : sizes[i];
        expect(h.contacts, &request, 500);
        assert_true(log_names(&h, "bb_principal"));
    }
    assert_int_equal(h.script.opens, 0);
    close_host(&h);
}

/* Members that a newer caller knows and this library does not may be there, but not set: they would
 * be lost in silence. */
static void test_abi_a_larger_request_of_a_newer_caller(void **state)
{
    struct {
        bb_request request;
        unsigned char tail[64];
    } newer;
    struct {
        bb_principal principal;
        unsigned char tail[64];
    } principal;
    host h;

    (void)state;
    open_host(&h);
    memset(&newer, 0, sizeof newer);
    memset(&principal, 0, sizeof principal);
    newer.request = good_request();
    newer.request.size = sizeof newer;
    principal.principal.size = sizeof principal;
    principal.principal.workspace_id = 1;
    expect(h.contacts, &newer.request, 200);
    newer.request.principal = &principal.principal;
    expect(h.contacts, &newer.request, 200);
    principal.tail[0] = 1;
    expect(h.contacts, &newer.request, 500);
    assert_true(log_names(&h, "bb_principal"));
    newer.tail[63] = 1;
    expect(h.contacts, &newer.request, 500);
    assert_true(log_names(&h, "bb_request"));
    close_host(&h);
}

static void test_abi_null_pointers_are_empty_texts(void **state)
{
    bb_request request = good_request();
    bb_principal principal;
    host h;

    (void)state;
    open_host(&h);
    request.authorization = NULL; /* the length says 18 still */
    expect(h.contacts, &request, 401);
    request = good_request();
    request.chatbot_id = NULL;
    expect(h.contacts, &request, 404);
    request = good_request();
    request.body = NULL; /* the length says 31 still */
    expect_both(h.contacts, &request, 400, 200);
    request = good_request();
    request.idempotency_key_len = 1000;
    expect(h.contacts, &request, 200);
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    request = good_request();
    request.authorization = NULL;
    request.principal = &principal;
    expect(h.contacts, &request, 200);
    close_host(&h);
}

static void test_C7_a_body_past_the_limit_is_a_413_whatever_it_points_at(void **state)
{
    bb_request request = good_request();
    bb_config config;
    host h;

    (void)state;
    config = config_of(&h);
    config.max_body_bytes = request.body_len;
    open_with(&h, &config);
    expect(h.contacts, &request, 200);
    request.body_len++;
    expect_both(h.contacts, &request, 413, 200);
    request.body = NULL;
    expect_both(h.contacts, &request, 413, 200);
    request.body_len = SIZE_MAX;
    request.body = "";
    expect_both(h.contacts, &request, 413, 200);
    h.script.always = BB_ERR_NOT_FOUND; /* scope comes before size (A1) */
    expect(h.contacts, &request, 404);
    close_host(&h);
}

/* A body that is ignored takes no room in the queue. */
static void test_E11_authorizing_counts_no_body_against_the_queue(void **state)
{
    bb_request request = good_request();
    bb_config config;
    host h;

    (void)state;
    config = config_of(&h);
    config.max_queued_bytes = request.body_len - 1;
    open_with(&h, &config);
    request.chatbot_id = "2";
    assert_int_equal(bb_result_http_status(submit_and_wait(h.contacts, &request)), 503);
    assert_int_equal(bb_result_http_status(submit_authorize_and_wait(h.contacts, &request)), 200);
    close_host(&h);
}

static void test_abi_a_flag_of_no_version(void **state)
{
    bb_request request = good_request();
    host h;

    (void)state;
    open_host(&h);
    request.flags = BB_REQUEST_BODY_STAYS;
    expect(h.contacts, &request, 200);
    for (uint32_t bit = BB_REQUEST_BODY_STAYS << 1; bit != 0; bit <<= 1) {
        request.flags = bit;
        expect(h.contacts, &request, 500);
        assert_true(log_names(&h, "bb_request.flags"));
    }
    close_host(&h);
}

enum { LONG_BODY = 100000 };

static void *alloc_short(void *ctx, size_t size)
{
    (void)ctx;
    return size < LONG_BODY ? malloc(size) : NULL;
}

static void *realloc_short(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return size < LONG_BODY ? realloc(ptr, size) : NULL;
}

static void free_any(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

/* There is no memory for a copy. */
static void test_C7_a_body_that_stays_is_not_copied(void **state)
{
    static const bb_allocator allocator = {NULL, alloc_short, realloc_short, free_any};
    bb_request request = good_request();
    test_text body = {0};
    bb_result *result;
    bb_config config;
    host h;

    (void)state;
    config = config_of(&h);
    config.allocator = &allocator;
    open_with(&h, &config);
    test_append_text(&body, request.body);
    test_append_times(&body, " ", LONG_BODY);
    request.body = body.data;
    request.body_len = body.len;
    assert_int_equal(bb_result_http_status(submit_and_wait(h.contacts, &request)), 500);
    request.flags = BB_REQUEST_BODY_STAYS;
    result = submit_and_wait(h.contacts, &request);
    assert_int_equal(bb_result_http_status(result), 200);
    bb_result_free(result);
    close_host(&h);
    free(body.data);
}

static void test_E9_an_idempotency_key_has_at_most_255_bytes(void **state)
{
    char *key = repeat("k", 256);
    bb_request request = good_request();
    host h;

    (void)state;
    open_host(&h);
    request.idempotency_key = key;
    request.idempotency_key_len = 255;
    expect(h.contacts, &request, 200);
    request.idempotency_key_len = 256;
    expect_both(h.contacts, &request, 400, 200);
    close_host(&h);
    free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A3_without_arguments_there_is_a_500),
        cmocka_unit_test(test_A3_submitting_without_workers_or_callback_is_a_500),
        cmocka_unit_test(test_abi_sizes_of_no_version),
        cmocka_unit_test(test_abi_a_larger_request_of_a_newer_caller),
        cmocka_unit_test(test_abi_null_pointers_are_empty_texts),
        cmocka_unit_test(test_C7_a_body_past_the_limit_is_a_413_whatever_it_points_at),
        cmocka_unit_test(test_E11_authorizing_counts_no_body_against_the_queue),
        cmocka_unit_test(test_abi_a_flag_of_no_version),
        cmocka_unit_test(test_C7_a_body_that_stays_is_not_copied),
        cmocka_unit_test(test_E9_an_idempotency_key_has_at_most_255_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
