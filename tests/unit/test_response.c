/*
 * test_response.c: outcomes as status and JSON body, and what callers read of them (A3, A4, E2,
 * E3).
 */
#include "unit.h"

#include "request/response.h"
#include "json/check.h"

static const struct {
    int32_t status;
    int32_t http;
    const char *body;
} plain[] = {
    {BB_STATUS_SUCCESS, 200, "{\"message\":\"Success\"}"},
    {BB_STATUS_INVALID_DATA, 400, "{\"message\":\"Invalid request data\"}"},
    {BB_STATUS_TOO_MANY_CONTACTS, 400, "{\"message\":\"Maximum 1000 contacts per request\"}"},
    {BB_STATUS_NO_KEY, 401, "{\"message\":\"No API key provided.\"}"},
    {BB_STATUS_INVALID_KEY, 401, "{\"message\":\"Invalid API key.\"}"},
    {BB_STATUS_NOT_FOUND, 404, "{\"message\":\"Resource not found\"}"},
    {BB_STATUS_CONFLICT, 409,
     "{\"message\":\"Error saving chatbot contact. External ID or email already exists.\"}"},
    {BB_STATUS_PAYLOAD_TOO_LARGE, 413, "{\"message\":\"Payload too large\"}"},
    {BB_STATUS_INTERNAL_ERROR, 500, "{\"message\":\"Internal server error\"}"},
    {BB_STATUS_UNAVAILABLE, 503, "{\"message\":\"Service unavailable\"}"},
};

static void expect_plain(const bb_result *result, size_t row)
{
    size_t len = 0;
    const char *body = bb_result_body(result, &len);

    assert_int_equal(bb_result_status(result), plain[row].status);
    assert_int_equal(bb_result_http_status(result), plain[row].http);
    assert_string_equal(body, plain[row].body);
    assert_int_equal(len, strlen(plain[row].body));
    assert_int_equal(bb_result_entries(result), 0);
    assert_int_equal(bb_result_outcome(result, 0), -1);
    for (int32_t outcome = -1; outcome <= 3; outcome++)
        assert_int_equal(bb_result_count(result, outcome), 0);
}

static void test_A3_every_status_has_its_body_and_takes_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        bb_result *result = bb_response_plain(plain[i].status);
        expect_plain(result, i);
        bb_result_free(result);
        expect_plain(result, i); /* static: freeing left it alone */
        assert_ptr_equal(result, bb_response_plain(plain[i].status));
    }
}

static void test_E11_no_result_reads_as_a_500(void **state)
{
    (void)state;
    expect_plain(NULL, 8);
    assert_string_equal(bb_result_body(NULL, NULL), "{\"message\":\"Internal server error\"}");
    bb_result_free(NULL);
}

/* ------------------------------------------------------------------------------------ successes */

/* A batch by hand: entries of records, and the contact of each record. */
typedef struct success {
    unit_memory memory;
    bb_arena arena;
    bb_batch batch;
    bb_rendered rendered;
    uint32_t record_of[8];
    uint8_t outcomes[8];
} success;

static void begin(success *s, size_t records)
{
    memset(s, 0, sizeof *s);
    unit_memory_init(&s->memory);
    bb_arena_init(&s->arena, &s->memory.allocator);
    s->batch.record_of = s->record_of;
    s->batch.outcomes = s->outcomes;
    s->batch.record_count = records;
    assert_int_equal(bb_rendered_init(&s->rendered, records, SIZE_MAX, &s->arena), BB_OK);
}

static void end(success *s)
{
    bb_rendered_free(&s->rendered);
    bb_arena_free(&s->arena);
    unit_memory_check(&s->memory);
}

static const bb_contact full_contact = {.size = sizeof(bb_contact),
                                        .id = INT64_MAX,
                                        .created_at_us = 1700000000999999,
                                        .updated_at_us = INT64_MAX,
                                        .external_id = {"e", 1},
                                        .name = {"n", 1},
                                        .email = {"m", 1},
                                        .phonenumber = {"p", 1},
                                        .stripe_accounts = {"[{\"a\":1.0}]", 11},
                                        .custom_attributes = {"{\"b\":[]}", 8}};

static const bb_contact bare_contact = {.size = sizeof(bb_contact),
                                        .id = 1,
                                        .external_id = {"x", 1},
                                        .stripe_accounts = {"[]", 2},
                                        .custom_attributes = {"{}", 2}};

#define FULL                                                                        \
    "{\"id\":\"contact_9223372036854775807\",\"external_id\":\"e\",\"name\":\"n\"," \
    "\"email\":\"m\",\"phonenumber\":\"p\",\"stripe_accounts\":[{\"a\":1.0}],"      \
    "\"custom_attributes\":{\"b\":[]},\"created_at\":1700000000,\"updated_at\":9223372036854}"
#define BARE                                                                    \
    "{\"id\":\"contact_1\",\"external_id\":\"x\",\"name\":null,\"email\":null," \
    "\"phonenumber\":null,\"stripe_accounts\":[],\"custom_attributes\":{},"     \
    "\"created_at\":0,\"updated_at\":0}"

static void test_E3_a_contact_has_its_fields_in_order(void **state)
{
    success s;

    (void)state;
    begin(&s, 2);
    assert_int_equal(bb_rendered_put(&s.rendered, 1, &full_contact), BB_OK);
    assert_int_equal(bb_rendered_put(&s.rendered, 0, &bare_contact), BB_OK);
    assert_slice(((bb_slice){s.rendered.json.data + s.rendered.start[1], s.rendered.len[1]}), FULL);
    assert_slice(((bb_slice){s.rendered.json.data + s.rendered.start[0], s.rendered.len[0]}), BARE);
    end(&s);
}

static void test_E3_strings_are_escaped(void **state)
{
    bb_contact contact = bare_contact;
    bb_json_facts facts;
    success s;

    (void)state;
    begin(&s, 1);
    contact.external_id = LITERAL("\"\\/\b\f\n\r\t\x01\x0B\x1F\x7F");
    contact.name = LITERAL("J\xC3\xBCrgen \xF0\x9F\x98\x80");
    contact.email = LITERAL("");
    contact.phonenumber = LITERAL("null");
    assert_int_equal(bb_rendered_put(&s.rendered, 0, &contact), BB_OK);
    assert_true(
        bb_json_check(&s.memory.allocator, s.rendered.json.data, s.rendered.json.len, &facts));
    assert_slice(((bb_slice){s.rendered.json.data, s.rendered.json.len}),
                 "{\"id\":\"contact_1\",\"external_id\":"
                 "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u000b\\u001f\x7F\","
                 "\"name\":\"J\xC3\xBCrgen \xF0\x9F\x98\x80\",\"email\":\"\","
                 "\"phonenumber\":\"null\",\"stripe_accounts\":[],\"custom_attributes\":{},"
                 "\"created_at\":0,\"updated_at\":0}");
    end(&s);
}

static void test_E2_one_contact_for_each_entry_in_the_order_sent(void **state)
{
    static const uint32_t record_of[] = {1, 0, 1, 1};
    static const uint8_t outcomes[] = {BB_CREATED, BB_UNCHANGED, BB_UPDATED, BB_UNCHANGED};
    static const char expected[] =
        "{\"message\":\"Success\",\"data\":[" FULL "," BARE "," FULL "," FULL "]}";
    bb_result *result;
    success s;
    size_t len;

    (void)state;
    begin(&s, 2);
    s.batch.entry_count = 4;
    memcpy(s.record_of, record_of, sizeof record_of);
    memcpy(s.outcomes, outcomes, sizeof outcomes);
    assert_int_equal(bb_rendered_put(&s.rendered, 0, &bare_contact), BB_OK);
    assert_int_equal(bb_rendered_put(&s.rendered, 1, &full_contact), BB_OK);
    result = bb_response_success(&s.memory.allocator, &s.batch, &s.rendered);
    assert_int_equal(bb_result_http_status(result), 200);
    assert_string_equal(bb_result_body(result, &len), expected);
    assert_int_equal(len, sizeof expected - 1);
    assert_int_equal(bb_result_entries(result), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bb_result_outcome(result, i), outcomes[i]);
    assert_int_equal(bb_result_outcome(result, 4), -1);
    assert_int_equal(bb_result_outcome(result, SIZE_MAX), -1);
    assert_int_equal(bb_result_count(result, BB_CREATED), 1);
    assert_int_equal(bb_result_count(result, BB_UPDATED), 1);
    assert_int_equal(bb_result_count(result, BB_UNCHANGED), 2);
    assert_int_equal(bb_result_count(result, 3), 0);
    assert_int_equal(bb_result_count(result, -1), 0);
    bb_result_free(result);
    end(&s);
}

static void test_A3_a_success_without_memory_is_a_500(void **state)
{
    success s;
    size_t n = 1;

    (void)state;
    begin(&s, 1);
    s.batch.entry_count = 1;
    assert_int_equal(bb_rendered_put(&s.rendered, 0, &full_contact), BB_OK);
    for (;; n++) {
        bb_result *result;
        int32_t status;
        unit_memory_fail(&s.memory, n, 0);
        result = bb_response_success(&s.memory.allocator, &s.batch, &s.rendered);
        status = bb_result_http_status(result);
        bb_result_free(result);
        if (status == 200)
            break;
        assert_int_equal(status, 500);
    }
    assert_int_equal(n, 4);
    end(&s);
}

static void test_A3_a_contact_without_memory_is_reported(void **state)
{
    success s;

    (void)state;
    begin(&s, 1);
    unit_memory_fail(&s.memory, 1, 0);
    assert_int_equal(bb_rendered_put(&s.rendered, 0, &full_contact), BB_ERR_NOMEM);
    bb_buffer_reset(&s.rendered.json); /* before another attempt */
    assert_int_equal(bb_rendered_put(&s.rendered, 0, &bare_contact), BB_OK);
    assert_slice(((bb_slice){s.rendered.json.data, s.rendered.json.len}), BARE);
    end(&s);
}

/* --------------------------------------------------------------------------------------- issues */

static void test_A3_issues_make_a_400(void **state)
{
    const bb_json_path root = {NULL, {"users", 5}, 0};
    const bb_json_path entry = {&root, {NULL, 0}, 3};
    const bb_json_path field = {&entry, {"email", 5}, 0};
    static const char expected[] =
        "{\"message\":\"Invalid request data\",\"issues\":[{\"field\":\"users[3].email\","
        "\"message\":\"Expected string, received number\"}]}";
    unit_memory memory;
    bb_issues issues;
    size_t n = 1;

    (void)state;
    unit_memory_init(&memory);
    bb_issues_init(&issues, &memory.allocator);
    bb_issues_add(&issues, &field, "Expected string, received number");
    for (;; n++) {
        bb_result *result;
        size_t len;
        unit_memory_fail(&memory, n, 0);
        result = bb_response_issues(&memory.allocator, &issues, "users");
        if (bb_result_http_status(result) == 400) {
            assert_int_equal(bb_result_status(result), BB_STATUS_INVALID_DATA);
            assert_string_equal(bb_result_body(result, &len), expected);
            assert_int_equal(len, sizeof expected - 1);
            assert_int_equal(bb_result_entries(result), 0);
            assert_int_equal(bb_result_outcome(result, 0), -1);
            bb_result_free(result);
            break;
        }
        expect_plain(result, 8);
        bb_result_free(result);
    }
    assert_int_equal(n, 3);
    bb_issues_free(&issues);
    unit_memory_check(&memory);
}

static void test_A3_issues_that_did_not_fit_into_memory_make_a_500(void **state)
{
    const bb_json_path root = {NULL, {"users", 5}, 0};
    unit_memory memory;
    bb_issues issues;
    bb_result *result;

    (void)state;
    unit_memory_init(&memory);
    bb_issues_init(&issues, &memory.allocator);
    unit_memory_fail(&memory, 1, 0);
    bb_issues_add(&issues, &root, "lost");
    result = bb_response_issues(&memory.allocator, &issues, "users");
    expect_plain(result, 8);
    bb_result_free(result);
    bb_issues_free(&issues);
    unit_memory_check(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A3_every_status_has_its_body_and_takes_no_memory),
        cmocka_unit_test(test_E11_no_result_reads_as_a_500),
        cmocka_unit_test(test_E3_a_contact_has_its_fields_in_order),
        cmocka_unit_test(test_E3_strings_are_escaped),
        cmocka_unit_test(test_E2_one_contact_for_each_entry_in_the_order_sent),
        cmocka_unit_test(test_A3_a_success_without_memory_is_a_500),
        cmocka_unit_test(test_A3_a_contact_without_memory_is_reported),
        cmocka_unit_test(test_A3_issues_make_a_400),
        cmocka_unit_test(test_A3_issues_that_did_not_fit_into_memory_make_a_500),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
