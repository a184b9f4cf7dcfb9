/*
 * test_contacts.c: the handle, its limits, and arguments that are missing or of another version.
 */
#include "scripted.h"

#include "api/handle.h"

typedef struct base {
    script script;
    bb_storage *storage;
} base;

static void open_base(base *b)
{
    script_init(&b->script);
    assert_int_equal(bb_storage_new(&script_table, &b->script, NULL, &b->storage, NULL), BB_OK);
}

static void close_base(base *b)
{
    bb_storage_close(b->storage);
    script_destroy(&b->script);
}

static int32_t try_config(const bb_config *config)
{
    bb_contacts *contacts = NULL;
    bb_error error;
    int32_t code;
    base b;

    open_base(&b);
    bb_error_init(&error);
    code = bb_contacts_open(b.storage, config, &contacts, &error);
    assert_int_equal(error.code, code);
    assert_int_equal(contacts != NULL, code == BB_OK);
    bb_contacts_close(contacts);
    close_base(&b);
    return code;
}

static void test_C7_defaults(void **state)
{
    bb_contacts *contacts;
    base b;

    (void)state;
    open_base(&b);
    assert_int_equal(bb_contacts_open(b.storage, NULL, &contacts, NULL), BB_OK);
    assert_int_equal(bb_contacts_max_body(contacts), (size_t)16 << 20);
    assert_int_equal(contacts->max_entry_bytes, (size_t)1 << 20);
    assert_int_equal(contacts->max_depth, 64);
    assert_int_equal(contacts->pool.max, 16);
    assert_int_equal(contacts->timeout_ms, 10000);
    assert_true(contacts->clock(contacts->clock_ctx) > INT64_C(1600000000000000));
    assert_int_equal(b.script.opens, 0);
    bb_contacts_close(contacts);
    close_base(&b);
}

static void test_C7_limits_are_taken_over(void **state)
{
    bb_contacts *contacts;
    bb_config config;
    base b;

    (void)state;
    open_base(&b);
    bb_config_init(&config);
    config.max_body_bytes = 1;
    config.max_entry_bytes = 2;
    config.max_depth = 3;
    config.max_sessions = 4;
    config.timeout_ms = 5;
    assert_int_equal(bb_contacts_open(b.storage, &config, &contacts, NULL), BB_OK);
    assert_int_equal(bb_contacts_max_body(contacts), 1);
    assert_int_equal(contacts->max_entry_bytes, 2);
    assert_int_equal(contacts->max_depth, 3);
    assert_int_equal(contacts->pool.max, 4);
    assert_int_equal(contacts->timeout_ms, 5);
    bb_contacts_close(contacts);
    close_base(&b);
    assert_int_equal(bb_contacts_max_body(NULL), 0);
}

static void test_C7_limits_have_bounds(void **state)
{
    bb_config good[5];
    bb_config bad[6];
    bb_allocator partial = {NULL, NULL, NULL, NULL};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        bb_config_init(&good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bb_config_init(&bad[i]);
    good[0].max_body_bytes = (size_t)1 << 30;
    good[1].max_entry_bytes = (size_t)1 << 30;
    good[2].max_depth = 512;
    good[3].timeout_ms = INT64_MAX;
    good[4].timeout_ms = -1; /* the default */
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(try_config(&good[i]), BB_OK);
    bad[0].max_body_bytes = ((size_t)1 << 30) + 1;
    bad[1].max_entry_bytes = ((size_t)1 << 30) + 1;
    bad[2].max_depth = 513;
    bad[3].allocator = &partial;
    bad[4].size = sizeof bad[4] - 1;
    bad[5].size = 0;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(try_config(&bad[i]), BB_ERR_ARGUMENT);
}

static void test_abi_a_larger_config_of_a_newer_caller_is_cut(void **state)
{
    struct {
        bb_config config;
        unsigned char tail[64];
    } newer;

    (void)state;
    memset(&newer, 0xEE, sizeof newer);
    bb_config_init(&newer.config);
    newer.config.size = sizeof newer;
    assert_int_equal(try_config(&newer.config), BB_OK);
}

static void test_abi_missing_arguments_are_refused(void **state)
{
    bb_contacts *contacts = NULL;
    bb_error error;
    base b;

    (void)state;
    bb_error_init(&error);
    assert_int_equal(bb_contacts_open(NULL, NULL, &contacts, &error), BB_ERR_ARGUMENT);
    assert_int_equal(error.code, BB_ERR_ARGUMENT);
    open_base(&b);
    assert_int_equal(bb_contacts_open(b.storage, NULL, NULL, NULL), BB_ERR_ARGUMENT);
    assert_null(contacts);
    bb_contacts_close(NULL);
    close_base(&b);
}

static void test_A3_every_failing_allocation_of_opening_is_reported(void **state)
{
    size_t n = 1;
    base b;

    (void)state;
    open_base(&b);
    for (;; n++) {
        bb_contacts *contacts = NULL;
        unit_memory memory;
        bb_config config;
        int32_t code;
        unit_memory_init(&memory);
        bb_config_init(&config);
        config.allocator = &memory.allocator;
        unit_memory_fail(&memory, n, 0);
        code = bb_contacts_open(b.storage, &config, &contacts, NULL);
        bb_contacts_close(contacts);
        unit_memory_check(&memory);
        if (code == BB_OK)
            break;
        assert_int_equal(code, BB_ERR_NOMEM);
    }
    assert_int_equal(n, 3);
    close_base(&b);
}

/* -------------------------------------------------------------------------------------- requests
 */

static void expect_500(bb_result *result)
{
    assert_non_null(result);
    assert_int_equal(bb_result_http_status(result), 500);
    assert_string_equal(bb_result_body(result, NULL), "{\"message\":\"Internal server error\"}");
    bb_result_free(result);
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

static void test_abi_upsert_without_arguments_is_a_500(void **state)
{
    bb_request request = good_request();
    bb_contacts *contacts;
    base b;

    (void)state;
    expect_500(bb_contacts_upsert(NULL, NULL));
    expect_500(bb_contacts_upsert(NULL, &request));
    expect_500(bb_contacts_authorize(NULL, &request));
    open_base(&b);
    assert_int_equal(bb_contacts_open(b.storage, NULL, &contacts, NULL), BB_OK);
    expect_500(bb_contacts_upsert(contacts, NULL));
    expect_500(bb_contacts_authorize(contacts, NULL));
    request.size = sizeof request - 1;
    expect_500(bb_contacts_upsert(contacts, &request));
    expect_500(bb_contacts_authorize(contacts, &request));
    request.size = 0;
    expect_500(bb_contacts_upsert(contacts, &request));
    assert_int_equal(b.script.opens, 0);
    bb_contacts_close(contacts);
    close_base(&b);
}

static int32_t http_status(bb_contacts *contacts, const bb_request *request)
{
    bb_result *result = bb_contacts_upsert(contacts, request);
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

static void test_abi_a_larger_request_of_a_newer_caller_is_cut(void **state)
{
    struct {
        bb_request request;
        unsigned char tail[64];
    } newer;
    struct {
        bb_principal principal;
        unsigned char tail[64];
    } principal;
    bb_contacts *contacts;
    base b;

    (void)state;
    open_base(&b);
    assert_int_equal(bb_contacts_open(b.storage, NULL, &contacts, NULL), BB_OK);
    memset(&newer, 0xEE, sizeof newer);
    memset(&principal, 0xEE, sizeof principal);
    newer.request = good_request();
    newer.request.size = sizeof newer;
    assert_int_equal(http_status(contacts, &newer.request), 200);
    bb_principal_init(&principal.principal);
    principal.principal.size = sizeof principal;
    principal.principal.workspace_id = 1;
    newer.request.principal = &principal.principal;
    assert_int_equal(http_status(contacts, &newer.request), 200);
    principal.principal.size = 8; /* of no version */
    assert_int_equal(http_status(contacts, &newer.request), 500);
    bb_contacts_close(contacts);
    close_base(&b);
}

static void test_abi_null_pointers_in_a_request_are_empty_texts(void **state)
{
    bb_request request = good_request();
    bb_principal principal;
    bb_contacts *contacts;
    base b;

    (void)state;
    open_base(&b);
    assert_int_equal(bb_contacts_open(b.storage, NULL, &contacts, NULL), BB_OK);
    request.authorization = NULL; /* the length says 18 still */
    assert_int_equal(http_status(contacts, &request), 401);
    request = good_request();
    request.body = NULL;
    assert_int_equal(http_status(contacts, &request), 400);
    request = good_request();
    request.idempotency_key_len = 1000;
    assert_int_equal(http_status(contacts, &request), 200);
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    request = good_request();
    request.authorization = NULL;
    request.principal = &principal;
    assert_int_equal(http_status(contacts, &request), 200);
    bb_contacts_close(contacts);
    close_base(&b);
}

static void test_C7_a_body_past_the_limit_is_a_413_whatever_it_points_at(void **state)
{
    bb_request request = good_request();
    bb_contacts *contacts;
    bb_config config;
    base b;

    (void)state;
    open_base(&b);
    bb_config_init(&config);
    config.max_body_bytes = request.body_len;
    assert_int_equal(bb_contacts_open(b.storage, &config, &contacts, NULL), BB_OK);
    assert_int_equal(http_status(contacts, &request), 200);
    request.body_len++;
    assert_int_equal(http_status(contacts, &request), 413);
    request.body = NULL;
    assert_int_equal(http_status(contacts, &request), 413);
    request.body_len = SIZE_MAX;
    request.body = "";
    assert_int_equal(http_status(contacts, &request), 413);
    b.script.always = BB_ERR_NOT_FOUND; /* scope comes before size (A1) */
    assert_int_equal(http_status(contacts, &request), 404);
    bb_contacts_close(contacts);
    close_base(&b);
}

static void test_E9_an_idempotency_key_has_at_most_255_bytes(void **state)
{
    char *key = repeat("k", 256);
    bb_request request = good_request();
    bb_contacts *contacts;
    base b;

    (void)state;
    open_base(&b);
    assert_int_equal(bb_contacts_open(b.storage, NULL, &contacts, NULL), BB_OK);
    request.idempotency_key = key;
    request.idempotency_key_len = 255;
    assert_int_equal(http_status(contacts, &request), 200);
    request.idempotency_key_len = 256;
    assert_int_equal(http_status(contacts, &request), 400);
    bb_contacts_close(contacts);
    close_base(&b);
    free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C7_defaults),
        cmocka_unit_test(test_C7_limits_are_taken_over),
        cmocka_unit_test(test_C7_limits_have_bounds),
        cmocka_unit_test(test_abi_a_larger_config_of_a_newer_caller_is_cut),
        cmocka_unit_test(test_abi_missing_arguments_are_refused),
        cmocka_unit_test(test_A3_every_failing_allocation_of_opening_is_reported),
        cmocka_unit_test(test_abi_upsert_without_arguments_is_a_500),
        cmocka_unit_test(test_abi_a_larger_request_of_a_newer_caller_is_cut),
        cmocka_unit_test(test_abi_null_pointers_in_a_request_are_empty_texts),
        cmocka_unit_test(test_C7_a_body_past_the_limit_is_a_413_whatever_it_points_at),
        cmocka_unit_test(test_E9_an_idempotency_key_has_at_most_255_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
