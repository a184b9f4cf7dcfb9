/*
 * test_upsert.c: whole requests on the memory backend while memory runs out (A2, A3).
 */
#include "unit.h"

#include "bb_contacts/backends.h"

#ifdef BB_WITH_MEMORY

enum { WORKSPACE = 7, CHATBOT = 42 };

typedef struct host {
    unit_memory memory;
    bb_storage *storage;
    bb_contacts *contacts;
} host;

static void open_host(host *h)
{
    bb_storage_options options;
    bb_config config;

    unit_memory_init(&h->memory);
    bb_storage_options_init(&options);
    options.allocator = &h->memory.allocator;
    assert_int_equal(bb_storage_open_memory(&options, &h->storage, NULL), BB_OK);
    assert_int_equal(bb_storage_chatbot_add(h->storage, CHATBOT, WORKSPACE, 0, NULL), BB_OK);
    bb_config_init(&config);
    config.allocator = &h->memory.allocator;
    assert_int_equal(bb_contacts_open(h->storage, &config, &h->contacts, NULL), BB_OK);
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    unit_memory_check(&h->memory);
}

static bb_result *send(host *h, bb_slice body)
{
    bb_principal principal;
    bb_request request;

    bb_principal_init(&principal);
    principal.workspace_id = WORKSPACE;
    bb_request_init(&request);
    request.chatbot_id = "42";
    request.chatbot_id_len = 2;
    request.principal = &principal;
    request.body = body.data;
    request.body_len = body.len;
    request.idempotency_key = "retry";
    request.idempotency_key_len = 5;
    return bb_contacts_upsert(h->contacts, &request);
}

/* A request that uses every stage: escapes, duplicates, generated ids, JSON to be compared, enough
 * entries for every array to grow. */
static test_text large_body(void)
{
    test_text b = {0};

    test_append_text(
        &b, "{\"users\":[{\"external_id\":\"dup\",\"custom_attributes\":{\"a\":1,\"b\":\"\\n\"}},"
            "{\"external_id\":\"dup\",\"custom_attributes\":{\"b\":\"\\u000a\",\"a\":1.0}},"
            "{\"external_id\":\"d\\u0075p\",\"name\":\"J\\u00fcrgen\"},{\"name\":\"made\"}");
    for (int i = 0; i < 100; i++) {
        char entry[128];
        snprintf(entry, sizeof entry,
                 ",{\"external_id\":\"u%d\",\"email\":\"%d@x\",\"stripe_accounts\":[{\"id\":%d}]}",
                 i, i, i);
        test_append_text(&b, entry);
    }
    test_append_text(&b, "]}");
    return b;
}

static const bb_slice faulty_body =
    ROW("{\"contacts\":[{\"name\":1},{\"custom_attributes\":{\"n\":\"\\u0000\"}},7]}");

/* Sends a body with the n-th allocation failing, for every n until the answer is `expected`, which
 * `*result` is then; each time before, nothing may be stored or leaked. Returns n. */
static size_t fail_until(host *h, bb_slice body, int32_t expected, int after, bb_result **result)
{
    size_t live = h->memory.live;
    size_t bytes = h->memory.live_bytes;

    for (size_t n = 1;; n++) {
        unit_memory_fail(&h->memory, n, after);
        *result = send(h, body);
        unit_memory_fail(&h->memory, 0, 0);
        if (bb_result_http_status(*result) == expected)
            return n;
        assert_int_equal(bb_result_http_status(*result), 500);
        assert_int_equal(bb_result_entries(*result), 0);
        bb_result_free(*result);
        if (h->memory.live != live || h->memory.live_bytes != bytes)
            fail_msg("allocation %zu failed: %zu blocks instead of %zu", n, h->memory.live, live);
    }
}

static void expect_outcomes(host *h, bb_slice body, int32_t outcome, size_t count)
{
    bb_result *result = send(h, body);

    assert_int_equal(bb_result_http_status(result), 200);
    assert_int_equal(bb_result_count(result, outcome), count);
    bb_result_free(result);
}

/* Uses the session once, so that no allocation of the pool or the backend is left for later. */
static void warm_up(host *h)
{
    bb_result_free(send(h, LITERAL("{}")));
}

static void test_A2_creating_while_memory_fails_stores_nothing(void **state)
{
    test_text body = large_body();

    (void)state;
    for (int after = 0; after < 2; after++) {
        bb_result *result;
        host h;
        open_host(&h);
        warm_up(&h);
        assert_true(fail_until(&h, built(&body), 200, after, &result) > 100);
        /* the success was the first to store */
        assert_int_equal(bb_result_count(result, BB_CREATED), 102);
        bb_result_free(result);
        expect_outcomes(&h, built(&body), BB_UNCHANGED, 104);
        close_host(&h);
    }
    free(body.data);
}

/* If a failed creation left something behind, the next request would find it and call it
 * unchanged. */
static void test_A2_after_a_failure_contacts_are_still_new(void **state)
{
    test_text body = large_body();
    size_t failures = 0;

    (void)state;
    for (size_t n = 1;; n += 7) {
        bb_result *result;
        int32_t status;
        host h;
        open_host(&h);
        warm_up(&h);
        unit_memory_fail(&h.memory, n, 0);
        result = send(&h, built(&body));
        unit_memory_fail(&h.memory, 0, 0);
        status = bb_result_http_status(result);
        bb_result_free(result);
        if (status == 500) /* 102 contacts, the first of the duplicates counts as theirs */
            expect_outcomes(&h, built(&body), BB_CREATED, 102);
        close_host(&h);
        if (status == 200)
            break;
        failures++;
    }
    assert_true(failures > 10);
    free(body.data);
}

static void test_A2_updating_while_memory_fails_changes_nothing(void **state)
{
    test_text body = large_body();
    test_text changed = large_body();
    char *at;

    (void)state;
    for (at = changed.data; (at = strstr(at, "@x")) != NULL; at += 2)
        at[1] = 'y';
    for (int after = 0; after < 2; after++) {
        bb_result *result;
        host h;
        open_host(&h);
        expect_outcomes(&h, built(&body), BB_CREATED, 102);
        assert_true(fail_until(&h, built(&changed), 200, after, &result) > 100);
        /* the success was the first to change anything */
        assert_int_equal(bb_result_count(result, BB_UPDATED), 100);
        bb_result_free(result);
        expect_outcomes(&h, built(&changed), BB_UNCHANGED, 104);
        expect_outcomes(&h, built(&body), BB_UPDATED, 100);
        close_host(&h);
    }
    free(body.data);
    free(changed.data);
}

static void test_A3_refusing_while_memory_fails_is_a_500(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        bb_result *result;
        host h;
        open_host(&h);
        warm_up(&h);
        assert_true(fail_until(&h, faulty_body, 400, after, &result) > 2);
        bb_result_free(result);
        close_host(&h);
    }
}

static void test_A3_the_answers_are_what_they_are_with_memory(void **state)
{
    bb_result *result;
    host h;

    (void)state;
    open_host(&h);
    result = send(&h, faulty_body);
    assert_string_equal(
        bb_result_body(result, NULL),
        "{\"message\":\"Invalid request data\",\"issues\":["
        "{\"field\":\"contacts[0].name\",\"message\":\"Expected string, received number\"},"
        "{\"field\":\"contacts[1].custom_attributes.n\","
        "\"message\":\"String must not contain U+0000\"},"
        "{\"field\":\"contacts[2]\",\"message\":\"Expected object, received number\"}]}");
    bb_result_free(result);
    close_host(&h);
}

static void test_A3_opening_and_administering_while_memory_fails(void **state)
{
    size_t n = 1;

    (void)state;
    for (;; n++) {
        bb_storage_options options;
        bb_storage *storage = NULL;
        bb_key_options key;
        unit_memory memory;
        char out[BB_KEY_SIZE];
        int32_t code;
        unit_memory_init(&memory);
        unit_memory_fail(&memory, n, 1);
        bb_storage_options_init(&options);
        options.allocator = &memory.allocator;
        bb_key_options_init(&key);
        key.workspace_id = WORKSPACE;
        code = bb_storage_open_memory(&options, &storage, NULL);
        if (code == BB_OK)
            code = bb_storage_chatbot_add(storage, CHATBOT, WORKSPACE, 0, NULL);
        if (code == BB_OK)
            code = bb_storage_key_add(storage, &key, out, sizeof out, 0, NULL);
        bb_storage_close(storage);
        unit_memory_check(&memory);
        if (code == BB_OK)
            break;
        assert_int_equal(code, BB_ERR_NOMEM);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A2_creating_while_memory_fails_stores_nothing),
        cmocka_unit_test(test_A2_after_a_failure_contacts_are_still_new),
        cmocka_unit_test(test_A2_updating_while_memory_fails_changes_nothing),
        cmocka_unit_test(test_A3_refusing_while_memory_fails_is_a_500),
        cmocka_unit_test(test_A3_the_answers_are_what_they_are_with_memory),
        cmocka_unit_test(test_A3_opening_and_administering_while_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 77; /* skipped: there is no memory backend in this build */
}

#endif
