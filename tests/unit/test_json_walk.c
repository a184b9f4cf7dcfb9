/*
 * test_json_walk.c: stepping through JSON text, and what strings say.
 */
#include "unit.h"

#include "json/walk.h"

static void test_C3_types_are_named_as_messages_name_them(void **state)
{
    static const struct {
        char first;
        const char *name;
    } cases[] = {{'{', "object"},  {'[', "array"},   {'"', "string"},
                 {'t', "boolean"}, {'f', "boolean"}, {'n', "null"},
                 {'0', "number"},  {'9', "number"},  {'-', "number"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(bb_json_type_name(bb_json_type_of(cases[i].first)), cases[i].name);
}

static void test_C1_values_are_skipped_to_their_end(void **state)
{
    static const bb_slice values[] = {ROW("1"),
                                      ROW("-1.5e+10"),
                                      ROW("true"),
                                      ROW("null"),
                                      ROW("\"\""),
                                      ROW("\"a\\\"b\""),
                                      ROW("\"\\\\\""),
                                      ROW("\"12345678\\\\\\\"12345678\""),
                                      ROW("[]"),
                                      ROW("{}"),
                                      ROW("[1,[2,{\"a\":[]}],\"]\"]"),
                                      ROW("{\"}\":\"]}\",\"\\\"}\":{}}"),
                                      ROW("[\"\\\\\"]"),
                                      ROW("[\"[\\\"\",{\"a\":\"{\"}]")};
    static const char *const after[] = {"", ",1", "]", "}", " ", "\n]", ",\"a\""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        for (size_t j = 0; j < COUNT_OF(after); j++) {
            test_text b = {0};
            bb_slice copy;
            test_append_bytes(&b, values[i].data, values[i].len);
            test_append_text(&b, after[j]);
            copy = tight(built(&b));
            if (bb_json_skip_value(copy.data, copy.data + copy.len) != copy.data + values[i].len)
                fail_msg("%s", b.data);
            free_tight(copy);
            free(b.data);
        }
    }
}

static void test_C2_elements_come_in_order(void **state)
{
    bb_slice copy = tight(LITERAL("[ 1 ,\"a,]\",[2,3] , {\"x\":[4]},null\n]"));
    static const char *const expected[] = {"1", "\"a,]\"", "[2,3]", "{\"x\":[4]}", "null"};
    bb_json_iterator it = bb_json_iterate(copy);
    bb_slice value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_true(bb_json_next_element(&it, &value));
        assert_slice(value, expected[i]);
    }
    assert_false(bb_json_next_element(&it, &value));
    assert_false(bb_json_next_element(&it, &value));
    free_tight(copy);
}

static void test_D_members_come_in_order_with_their_names(void **state)
{
    bb_slice copy = tight(LITERAL("{ \"a\" : 1 ,\"\":\"x\",\"q\\\"}\":{\"b\":2}\t,\"a\":[] }"));
    static const char *const expected[][2] = {
        {"\"a\"", "1"}, {"\"\"", "\"x\""}, {"\"q\\\"}\"", "{\"b\":2}"}, {"\"a\"", "[]"}};
    bb_json_iterator it = bb_json_iterate(copy);
    bb_slice name;
    bb_slice value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_true(bb_json_next_member(&it, &name, &value));
        assert_slice(name, expected[i][0]);
        assert_slice(value, expected[i][1]);
    }
    assert_false(bb_json_next_member(&it, &name, &value));
    free_tight(copy);
}

static void test_C2_empty_containers_have_nothing_in_them(void **state)
{
    static const bb_slice empty[] = {ROW("[]"), ROW("{}"), ROW("[ \n]"), ROW("{\t}")};
    bb_slice name;
    bb_slice value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        bb_json_iterator it = bb_json_iterate(empty[i]);
        assert_false(bb_json_next_element(&it, &value));
        it = bb_json_iterate(empty[i]);
        assert_false(bb_json_next_member(&it, &name, &value));
    }
}

static void test_C7_depth_of_a_value(void **state)
{
    static const struct {
        bb_slice text;
        size_t depth;
    } cases[] = {{ROW("1"), 0},           {ROW("\"[[\""), 0},       {ROW("[]"), 1},
                 {ROW("{}"), 1},          {ROW("[[],[[]],[]]"), 3}, {ROW("{\"[\":[{}]}"), 3},
                 {ROW("[[[[]]],[]]"), 4}, {ROW("[\"\\\"[[[\"]"), 1}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bb_slice copy = tight(cases[i].text);
        assert_int_equal(bb_json_depth(copy), cases[i].depth);
        free_tight(copy);
    }
}

static void test_C5_strings_that_spell_NUL(void **state)
{
    static const struct {
        bb_slice text;
        int has_nul;
    } cases[] = {{ROW("\"\""), 0},
                 {ROW("\"\\u0000\""), 1},
                 {ROW("\"abcdefgh\\u0000\""), 1},
                 {ROW("\"\\n\\u0000\""), 1},
                 {ROW("\"\\\\u0000\""), 0},
                 {ROW("\"\\\\\\u0000\""), 1},
                 {ROW("\"\\u0001\\u0000\""), 1},
                 {ROW("\"\\u00000\""), 1},
                 {ROW("\"\\u0001\""), 0},
                 {ROW("\"u0000\""), 0},
                 {ROW("\"\\n\""), 0},
                 {ROW("\"\\uD83D\\uDE00\""), 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bb_slice copy = tight(cases[i].text);
        if (bb_json_has_nul(copy) != cases[i].has_nul)
            fail_msg("%s", cases[i].text.data);
        free_tight(copy);
    }
}

static void test_C5_strings_are_decoded_to_their_characters(void **state)
{
    static const struct {
        bb_slice text;
        bb_slice value;
    } cases[] = {{ROW("\"\""), ROW("")},
                 {ROW("\"plain\""), ROW("plain")},
                 {ROW("\"J\xC3\xBCrgen\""), ROW("J\xC3\xBCrgen")},
                 {ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), ROW("\"\\/\b\f\n\r\t")},
                 {ROW("\"\\u0041\\u00e9\\u20AC\""), ROW("A\xC3\xA9\xE2\x82\xAC")},
                 {ROW("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
                  ROW("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF")},
                 {ROW("\"\\uD83D\\uDE00\""), ROW("\xF0\x9F\x98\x80")},
                 {ROW("\"\\ud800\\udc00\\uDBFF\\uDFFF\""), ROW("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")},
                 {ROW("\"\\u0001x\""), ROW("\x01x")},
                 {ROW("\"\\\\u0000\""), ROW("\\u0000")}};
    unit_memory memory;
    bb_arena arena;

    (void)state;
    unit_memory_init(&memory);
    bb_arena_init(&arena, &memory.allocator);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bb_slice copy = tight(cases[i].text);
        bb_slice value;
        assert_int_equal(bb_json_decode(&arena, copy, &value), BB_OK);
        if (value.len != cases[i].value.len ||
            memcmp(value.data, cases[i].value.data, value.len) != 0)
            fail_msg("%s", cases[i].text.data);
        free_tight(copy);
    }
    bb_arena_free(&arena);
    unit_memory_check(&memory);
}

static void test_C7_decoding_without_memory_is_reported(void **state)
{
    unit_memory memory;
    bb_arena arena;
    bb_slice value;

    (void)state;
    unit_memory_init(&memory);
    unit_memory_fail(&memory, 1, 1);
    bb_arena_init(&arena, &memory.allocator);
    assert_int_equal(bb_json_decode(&arena, LITERAL("\"plain\""), &value), BB_OK);
    assert_int_equal(memory.calls, 0);
    assert_int_equal(bb_json_decode(&arena, LITERAL("\"\\n\""), &value), BB_ERR_NOMEM);
    bb_arena_free(&arena);
    unit_memory_check(&memory);
}

static void walk(bb_slice text, int depth)
{
    bb_json_iterator it = bb_json_iterate(text);
    bb_slice name;
    bb_slice value;

    while (bb_json_next_element(&it, &value)) {
        if (value.len == 0)
            break; /* nonsense, on which nothing moves */
        if (depth < 8)
            walk(value, depth + 1);
    }
    it = bb_json_iterate(text);
    while (bb_json_next_member(&it, &name, &value)) {
        bb_json_has_nul(name);
        if (name.len == 0 || value.len == 0)
            break;
    }
    bb_json_depth(text);
}

/* Only memory checkers can fail this one. */
static void test_C1_unchecked_text_is_not_read_past_its_end(void **state)
{
    static const char bytes[] = "{}[]\"\\,: u0001a";
    uint64_t seed = 5;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t len = 1 + test_random(&seed, sizeof text - 1);
        bb_slice copy;
        for (size_t i = 0; i < len; i++)
            text[i] = bytes[test_random(&seed, sizeof bytes - 1)];
        copy = tight((bb_slice){text, len});
        walk(copy, 0);
        assert_true(bb_json_skip_value(copy.data, copy.data + len) <= copy.data + len);
        assert_true(bb_json_skip_string(copy.data, copy.data + len) <= copy.data + len);
        free_tight(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C3_types_are_named_as_messages_name_them),
        cmocka_unit_test(test_C1_values_are_skipped_to_their_end),
        cmocka_unit_test(test_C2_elements_come_in_order),
        cmocka_unit_test(test_D_members_come_in_order_with_their_names),
        cmocka_unit_test(test_C2_empty_containers_have_nothing_in_them),
        cmocka_unit_test(test_C7_depth_of_a_value),
        cmocka_unit_test(test_C5_strings_that_spell_NUL),
        cmocka_unit_test(test_C5_strings_are_decoded_to_their_characters),
        cmocka_unit_test(test_C7_decoding_without_memory_is_reported),
        cmocka_unit_test(test_C1_unchecked_text_is_not_read_past_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
