/*
 * test_storage.c: making a storage of a table, and administering it (B1, B2, A5).
 */
#include "scripted.h"

#include <ctype.h>
#include <sodium.h>

#include "bb_contacts/backends.h"
#include "execute/storage.h"

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

/* ---------------------------------------------------------------------------------- the table */

static void expect_refused(const bb_storage_vtable *table)
{
    bb_storage *storage;
    bb_storage *before;
    unit_memory memory;
    bb_error error;
    script s;

    script_init(&s);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, &before, NULL), BB_OK);
    storage = before;
    unit_memory_init(&memory);
    bb_error_init(&error);
    assert_int_equal(bb_storage_new(table, &s, &memory.allocator, &storage, &error),
                     BB_ERR_ARGUMENT);
    assert_int_equal(error.code, BB_ERR_ARGUMENT);
    assert_true(error.message[0] != '\0');
    assert_null(storage);
    assert_int_equal(s.store_closed, 0); /* still the caller's */
    unit_memory_check(&memory);
    assert_int_equal(bb_storage_new(table, &s, NULL, &storage, NULL), BB_ERR_ARGUMENT);
    bb_storage_close(before);
    script_destroy(&s);
}

static void test_vtable_required_functions_must_be_there(void **state)
{
    bb_storage_vtable tables[5];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        tables[i] = script_table;
    tables[0].session_open = NULL;
    tables[1].session_close = NULL;
    tables[2].authorize = NULL;
    tables[3].write = NULL;
    tables[4].name = NULL;
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        expect_refused(&tables[i]);
    expect_refused(NULL);
}

static void test_vtable_size_and_version_must_be_known(void **state)
{
    bb_storage_vtable table = script_table;

    (void)state;
    table.version = 0;
    expect_refused(&table);
    table = script_table;
    for (size_t size = 0; size < offsetof(bb_storage_vtable, write_group); size++) {
        table.size = size;
        expect_refused(&table);
    }
}

static int32_t never_called(void *session, const bb_write_group *group, bb_error *error)
{
    (void)session;
    (void)group;
    (void)error;
    fail();
    return BB_ERR_INTERNAL;
}

/* A table of version 1 ends before write_group(): what lies there is not the backend's. */
static void test_vtable_of_version_1_has_no_groups(void **state)
{
    bb_storage_vtable table = script_table;
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    table.size = offsetof(bb_storage_vtable, write_group);
    table.version = 1;
    table.write_group = never_called;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_null(storage->vtable.write_group);
    bb_storage_close(storage);
    script_destroy(&s);
}

/* Between two versions there is none: half a pointer is not the backend's. */
static void test_vtable_is_cut_where_a_version_ends(void **state)
{
    bb_storage_vtable table = script_table;
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    table.write_group = never_called;
    table.size = offsetof(bb_storage_vtable, write_group) + 4;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_null(storage->vtable.write_group);
    bb_storage_close(storage);
    script_destroy(&s);
}

/* A table of a version to come: larger, with members unknown here. */
static void test_vtable_of_a_newer_author_is_cut(void **state)
{
    struct {
        bb_storage_vtable table;
        unsigned char tail[256];
    } newer;
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    memset(&newer, 0xEE, sizeof newer);
    newer.table = script_table;
    newer.table.size = sizeof newer;
    newer.table.version = BB_STORAGE_VERSION + 1;
    assert_int_equal(bb_storage_new(&newer.table, &s, NULL, &storage, NULL), BB_OK);
    memset(&newer, 0xDD, sizeof newer); /* it was copied */
    assert_string_equal(bb_storage_name(storage), "scripted");
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK);
    assert_string_equal(s.last_call, "migrate");
    bb_storage_close(storage);
    assert_int_equal(s.store_closed, 1);
    script_destroy(&s);
}

static void test_vtable_arguments_are_checked(void **state)
{
    bb_allocator broken = {NULL, NULL, NULL, NULL};
    bb_storage *storage = NULL;
    unit_memory memory;
    bb_error error;
    script s;

    (void)state;
    script_init(&s);
    unit_memory_init(&memory);
    bb_error_init(&error);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, NULL, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_new(&script_table, &s, &broken, &storage, &error), BB_ERR_ARGUMENT);
    unit_memory_fail(&memory, 1, 0);
    assert_int_equal(bb_storage_new(&script_table, &s, &memory.allocator, &storage, &error),
                     BB_ERR_NOMEM);
    assert_int_equal(error.code, BB_ERR_NOMEM);
    assert_null(storage);
    assert_int_equal(s.store_closed, 0);
    unit_memory_check(&memory);
    bb_storage_close(NULL);
    assert_string_equal(bb_storage_name(NULL), "");
    script_destroy(&s);
}

static void test_vtable_what_is_left_out_is_unsupported(void **state)
{
    bb_storage_vtable table = script_table;
    bb_key_options options;
    char out[BB_KEY_SIZE] = "as it was";
    bb_storage *storage;
    bb_error error;
    script s;

    (void)state;
    script_init(&s);
    bb_error_init(&error);
    table.close = NULL;
    table.migrate = NULL;
    table.chatbot_add = NULL;
    table.chatbot_archive = NULL;
    table.key_add = NULL;
    table.key_revoke = NULL;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK); /* nothing to bring up to date */
    assert_int_equal(bb_storage_chatbot_add(storage, 1, 1, 0, &error), BB_ERR_UNSUPPORTED);
    assert_int_equal(error.code, BB_ERR_UNSUPPORTED);
    assert_true(error.message[0] != '\0');
    assert_int_equal(bb_storage_chatbot_archive(storage, 1, 1, 0, NULL), BB_ERR_UNSUPPORTED);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    assert_int_equal(bb_storage_key_add(storage, &options, out, sizeof out, 0, NULL),
                     BB_ERR_UNSUPPORTED);
    assert_string_equal(out, "as it was");
    assert_int_equal(bb_storage_key_revoke(storage, "oc_a_b", 6, 0, NULL), BB_ERR_UNSUPPORTED);
    bb_storage_close(storage);
    script_destroy(&s);
}

/* ------------------------------------------------------------------------------- administration */

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
        /* longer each time that a slow machine has left no time for a second call */
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
    options[5].size = sizeof options[5] - 1;
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

/* --------------------------------------------------------------------------------------- openers
 */

static void test_open_URIs_name_their_backend(void **state)
{
    static const char *const bad[] = {"",
                                      "memory",
                                      "memory:x",
                                      "Memory:",
                                      "sqlite",
                                      "file:secret.db",
                                      "postgres:secret",
                                      "postgresql:/secret",
                                      "mysql://u:secret@h/d",
                                      " memory:"};
    bb_storage *storage = NULL;
    bb_error error;

    (void)state;
    bb_error_init(&error);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(bb_storage_open(bad[i], strlen(bad[i]), NULL, &storage, &error),
                         BB_ERR_ARGUMENT);
        assert_null(storage);
        assert_null(strstr(error.message, "secret"));
    }
    assert_int_equal(bb_storage_open(NULL, 0, NULL, &storage, &error), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open("memory:", 7, NULL, NULL, &error), BB_ERR_ARGUMENT);
#ifdef BB_WITH_MEMORY
    assert_int_equal(bb_storage_open("memory:x", 7, NULL, &storage, &error), BB_OK);
    assert_string_equal(bb_storage_name(storage), "memory");
    bb_storage_close(storage);
#else
    assert_int_equal(bb_storage_open("memory:", 7, NULL, &storage, &error), BB_ERR_UNSUPPORTED);
#endif
}

/* Each opener with something that it refuses. */
static int32_t open_new(bb_storage **out)
{
    return bb_storage_new(NULL, NULL, NULL, out, NULL);
}

static int32_t open_nothing(bb_storage **out)
{
    return bb_storage_open(NULL, 0, NULL, out, NULL);
}

static int32_t open_unknown(bb_storage **out)
{
    return bb_storage_open("mysql:", 6, NULL, out, NULL);
}

static int32_t open_bad_memory(bb_storage **out)
{
    bb_storage_options options = {.size = 1};

    return bb_storage_open_memory(&options, out, NULL);
}

static int32_t open_bad_sqlite(bb_storage **out)
{
    return bb_storage_open_sqlite("", 0, NULL, out, NULL);
}

static int32_t open_bad_sqlite_uri(bb_storage **out)
{
    return bb_storage_open("sqlite:", 7, NULL, out, NULL);
}

static int32_t open_bad_postgres(bb_storage **out)
{
    return bb_storage_open_postgres(NULL, 1, NULL, out, NULL);
}

static int32_t open_bad_postgres_options(bb_storage **out)
{
    bb_postgres_options options = {.size = 1};

    return bb_storage_open_postgres_with("", 0, NULL, &options, out, NULL);
}

static int32_t open_bad_postgres_conninfo(bb_storage **out)
{
    return bb_storage_open_postgres_with("host='", 6, NULL, NULL, out, NULL);
}

static int32_t open_bad_postgres_uri(bb_storage **out)
{
    return bb_storage_open("postgres://[", 12, NULL, out, NULL);
}

/* Whatever `*out` was before, so that a host may close it after any failure. */
static void test_open_sets_its_output_to_NULL_when_it_fails(void **state)
{
    static int32_t (*const openers[])(bb_storage * *out) = {open_new,
                                                            open_nothing,
                                                            open_unknown,
                                                            open_bad_memory,
                                                            open_bad_sqlite,
                                                            open_bad_sqlite_uri,
                                                            open_bad_postgres,
                                                            open_bad_postgres_options,
                                                            open_bad_postgres_conninfo,
                                                            open_bad_postgres_uri};
    max_align_t room;
    bb_contacts *contacts = (bb_contacts *)&room; /* not NULL, for the openers to change */
    bb_config config = {.size = 1};
    bb_storage *good;
    script s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        bb_storage *storage = (bb_storage *)&room;
        assert_int_not_equal(openers[i](&storage), BB_OK);
        if (storage != NULL)
            fail_msg("opener %zu", i);
        assert_int_not_equal(openers[i](NULL), BB_OK);
    }
    script_init(&s);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, &good, NULL), BB_OK);
    assert_int_not_equal(bb_contacts_open(NULL, NULL, &contacts, NULL), BB_OK);
    assert_null(contacts);
    contacts = (bb_contacts *)&room;
    assert_int_not_equal(bb_contacts_open(good, &config, &contacts, NULL), BB_OK);
    assert_null(contacts);
    bb_storage_close(good);
    script_destroy(&s);
}

#ifdef BB_WITH_MEMORY

static void test_open_memory_options_are_checked(void **state)
{
    bb_allocator partial = {NULL, NULL, NULL, NULL};
    bb_storage_options options;
    bb_storage *storage = NULL;

    (void)state;
    bb_storage_options_init(&options);
    options.allocator = &partial;
    assert_int_equal(bb_storage_open_memory(&options, &storage, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open_memory(NULL, NULL, NULL), BB_ERR_ARGUMENT);
    bb_storage_options_init(&options);
    options.size--;
    assert_int_equal(bb_storage_open_memory(&options, &storage, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open("memory:", 7, &options, &storage, NULL), BB_ERR_ARGUMENT);
    assert_null(storage);
}

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
        cmocka_unit_test(test_open_memory_options_are_checked),
        cmocka_unit_test(test_admin_of_memory_tells_what_is_not_there),
#endif
        cmocka_unit_test(test_vtable_required_functions_must_be_there),
        cmocka_unit_test(test_vtable_size_and_version_must_be_known),
        cmocka_unit_test(test_vtable_of_version_1_has_no_groups),
        cmocka_unit_test(test_vtable_is_cut_where_a_version_ends),
        cmocka_unit_test(test_vtable_of_a_newer_author_is_cut),
        cmocka_unit_test(test_vtable_arguments_are_checked),
        cmocka_unit_test(test_vtable_what_is_left_out_is_unsupported),
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
        cmocka_unit_test(test_open_URIs_name_their_backend),
        cmocka_unit_test(test_open_sets_its_output_to_NULL_when_it_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
