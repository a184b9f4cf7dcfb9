/*
 * test_merge.c: members merged into a JSON object (D2), and the entries of one contact as one merge
 * (E1).
 */
#include "unit.h"

#include "request/attributes.h"

/* ------------------------------------------------------------------------------ bb_json_merge() */

typedef struct merge_case {
    const char *object;
    const char *set;
    const char *removed;
    const char *merged; /* NULL: the object itself */
} merge_case;

static const merge_case merges[] = {
    {"{}", "{}", "[]", NULL},
    {"{}", "{\"a\":1}", "[]", "{\"a\":1}"},
    {"{\"a\":1}", "{}", "[\"b\"]", NULL},
    {"{\"a\":1}", "{\"a\":1}", "[]", NULL},
    {" { \"a\" : 1.0 } ", "{\"a\":10e-1}", "[\"b\"]", NULL},
    {" { \"a\" : 1.0 , \"b\":[ ] } ", "{\"c\":2}", "[\"b\"]", "{\"a\":1.0,\"c\":2}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":4,\"z\":0,\"b\":{}}", "[\"a\"]",
     "{\"b\":{},\"c\":4,\"z\":0}"},
    {"{\"a\":1}", "{}", "[\"a\"]", "{}"},
    {"{\"\\u0061\":1}", "{\"a\":2}", "[]", "{\"\\u0061\":2}"},
    {"{\"a\":1}", "{}", "[\"\\u0061\"]", "{}"},
    {"{\"x\\u0000\":1,\"x\":2}", "{\"x\":3}", "[]", "{\"x\\u0000\":1,\"x\":3}"},
    {"{\"n\":null}", "{\"m\":null}", "[]", "{\"n\":null,\"m\":null}"},
    {"{\"deep\":{\"a\":1}}", "{\"deep\":{\"b\":2}}", "[]", "{\"deep\":{\"b\":2}}"},
    {"{\"i\":12345678901234567890}", "{\"f\":1e400}", "[]",
     "{\"i\":12345678901234567890,\"f\":1e400}"},
};

static void test_D2_members_are_set_removed_and_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(merges); i++) {
        const merge_case *m = &merges[i];
        bb_slice object = tight(slice_of(m->object));
        bb_slice set = tight(slice_of(m->set));
        bb_slice removed = tight(slice_of(m->removed));
        bb_slice merged;
        void *memory;
        assert_int_equal(bb_json_merge(NULL, object, set, removed, &merged, &memory), BB_OK);
        if (m->merged != NULL)
            assert_slice(merged, m->merged);
        else
            assert_ptr_equal(merged.data, object.data);
        assert_true((memory != NULL) == (m->merged != NULL));
        free(memory);
        free_tight(object);
        free_tight(set);
        free_tight(removed);
    }
}

static void test_D2_what_is_no_object_cannot_be_merged_into(void **state)
{
    static const char *const objects[] = {"", " ", "[]", "1", "{", "{\"a\":1}}", "{a:1}", "\xFF"};
    bb_slice merged;
    void *memory;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(objects); i++) {
        assert_int_equal(bb_json_merge(NULL, slice_of(objects[i]), slice_of("{\"a\":1}"),
                                       slice_of("[]"), &merged, &memory),
                         BB_ERR_ARGUMENT);
        assert_null(memory);
    }
    assert_int_equal(
        bb_json_merge(NULL, bb_slice_of(NULL, 0), slice_of("{}"), slice_of("[]"), &merged, &memory),
        BB_ERR_ARGUMENT);
    assert_int_equal(
        bb_json_merge(NULL, slice_of("{}"), slice_of("{}"), slice_of("[]"), NULL, &memory),
        BB_ERR_ARGUMENT);
}

static void test_A3_every_failing_allocation_of_a_merge_is_reported(void **state)
{
    unit_memory memory;
    size_t n = 1;

    (void)state;
    unit_memory_init(&memory);
    for (;; n++) {
        bb_slice merged;
        void *text;
        int32_t code;
        unit_memory_fail(&memory, n, 0);
        code = bb_json_merge(&memory.allocator, slice_of("{\"\\u0061\":\"\\n\",\"b\":1}"),
                             slice_of("{\"a\":\"\\u000b\",\"\\u0062\":2}"), slice_of("[\"\\n\"]"),
                             &merged, &text);
        if (code == BB_OK) {
            unit_free(&memory, text);
            break;
        }
        assert_int_equal(code, BB_ERR_NOMEM);
        assert_null(text);
        unit_memory_check(&memory);
    }
    unit_memory_check(&memory);
    assert_true(n > 2);
}

/* ------------------------------------------------------------------------- bb_attributes_fold() */

enum { MOST = 5 };

typedef struct fold_case {
    const char *sent[MOST]; /* "null" resets; NULL: not sent */
    const char *set;        /* NULL: the record does not set the field */
    const char *removed;    /* NULL: it replaces */
    int touches;
} fold_case;

static const fold_case folds[] = {
    {{"{\"a\":1,\"b\":[ null ]}"}, "{\"a\":1,\"b\":[ null ]}", "[]", 0},
    {{"{\"a\":1,\"b\":null}"}, "{\"a\":1}", "[\"b\"]", 0},
    {{"{}"}, NULL, NULL, 0},
    {{NULL}, NULL, NULL, 0},
    {{"null"}, "{}", NULL, 0},
    {{"{\"a\":1}", "{\"b\":2}"}, "{\"a\":1,\"b\":2}", "[]", 0},
    {{"{\"a\":1}", NULL, "{\"a\":1.0}"}, "{\"a\":1.0}", "[]", 0},
    {{"{\"a\":1}", "{\"a\":2}"}, "{\"a\":2}", "[]", 1},
    {{"{\"a\":1}", "{\"a\":null}"}, "{}", "[\"a\"]", 1},
    {{"{\"a\":null}", "{\"a\":1}"}, "{\"a\":1}", "[]", 1},
    {{"{\"a\":null}", "{\"\\u0061\":null}"}, "{}", "[\"a\"]", 0},
    {{"{\"a\":1}", "null"}, "{}", NULL, 1},
    {{"{\"a\":null}", "null"}, "{}", NULL, 0},
    {{"null", "{\"a\":null}", "null"}, "{}", NULL, 0},
    {{"null", "{\"a\":1}"}, "{\"a\":1}", NULL, 1},
    {{"{\"a\":1}", "null", "{\"b\":1}", "{\"c\":null}"}, "{\"b\":1}", NULL, 1},
    {{"{\"a\":null}", "{}"}, "{}", "[\"a\"]", 0},
    {{"{}", "{}"}, NULL, NULL, 0},
};

static size_t make_entries(const fold_case *f, bb_entry *entries, uint32_t *order)
{
    size_t count = 0;

    for (size_t i = 0; i < MOST; i++) {
        const char *sent = f->sent[i];
        entries[i] = (bb_entry){.custom_attributes = slice_of("{}")};
        order[i] = (uint32_t)i;
        if (sent == NULL)
            continue;
        count = i + 1;
        entries[i].fields = BB_FIELD_CUSTOM_ATTRIBUTES;
        if (strcmp(sent, "null") == 0)
            entries[i].nulls = BB_FIELD_CUSTOM_ATTRIBUTES;
        else
            entries[i].custom_attributes = slice_of(sent);
    }
    return count > 0 ? count : 1;
}

static int32_t fold(const fold_case *f, bb_arena *arena, bb_record *record)
{
    bb_entry entries[MOST];
    uint32_t order[MOST];
    bb_turns turns = {entries, order, make_entries(f, entries, order)};

    *record = (bb_record){.size = sizeof *record, .custom_attributes = slice_of("{}")};
    return bb_attributes_fold(&turns, arena, record);
}

static void test_E1_entries_become_one_merge(void **state)
{
    unit_memory memory;

    (void)state;
    unit_memory_init(&memory);
    for (size_t i = 0; i < COUNT_OF(folds); i++) {
        const fold_case *f = &folds[i];
        bb_record record;
        bb_arena arena;
        bb_arena_init(&arena, &memory.allocator);
        assert_int_equal(fold(f, &arena, &record), BB_OK);
        assert_int_equal(record.fields, f->set != NULL ? BB_FIELD_CUSTOM_ATTRIBUTES : 0);
        assert_int_equal(record.flags, (f->removed != NULL ? BB_RECORD_MERGE : 0) |
                                           (f->touches ? BB_RECORD_TOUCH : 0));
        if (f->set != NULL)
            assert_slice(record.custom_attributes, f->set);
        if (f->removed != NULL)
            assert_slice(record.removed_attributes, f->removed);
        bb_arena_free(&arena);
        unit_memory_check(&memory);
    }
}

static void test_A3_every_failing_allocation_of_folding_is_reported(void **state)
{
    static const fold_case f = {
        {"{\"a\":1}", "{\"\\u0061\":\"\\n\"}", "null", "{\"b\":null}"}, NULL, NULL, 0};
    unit_memory memory;
    int32_t code = BB_ERR_NOMEM;
    size_t n = 0;

    (void)state;
    unit_memory_init(&memory);
    while (code == BB_ERR_NOMEM) {
        bb_record record;
        bb_arena arena;
        bb_arena_init(&arena, &memory.allocator);
        unit_memory_fail(&memory, ++n, 0);
        code = fold(&f, &arena, &record);
        bb_arena_free(&arena);
        unit_memory_check(&memory);
    }
    assert_int_equal(code, BB_OK);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_D2_members_are_set_removed_and_kept),
        cmocka_unit_test(test_D2_what_is_no_object_cannot_be_merged_into),
        cmocka_unit_test(test_A3_every_failing_allocation_of_a_merge_is_reported),
        cmocka_unit_test(test_E1_entries_become_one_merge),
        cmocka_unit_test(test_A3_every_failing_allocation_of_folding_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
