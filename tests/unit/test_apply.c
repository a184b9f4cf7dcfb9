/*
 * test_apply.c: bb_record_apply(): what a record makes of a contact, and what became of it.
 */
#include "unit.h"

enum { NOW = 2000 };

static bb_record record_of(uint32_t fields)
{
    bb_record record = {.size = sizeof record,
                        .fields = fields,
                        .external_id = slice_of("a"),
                        .name = slice_of("Sam"),
                        .stripe_accounts = slice_of("[]"),
                        .custom_attributes = slice_of("{\"n\":1.0}")};

    return record;
}

static const bb_contact *stored(void)
{
    static bb_contact contact;

    contact = (bb_contact){.size = sizeof contact,
                           .id = 7,
                           .created_at_us = 1000,
                           .updated_at_us = 1500,
                           .external_id = slice_of("a"),
                           .name = slice_of("Sam"),
                           .email = slice_of("sam@acme.com"),
                           .stripe_accounts = slice_of("[]"),
                           .custom_attributes = slice_of("{\"n\": 1}")};
    return &contact;
}

/* Applies a record; returns the outcome. */
static int32_t apply(const bb_record *record, const bb_contact *before, bb_contact *after)
{
    bb_change change;

    memset(after, 0, sizeof *after);
    after->size = sizeof *after;
    bb_change_init(&change);
    change.record = record;
    change.before = before;
    change.now_us = NOW;
    change.after = after;
    assert_int_equal(bb_record_apply(&change, NULL), BB_OK);
    return change.outcome;
}

static void test_E6_a_contact_that_was_not_there_is_created(void **state)
{
    bb_record record = record_of(0);
    bb_contact after;

    (void)state;
    assert_int_equal(apply(&record, NULL, &after), BB_CREATED);
    assert_int_equal(after.id, 0);
    assert_int_equal(after.created_at_us, NOW);
    assert_int_equal(after.updated_at_us, NOW);
    assert_ptr_equal(after.external_id.data, record.external_id.data);
    assert_ptr_equal(after.name.data, record.name.data);
    assert_null(after.email.data);
}

static void test_E5_a_value_that_is_there_changes_nothing(void **state)
{
    bb_record record = record_of(BB_FIELD_NAME | BB_FIELD_CUSTOM_ATTRIBUTES);
    bb_contact after;

    (void)state;
    assert_int_equal(apply(&record, stored(), &after), BB_UNCHANGED);
    assert_int_equal(after.id, 7);
    assert_int_equal(after.updated_at_us, 1500);
}

static void test_E5_what_is_not_sent_is_kept(void **state)
{
    bb_record record = record_of(BB_FIELD_NAME);
    bb_contact after;

    (void)state;
    record.name = slice_of("Sam R.");
    assert_int_equal(apply(&record, stored(), &after), BB_UPDATED);
    assert_int_equal(after.id, 7);
    assert_int_equal(after.created_at_us, 1000);
    assert_int_equal(after.updated_at_us, NOW);
    assert_ptr_equal(after.name.data, record.name.data);
    assert_slice(after.email, "sam@acme.com");
    assert_slice(after.custom_attributes, "{\"n\": 1}");
}

static void test_E1_a_touched_record_is_an_update(void **state)
{
    bb_record record = record_of(0);
    bb_contact after;

    (void)state;
    record.flags = BB_RECORD_TOUCH;
    assert_int_equal(apply(&record, stored(), &after), BB_UPDATED);
    assert_int_equal(after.updated_at_us, NOW);
}

static void test_abi_a_contact_is_written_as_far_as_its_size_goes(void **state)
{
    static const char beyond[8] = "beyond.";
    struct {
        bb_contact contact;
        char beyond[8];
    } after = {.contact.size = sizeof after.contact};
    bb_record record = record_of(0);
    bb_error error;
    bb_change change;

    (void)state;
    bb_error_init(&error);
    memcpy(after.beyond, beyond, sizeof beyond);
    bb_change_init(&change);
    change.record = &record;
    change.after = &after.contact;
    assert_int_equal(bb_record_apply(&change, &error), BB_OK);
    assert_memory_equal(after.beyond, beyond, sizeof beyond);
    after.contact.size = 8;
    assert_int_equal(bb_record_apply(&change, &error), BB_ERR_ARGUMENT);
    assert_int_equal(error.code, BB_ERR_ARGUMENT);
    after.contact.size = sizeof after.contact;
    change.size = 8;
    assert_int_equal(bb_record_apply(&change, &error), BB_ERR_ARGUMENT);
}

static void test_E11_no_memory_to_compare_is_said(void **state)
{
    bb_record record = record_of(BB_FIELD_CUSTOM_ATTRIBUTES);
    bb_contact after = {.size = sizeof after};
    unit_memory memory;
    bb_error error;
    bb_change change;

    (void)state;
    unit_memory_init(&memory);
    unit_memory_fail(&memory, 1, 1);
    bb_error_init(&error);
    bb_change_init(&change);
    change.record = &record;
    change.before = stored();
    change.allocator = &memory.allocator;
    change.after = &after;
    assert_int_equal(bb_record_apply(&change, &error), BB_ERR_NOMEM);
    assert_string_not_equal(error.message, "");
    unit_memory_check(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E6_a_contact_that_was_not_there_is_created),
        cmocka_unit_test(test_E5_a_value_that_is_there_changes_nothing),
        cmocka_unit_test(test_E5_what_is_not_sent_is_kept),
        cmocka_unit_test(test_E1_a_touched_record_is_an_update),
        cmocka_unit_test(test_abi_a_contact_is_written_as_far_as_its_size_goes),
        cmocka_unit_test(test_E11_no_memory_to_compare_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
