/*
 * test_contacts.c: the handle and its limits.
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
    assert_int_equal(contacts->executor.pool.max, 16);
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
    config.max_answer_bytes = 6;
    assert_int_equal(bb_contacts_open(b.storage, &config, &contacts, NULL), BB_OK);
    assert_int_equal(bb_contacts_max_body(contacts), 1);
    assert_int_equal(contacts->max_entry_bytes, 2);
    assert_int_equal(contacts->max_depth, 3);
    assert_int_equal(contacts->executor.pool.max, 4);
    assert_int_equal(contacts->timeout_ms, 5);
    assert_int_equal(contacts->executor.max_answer_bytes, 6);
    bb_contacts_close(contacts);
    close_base(&b);
    assert_int_equal(bb_contacts_max_body(NULL), 0);
}

static void test_C7_limits_have_bounds(void **state)
{
    bb_config good[6];
    bb_config bad[9];
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
    good[5].custom_attributes = BB_ATTRIBUTES_MERGE;
    good[5].max_answer_bytes = (size_t)16 << 30;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(try_config(&good[i]), BB_OK);
    bad[0].max_body_bytes = ((size_t)1 << 30) + 1;
    bad[1].max_entry_bytes = ((size_t)1 << 30) + 1;
    bad[2].max_depth = 513;
    bad[3].allocator = &partial;
    bad[4].size = offsetof(bb_config, custom_attributes) - 1;
    bad[5].size = 0;
    bad[6].custom_attributes = BB_ATTRIBUTES_MERGE + 1;
    bad[7].custom_attributes = -1;
    bad[8].max_answer_bytes = ((size_t)16 << 30) + 1;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(try_config(&bad[i]), BB_ERR_ARGUMENT);
}

/* Members that this library does not know may be there, but not set. */
static void test_abi_a_larger_config_of_a_newer_caller(void **state)
{
    struct {
        bb_config config;
        unsigned char tail[64];
    } newer;
    bb_contacts *contacts;
    bb_error error;
    base b;

    (void)state;
    memset(&newer, 0, sizeof newer);
    bb_config_init(&newer.config);
    newer.config.size = sizeof newer;
    assert_int_equal(try_config(&newer.config), BB_OK);
    newer.tail[63] = 1;
    assert_int_equal(try_config(&newer.config), BB_ERR_ARGUMENT);
    open_base(&b);
    bb_error_init(&error);
    assert_int_equal(bb_contacts_open(b.storage, &newer.config, &contacts, &error),
                     BB_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "bb_config"));
    close_base(&b);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C7_defaults),
        cmocka_unit_test(test_C7_limits_are_taken_over),
        cmocka_unit_test(test_C7_limits_have_bounds),
        cmocka_unit_test(test_abi_a_larger_config_of_a_newer_caller),
        cmocka_unit_test(test_abi_missing_arguments_are_refused),
        cmocka_unit_test(test_A3_every_failing_allocation_of_opening_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
