/*
 * test_administration.c: chatbots and keys are administered through a storage (B1, B2, A5).
 */
#include "scripted.h"

#include <ctype.h>
#include <sodium.h>

#include "bb_contacts/backends.h"

typedef struct admin {
    script script;
    unit_memory memory;
    bb_storage *storage;
    bb_error error;
} admin;

static void open_admin(admin *a)
{
    memset(a, 0, sizeof *a);
    script_init(&a->script);
    unit_memory_init(&a->memory);
    bb_error_init(&a->error);
    assert_int_equal(
        bb_storage_new(&script_table, &a->script, &a->memory.allocator, &a->storage, &a->error),
        BB_OK);
}

static void close_admin(admin *a)
{
    assert_int_equal(a->script.closed, a->script.opened); /* admin keeps no session */
    bb_storage_close(a->storage);
    assert_int_equal(a->script.store_closed, 1);
    unit_memory_check(&a->memory);
    script_destroy(&a->script);
}

static void test_admin_arguments_are_checked(void **state)
{
    bb_key_options options;
    char out[BB_KEY_SIZE];
    admin a;

    (void)state;
    bb_key_options_init(&options);
    options.workspace_id = 1;
    assert_int_equal(bb_storage_migrate(NULL, 0, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_chatbot_add(NULL, 1, 1, 0, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_chatbot_archive(NULL, 1, 1, 0, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_add(NULL, &options, out, sizeof out, 0, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_revoke(NULL, "oc_a_b", 6, 0, NULL), BB_ERR_ARGUMENT);
    open_admin(&a);
    assert_int_equal(bb_storage_chatbot_add(a.storage, 0, 1, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_chatbot_add(a.storage, -1, 1, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_chatbot_add(a.storage, 1, 0, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_chatbot_add(a.storage, 1, -1, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_chatbot_archive(a.storage, 0, 1, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_revoke(a.storage, NULL, 6, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_revoke(a.storage, "nonsense", 8, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(a.script.opens, 0);
    close_admin(&a);
}

static void test_admin_calls_reach_the_backend(void **state)
{
    uint8_t hash[BB_KEY_HASH_SIZE];
    admin a;

    (void)state;
    open_admin(&a);
    assert_int_equal(bb_storage_chatbot_add(a.storage, INT64_MAX, 7, 0, &a.error), BB_OK);
    assert_string_equal(a.script.last_call, "chatbot_add");
    assert_int_equal(a.script.numbers[0], INT64_MAX);
    assert_int_equal(a.script.numbers[1], 7);
    assert_true(a.script.numbers[2] > INT64_C(1600000000000000));
    assert_int_equal(bb_storage_chatbot_archive(a.storage, 5, -3, 0, &a.error), BB_OK);
    assert_int_equal(a.script.numbers[0], 5);
    assert_int_equal(a.script.numbers[1], 1);
    assert_int_equal(bb_storage_chatbot_archive(a.storage, 5, 0, 0, &a.error), BB_OK);
    assert_int_equal(a.script.numbers[1], 0);
    assert_int_equal(bb_storage_key_revoke(a.storage, "oc_live_abcXX", 11, 0, &a.error), BB_OK);
    crypto_hash_sha256(hash, (const unsigned char *)"oc_live_abc", 11);
    assert_memory_equal(a.script.key_hash, hash, sizeof hash);
    close_admin(&a);
}

static void test_admin_calls_are_tried_again(void **state)
{
    const int32_t codes[] = {BB_ERR_RETRY, BB_ERR_LOST, BB_ERR_RETRY};
    admin a;

    (void)state;
    open_admin(&a);
    a.script.open_codes[1] = BB_ERR_LOST;
    script_answers(&a.script, codes, COUNT_OF(codes));
    assert_int_equal(bb_storage_chatbot_add(a.storage, 1, 1, 0, &a.error), BB_OK);
    assert_int_equal(a.script.calls, 4);
    assert_int_equal(a.script.opens, 5);
    assert_int_equal(a.error.code, BB_OK); /* filled in only on failure */
    close_admin(&a);
}

static void test_admin_retries_end_at_the_deadline(void **state)
{
    static const int32_t codes[][2] = {{BB_ERR_RETRY, BB_ERR_BUSY},
                                       {BB_ERR_LOST, BB_ERR_UNAVAILABLE}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        size_t calls = 0;
        /* longer after each run in which a slow machine left no time for a second call */
        for (int64_t ms = 60; calls <= 1 && ms < 30000; ms *= 2) {
            int64_t start = bb_deadline_in(60000);
            admin a;
            open_admin(&a);
            a.script.always = codes[i][0];
            assert_int_equal(bb_storage_migrate(a.storage, ms, &a.error), codes[i][1]);
            assert_int_equal(a.error.code, codes[i][1]);
            assert_true(a.error.message[0] != '\0');
            assert_in_range(bb_deadline_left(start), 1, 60000 - ms + 10);
            calls = a.script.calls;
            close_admin(&a);
        }
        assert_true(calls > 1);
    }
}

static void test_admin_errors_are_told_as_they_come(void **state)
{
    static const int32_t codes[] = {BB_ERR_NOMEM,       BB_ERR_NOT_FOUND, BB_ERR_CONFLICT,
                                    BB_ERR_UNAVAILABLE, BB_ERR_SCHEMA,    BB_ERR_INTERNAL};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        admin a;
        open_admin(&a);
        script_answers(&a.script, &codes[i], 1);
        assert_int_equal(bb_storage_migrate(a.storage, 0, &a.error), codes[i]);
        assert_int_equal(a.error.code, codes[i]);
        assert_string_equal(a.error.message, bb_code_text(codes[i]));
        assert_string_equal(a.error.sqlstate, "");
        assert_int_equal(a.script.calls, 1);
        a.script.message = "the engine's own words";
        a.script.sqlstate = "42P01";
        a.script.open_codes[1] = codes[i];
        assert_int_equal(bb_storage_chatbot_archive(a.storage, 1, 1, 0, &a.error), codes[i]);
        assert_string_equal(a.error.message, "the engine's own words");
        assert_string_equal(a.error.sqlstate, "42P01");
        close_admin(&a);
    }
}

/* ---------------------------------------------------------------------------------------- keys */

static int32_t fill_random(void *ctx, void *out, size_t len)
{
    memset(out, *(const unsigned char *)ctx, len);
    return 0;
}

static int32_t no_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    (void)out;
    (void)len;
    return -1;
}

static bb_key_options options_for(int64_t workspace_id)
{
    bb_key_options options;

    bb_key_options_init(&options);
    options.workspace_id = workspace_id;
    return options;
}

static void expect_hash_of(const admin *a, const char *key)
{
    uint8_t hash[BB_KEY_HASH_SIZE];

    crypto_hash_sha256(hash, (const unsigned char *)key, strlen(key));
    assert_memory_equal(a->script.key_hash, hash, sizeof hash);
}

static void test_B1_a_made_key_has_the_form_of_keys(void **state)
{
    bb_key_options options = options_for(7);
    char first[BB_KEY_SIZE];
    char second[BB_KEY_SIZE];
    admin a;

    (void)state;
    open_admin(&a);
    options.chatbot_id = 9;
    options.expires_at = 1800000000;
    assert_int_equal(bb_storage_key_add(a.storage, &options, first, sizeof first, 0, &a.error),
                     BB_OK);
    assert_int_equal(strlen(first), 8 + 64);
    assert_memory_equal(first, "oc_live_", 8);
    for (size_t i = 8; i < strlen(first); i++)
        assert_true(isxdigit((unsigned char)first[i]));
    expect_hash_of(&a, first);
    assert_int_equal(a.script.key.workspace_id, 7);
    assert_int_equal(a.script.key.chatbot_id, 9);
    assert_int_equal(a.script.key.expires_at_us, INT64_C(1800000000000000));
    assert_true(a.script.key.now_us > INT64_C(1600000000000000));
    assert_int_equal(a.script.key.size, sizeof(bb_key_record));
    assert_int_equal(bb_storage_key_add(a.storage, &options, second, sizeof second, 0, &a.error),
                     BB_OK);
    assert_string_not_equal(first, second);
    close_admin(&a);
}

static void test_B1_environment_and_randomness_are_the_callers(void **state)
{
    static const char longest[] = "abcdefghijklmnopqrstuvwxyz012345";
    unsigned char byte = 0xA7;
    bb_key_options options = options_for(1);
    test_text expected = {0};
    char out[BB_KEY_SIZE];
    admin a;

    (void)state;
    open_admin(&a);
    options.random = fill_random;
    options.random_ctx = &byte;
    options.env = "test1!";
    options.env_len = 5;
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, sizeof out, 0, &a.error), BB_OK);
    test_append_text(&expected, "oc_test1_");
    test_append_times(&expected, "a7", 32);
    assert_string_equal(out, expected.data);
    expect_hash_of(&a, out);
    options.env = longest;
    options.env_len = 32;
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, sizeof out, 0, &a.error), BB_OK);
    assert_memory_equal(out + 3, longest, 32);
    free(expected.data);
    close_admin(&a);
}

static void test_B1_an_environment_is_letters_and_digits(void **state)
{
    static const bb_slice bad[] = {
        ROW(""),      ROW("a b"), ROW("a-b"),    ROW("a_b"),
        ROW("live_"), ROW("_"),   ROW("a\0b"),   ROW("\xC3\xA9"),
        ROW("a/b"),   ROW("\n"),  ROW("live\0"), ROW("abcdefghijklmnopqrstuvwxyz0123456")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bb_key_options options = options_for(1);
        char out[2 * BB_KEY_SIZE] = "as it was";
        admin a;
        open_admin(&a);
        options.env = bad[i].data;
        options.env_len = bad[i].len;
        if (bb_storage_key_add(a.storage, &options, out, sizeof out, 0, &a.error) !=
            BB_ERR_ARGUMENT)
            fail_msg("\"%s\" made %s", bad[i].data, out);
        assert_string_equal(out, "as it was");
        assert_int_equal(a.script.opens, 0);
        close_admin(&a);
    }
}

static void test_B1_no_random_bytes_make_no_key(void **state)
{
    bb_key_options options = options_for(1);
    char out[BB_KEY_SIZE] = "as it was";
    admin a;

    (void)state;
    open_admin(&a);
    options.random = no_random;
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, sizeof out, 0, &a.error),
                     BB_ERR_INTERNAL);
    assert_string_equal(out, "as it was");
    assert_int_equal(a.script.opens, 0);
    close_admin(&a);
}

static void test_B2_a_key_without_room_is_not_stored(void **state)
{
    bb_key_options options = options_for(1);
    char out[BB_KEY_SIZE] = "as it was";
    admin a;

    (void)state;
    open_admin(&a);
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, 0, 0, &a.error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, 72, 0, &a.error),
                     BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_add(a.storage, &options, NULL, sizeof out, 0, &a.error),
                     BB_ERR_ARGUMENT);
    assert_string_equal(out, "as it was");
    assert_int_equal(a.script.opens, 0);
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, 73, 0, &a.error), BB_OK);
    assert_int_equal(strlen(out), 72);
    close_admin(&a);
}

static void test_B1_a_key_that_exists_may_be_registered(void **state)
{
    bb_key_options options = options_for(1);
    char out[16];
    admin a;

    (void)state;
    open_admin(&a);
    options.token = "oc_live_abcdefg";
    options.token_len = 11;
    assert_int_equal(bb_storage_key_add(a.storage, &options, NULL, 0, 0, &a.error), BB_OK);
    expect_hash_of(&a, "oc_live_abc");
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, 11, 0, &a.error),
                     BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_add(a.storage, &options, out, 12, 0, &a.error), BB_OK);
    assert_string_equal(out, "oc_live_abc");
    close_admin(&a);
}

static void test_B1_tokens_of_another_form_are_refused(void **state)
{
    static const bb_slice bad[] = {ROW(""),
                                   ROW("oc_live_"),
                                   ROW("sk_live_secret"),
                                   ROW("oc_live_secret word"),
                                   ROW("oc__secret"),
                                   ROW("Bearer oc_live_secret"),
                                   ROW("oc_live_secret\n")};
    char *too_long = repeat("secret", 200);
    bb_key_options options = options_for(1);
    admin a;

    (void)state;
    open_admin(&a);
    for (size_t i = 0; i <= COUNT_OF(bad); i++) {
        test_text text = {0};
        test_append_text(&text, "oc_live_");
        test_append_text(&text, too_long);
        options.token = i < COUNT_OF(bad) ? bad[i].data : text.data;
        options.token_len = i < COUNT_OF(bad) ? bad[i].len : text.len;
        assert_int_equal(bb_storage_key_add(a.storage, &options, NULL, 0, 0, &a.error),
                         BB_ERR_ARGUMENT);
        assert_null(strstr(a.error.message, "secret"));
        free(text.data);
    }
    assert_int_equal(a.script.opens, 0);
    free(too_long);
    close_admin(&a);
}

static void test_B3_key_options_are_checked(void **state)
{
    bb_key_options options[6];
    char out[BB_KEY_SIZE];
    admin a;

    (void)state;
    open_admin(&a);
    for (size_t i = 0; i < COUNT_OF(options); i++)
        options[i] = options_for(1);
    options[0].workspace_id = 0;
    options[1].workspace_id = -1;
    options[2].chatbot_id = -1;
    options[3].expires_at = -1;
    options[4].expires_at = INT64_MAX / 1000000 + 1;
    options[5].size = offsetof(bb_key_options, random_bytes) - 1;
    for (size_t i = 0; i < COUNT_OF(options); i++)
        assert_int_equal(bb_storage_key_add(a.storage, &options[i], out, sizeof out, 0, &a.error),
                         BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_key_add(a.storage, NULL, out, sizeof out, 0, &a.error),
                     BB_ERR_ARGUMENT);
    assert_int_equal(a.script.opens, 0);
    options[4].expires_at = INT64_MAX / 1000000;
    assert_int_equal(bb_storage_key_add(a.storage, &options[4], out, sizeof out, 0, &a.error),
                     BB_OK);
    close_admin(&a);
}

static void test_A5_no_error_text_holds_the_key(void **state)
{
    static const int32_t codes[] = {BB_ERR_CONFLICT, BB_ERR_INTERNAL, BB_ERR_NOT_FOUND};
    bb_key_options options = options_for(1);
    char out[BB_KEY_SIZE] = "as it was";
    admin a;

    (void)state;
    open_admin(&a);
    options.token = "oc_live_secret";
    options.token_len = strlen(options.token);
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        script_answers(&a.script, &codes[i], 1);
        assert_int_equal(bb_storage_key_add(a.storage, &options, out, sizeof out, 0, &a.error),
                         codes[i]);
        assert_null(strstr(a.error.message, "secret"));
        assert_string_equal(out, "as it was");
        script_answers(&a.script, &codes[i], 1);
        assert_int_equal(
            bb_storage_key_revoke(a.storage, options.token, options.token_len, 0, &a.error),
            codes[i]);
        assert_null(strstr(a.error.message, "secret"));
    }
    close_admin(&a);
}

#ifdef BB_WITH_MEMORY

static void test_admin_of_memory_tells_what_is_not_there(void **state)
{
    bb_storage *storage = NULL;
    bb_error error;

    (void)state;
    bb_error_init(&error);
    assert_int_equal(bb_storage_open_memory(NULL, &storage, NULL), BB_OK);
    assert_int_equal(bb_storage_chatbot_archive(storage, 9, 1, 0, &error), BB_ERR_NOT_FOUND);
    assert_string_equal(error.message, "there is no such chatbot");
    bb_storage_close(storage);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef BB_WITH_MEMORY
        cmocka_unit_test(test_admin_of_memory_tells_what_is_not_there),
#endif
        cmocka_unit_test(test_admin_arguments_are_checked),
        cmocka_unit_test(test_admin_calls_reach_the_backend),
        cmocka_unit_test(test_admin_calls_are_tried_again),
        cmocka_unit_test(test_admin_retries_end_at_the_deadline),
        cmocka_unit_test(test_admin_errors_are_told_as_they_come),
        cmocka_unit_test(test_B1_a_made_key_has_the_form_of_keys),
        cmocka_unit_test(test_B1_environment_and_randomness_are_the_callers),
        cmocka_unit_test(test_B1_an_environment_is_letters_and_digits),
        cmocka_unit_test(test_B1_no_random_bytes_make_no_key),
        cmocka_unit_test(test_B2_a_key_without_room_is_not_stored),
        cmocka_unit_test(test_B1_a_key_that_exists_may_be_registered),
        cmocka_unit_test(test_B1_tokens_of_another_form_are_refused),
        cmocka_unit_test(test_B3_key_options_are_checked),
        cmocka_unit_test(test_A5_no_error_text_holds_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
