/*
 * test_json_compact.c: JSON as it is stored (C4, C6), and what no store can hold (C5, C6).
 */
#include "unit.h"

#include "request/issues.h"
#include "json/compact.h"

static const bb_json_limits unlimited = {0, 0, SIZE_MAX};

/* Compacts `text` into a string of the caller's, freed with free(). */
static char *compact(bb_slice text, const bb_json_limits *limits, int *is_suspect)
{
    unit_memory memory;
    bb_json_members members;
    bb_slice copy = tight(text);
    bb_arena arena;
    bb_slice out;
    char *result;

    unit_memory_init(&memory);
    bb_arena_init(&arena, &memory.allocator);
    bb_json_members_init(&members, &memory.allocator, &arena);
    assert_int_equal(bb_json_compact(&members, copy, limits, &out, is_suspect), BB_OK);
    result = must_alloc(out.len + 1);
    memcpy(result, out.data, out.len);
    result[out.len] = '\0';
    bb_json_members_free(&members);
    bb_arena_free(&arena);
    unit_memory_check(&memory);
    free_tight(copy);
    return result;
}

typedef struct compact_case {
    const char *text;
    const char *expected;
} compact_case;

static void expect_compact(const compact_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int is_suspect;
        char *result = compact(slice_of(cases[i].text), &unlimited, &is_suspect);
        if (strcmp(result, cases[i].expected) != 0)
            fail_msg("%s became %s", cases[i].text, result);
        free(result);
    }
}

static void test_C6_white_space_goes_and_nothing_else(void **state)
{
    static const compact_case cases[] = {
        {"{}", "{}"},
        {"[]", "[]"},
        {"{ }", "{}"},
        {"[ \n\t\r]", "[]"},
        {"[ 1 , 2 ]", "[1,2]"},
        {"{ \"a b\" : \" c \" }", "{\"a b\":\" c \"}"},
        {"{\"a\":\n{\"b\" :[ { } , [ ] ] } }", "{\"a\":{\"b\":[{},[]]}}"},
        {"[\"\\\" , \\\\\" , 1]", "[\"\\\" , \\\\\",1]"},
        {"[true , false,null ]", "[true,false,null]"},
        {"{\"\" : \"\"}", "{\"\":\"\"}"},
        {"[\"\\u0041\\/\"]", "[\"\\u0041\\/\"]"},
    };

    (void)state;
    expect_compact(cases, COUNT_OF(cases));
}

static void test_C6_numbers_are_left_as_written(void **state)
{
    static const compact_case cases[] = {
        {"[9007199254740993]", "[9007199254740993]"},
        {"[12345678901234567890]", "[12345678901234567890]"},
        {"[0.1000000000000000055511151231257827]", "[0.1000000000000000055511151231257827]"},
        {"[ -0 , 1.0,1.50, 1E5 ,1e+05,-0.0e-0 ]", "[-0,1.0,1.50,1E5,1e+05,-0.0e-0]"},
        {"{\"n\":1e131071}", "{\"n\":1e131071}"},
    };

    (void)state;
    expect_compact(cases, COUNT_OF(cases));
}

static void test_C4_the_last_of_a_repeated_name_counts(void **state)
{
    static const compact_case cases[] = {
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":3}"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"},
        {"{\"a\":1,\"b\":2,\"b\":3,\"c\":4}", "{\"a\":1,\"b\":3,\"c\":4}"},
        {"{\"a\":1,\"b\":2,\"c\":3,\"b\":4,\"a\":5}", "{\"c\":3,\"b\":4,\"a\":5}"},
        {"{\"x\":0,\"a\":1,\"a\":2}", "{\"x\":0,\"a\":2}"},
        {"{\"\":1,\"\":2}", "{\"\":2}"},
        {"{\"\":1,\"a\":2,\"\":3}", "{\"a\":2,\"\":3}"},
        {"{ \"a\" : [ 1 , 2 ] , \"b\" : 0 , \"a\" : { } }", "{\"b\":0,\"a\":{}}"},
        {"{\"a\":{\"long\":\"value of some length\"},\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1,\"A\":2,\"a \":3}", "{\"a\":1,\"A\":2,\"a \":3}"},
        {"{\"aa\":1,\"a\":2,\"aaa\":3}", "{\"aa\":1,\"a\":2,\"aaa\":3}"},
    };

    (void)state;
    expect_compact(cases, COUNT_OF(cases));
}

static void test_C4_in_objects_at_any_depth(void **state)
{
    static const compact_case cases[] = {
        {"{\"a\":{\"b\":1,\"b\":2}}", "{\"a\":{\"b\":2}}"},
        {"{\"b\":{\"b\":1},\"c\":{\"b\":2}}", "{\"b\":{\"b\":1},\"c\":{\"b\":2}}"},
        {"[{\"a\":1,\"a\":2},{\"a\":3,\"b\":4,\"a\":5}]", "[{\"a\":2},{\"b\":4,\"a\":5}]"},
        {"{\"a\":{\"x\":1,\"x\":2},\"a\":{\"y\":1,\"y\":2},\"b\":[{\"z\":1,\"z\":2}]}",
         "{\"a\":{\"y\":2},\"b\":[{\"z\":2}]}"},
        {"{\"o\":{\"p\":{\"q\":1,\"r\":{\"s\":1,\"s\":2},\"q\":3},\"p\":{\"q\":4,\"q\":5}}}",
         "{\"o\":{\"p\":{\"q\":5}}}"},
        {"{\"a\":[{\"b\":1,\"b\":2},3],\"c\":0}", "{\"a\":[{\"b\":2},3],\"c\":0}"},
    };

    (void)state;
    expect_compact(cases, COUNT_OF(cases));
}

static void test_C4_names_are_compared_by_their_characters(void **state)
{
    static const compact_case cases[] = {
        {"{\"name\":1,\"n\\u0061me\":2}", "{\"n\\u0061me\":2}"},
        {"{\"n\\u0061me\":1,\"name\":2}", "{\"name\":2}"},
        {"{\"\\/\":1,\"/\":2,\"\\u002f\":3,\"\\u002F\":4}", "{\"\\u002F\":4}"},
        {"{\"\xC3\xA9\":1,\"\\u00e9\":2}", "{\"\\u00e9\":2}"},
        {"{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\uDE00\":2}", "{\"\\ud83d\\uDE00\":2}"},
        {"{\"e\xCC\x81\":1,\"\xC3\xA9\":2}", "{\"e\xCC\x81\":1,\"\xC3\xA9\":2}"},
        {"{\"\\n\":1,\"n\":2,\"\\\\n\":3}", "{\"\\n\":1,\"n\":2,\"\\\\n\":3}"},
        {"{\"\\\"\":1,\"\\u0022\":2}", "{\"\\u0022\":2}"},
    };

    (void)state;
    expect_compact(cases, COUNT_OF(cases));
}

/* Around the number of members above which they are sorted; with a repetition at every two
 * places. */
static void test_C4_among_many_members(void **state)
{
    (void)state;
    for (size_t count = 2; count <= 40; count++) {
        for (size_t first = 0; first + 1 < count; first++) {
            size_t second = first + 1 + (first * 7 + count) % (count - first - 1);
            test_text text = {0};
            test_text expected = {0};
            char *result;
            int is_suspect;
            for (size_t i = 0; i < count; i++) {
                char member[32];
                /* not in the order of the names */
                snprintf(member, sizeof member, "%s\"m%zu\":%zu", i == 0 ? "" : " , ",
                         (i == second ? first : i) * 37 % 41, i);
                test_append_text(&text, i == 0 ? "{" : "");
                test_append_text(&text, member);
                snprintf(member, sizeof member, "%s\"m%zu\":%zu", expected.len == 0 ? "{" : ",",
                         (i == second ? first : i) * 37 % 41, i);
                if (i != first)
                    test_append_text(&expected, member);
            }
            test_append_text(&text, "}");
            test_append_text(&expected, "}");
            result = compact(built(&text), &unlimited, &is_suspect);
            assert_string_equal(result, expected.data);
            free(result);
            free(text.data);
            free(expected.data);
        }
    }
}

static void test_C4_among_members_of_one_name(void **state)
{
    test_text text = {0};
    int is_suspect;
    char *result;

    (void)state;
    test_append_text(&text, "{\"z\":0,");
    test_append_times(&text, "\"\\u0061\":{\"b\":1,\"b\":2},\"a\" : [ ],", 500);
    test_append_text(&text, "\"y\":1,\"\\u0061\":2}");
    result = compact(built(&text), &unlimited, &is_suspect);
    assert_string_equal(result, "{\"z\":0,\"y\":1,\"\\u0061\":2}");
    free(result);
    free(text.data);
}

static void test_C7_compacting_without_memory_is_reported(void **state)
{
    test_text text = {0};
    size_t n = 1;

    (void)state;
    test_append_text(&text, "{");
    for (int i = 0; i < 300; i++) {
        char member[64];
        snprintf(member, sizeof member, "\"\\u0041%d\":{\"a\":1,\"a\":[%d]},\"\\u0000%d\":0,", i, i,
                 i);
        test_append_text(&text, member);
    }
    test_append_text(&text, "\"end\":1}");
    for (;; n++) {
        unit_memory memory;
        bb_json_members members;
        bb_arena arena;
        bb_slice out;
        int is_suspect;
        int32_t code;
        unit_memory_init(&memory);
        unit_memory_fail(&memory, n, 1);
        bb_arena_init(&arena, &memory.allocator);
        bb_json_members_init(&members, &memory.allocator, &arena);
        code = bb_json_compact(&members, built(&text), &unlimited, &out, &is_suspect);
        bb_json_members_free(&members);
        bb_arena_free(&arena);
        unit_memory_check(&memory);
        if (code == BB_OK)
            break;
        assert_int_equal(code, BB_ERR_NOMEM);
    }
    assert_true(n > 6);
    free(text.data);
}

/* -------------------------------------------------------------------------------------- faults */

static const bb_json_limits postgres_limits = {131072, 16383, 1 << 20};

/* The issues about a value, found the way the body's reader does; freed with free(). */
static char *faults(bb_slice text, const bb_json_limits *limits)
{
    const bb_json_path path = {NULL, {"v", 1}, 0};
    bb_allocator memory = {NULL, NULL, NULL, NULL};
    unit_memory unit;
    bb_issues issues;
    size_t expanded = 0;
    int is_suspect;
    char *value = compact(text, limits, &is_suspect);
    char *result;

    unit_memory_init(&unit);
    memory = unit.allocator;
    bb_issues_init(&issues, &memory);
    if (is_suspect)
        bb_json_find_faults(slice_of(value), limits, &path, &expanded, bb_issues_report, &issues);
    assert_false(issues.json.failed);
    result = must_alloc(issues.json.len + 1);
    if (issues.json.len > 0)
        memcpy(result, issues.json.data, issues.json.len);
    result[issues.json.len] = '\0';
    bb_issues_free(&issues);
    unit_memory_check(&unit);
    free(value);
    return result;
}

static void expect_faults(bb_slice text, const bb_json_limits *limits, const char *expected)
{
    char *found = faults(text, limits);

    if (strcmp(found, expected) != 0)
        fail_msg("%.60s: %s", text.data, found);
    free(found);
}

#define BOTH(first, second) first "," second
#define NUL_AT(path)        "{\"field\":\"" path "\",\"message\":\"String must not contain U+0000\"}"
#define NAME_AT(path)       "{\"field\":\"" path "\",\"message\":\"Member name must not contain U+0000\"}"
#define OUT_AT(path)        "{\"field\":\"" path "\",\"message\":\"Number out of range\"}"
#define LONG_AT(path) \
    "{\"field\":\"" path "\",\"message\":\"Number too long without its exponent\"}"

static void test_C5_NUL_is_found_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"{\"a\":\"x\"}", ""},
        {"{\"a\":\"\\\\u0000\"}", ""},
        {"{\"a\":\"\\u0000\"}", NUL_AT("v.a")},
        {"[\"\",\"\\u0000\"]", NUL_AT("v[1]")},
        {"{\"a\":[{\"b\":[0,[\"x\\u0000\"]]}]}", NUL_AT("v.a[0].b[1][0]")},
        {"{\"\":\"\\u0000\"}", NUL_AT("v.")},
        {"{\"q\\\"\":\"\\u0000\"}", NUL_AT("v.q\\\"")},
        {"{\"a\\u0000\":1}", NAME_AT("v")},
        {"{\"x\":{\"\\u0000\":\"\\u0000\"}}", NAME_AT("v.x")},
        {"{\"a\":\"\\u0000\",\"b\":\"\\u0000\"}", BOTH(NUL_AT("v.a"), NUL_AT("v.b"))},
        {"{\"a\":\"\\u0000\",\"a\":1}", ""},
        {"{\"a\":1,\"\\u0061\":\"\\u0000\"}", NUL_AT("v.\\u0061")},
        {"{\"a\":{\"b\":\"\\u0000\"},\"a\":{}}", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_faults(slice_of(cases[i].text), &postgres_limits, cases[i].expected);
}

/* The names `a` + U+0000 and `"a\u0000"`, where quotes and backslash are part of the second:
 * neither may be dropped, unjudged, because of the other. */
static void test_C5_a_name_with_NUL_is_no_other_name(void **state)
{
    (void)state;
    expect_faults(LITERAL("{\"a\\u0000\":1,\"\\\"a\\\\u0000\\\"\":2}"), &postgres_limits,
                  NAME_AT("v"));
    expect_faults(LITERAL("{\"\\\"a\\\\u0000\\\"\":2,\"a\\u0000\":1}"), &postgres_limits,
                  NAME_AT("v"));
}

static void expect_number(const char *number, int is_held)
{
    test_text text = {0};

    test_append(&text, "{\"n\":%s}", number);
    expect_faults(built(&text), &postgres_limits, is_held ? "" : OUT_AT("v.n"));
    free(text.data);
}

static void test_C6_numbers_up_to_the_limits_are_held(void **state)
{
    static const char *const held[] = {
        "0",
        "-0",
        "1e131071",
        "-9.99e131071",
        "1E+131071",
        "10e131070",
        "0.1e131072",
        "0.001e131074",
        "123.456e131069",
        "1e-16383",
        "-1E-16383",
        "0.1e-16382",
        "10e-16383",
        "0e999999",
        "-0e999999",
        "0.0e999999",
        "0e0",
        "0e-16383",
        "0.00e-16381",
        "1e0000000000000000131071",
        "1e+000000",
        "1e-00000016383",
        "0e1000000000",
        "-0.0E+1000000000",
        "0.0000000000000000000000000000000000000000000000000000000000000000001e131138"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(held); i++)
        expect_number(held[i], 1);
}

static void test_C6_numbers_past_the_limits_are_refused(void **state)
{
    static const char *const past[] = {
        "1e131072",
        "-1e131072",
        "10e131071",
        "0.1e131073",
        "1e400000",
        "1.5E+131072",
        "1e-16384",
        "-1E-16384",
        "10e-16384",
        "0.1e-16383",
        "1.5e-16383",
        "0e-16384",
        "0.0e-16383",
        "1e-400000",
        "1e9223372036854775807",
        "1e9223372036854775808",
        "1e18446744073709551616",
        "1e-18446744073709551616",
        "1e99999999999999999999999999999999999999999999999999999999999999999999999999999999",
        "-1e-99999999999999999999999999999999999999999999999999999999999999999999999999999",
        "0e1000000001",
        "0e99999999999999999999999999999999999999",
        "1e4294967296",
        "1e-4294967296",
        "1e2147483648",
        "1e-2147483648"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(past); i++)
        expect_number(past[i], 0);
}

static void test_C6_limits_count_digits_that_are_written_out(void **state)
{
    static const struct {
        size_t before;
        size_t after;
        int is_held;
    } cases[] = {{131072, 0, 1}, {131073, 0, 0}, {1, 16383, 1}, {1, 16384, 0}, {131072, 16383, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        test_text number = {0};
        test_append_times(&number, "9", cases[i].before);
        if (cases[i].after > 0)
            test_append_text(&number, ".");
        test_append_times(&number, "9", cases[i].after);
        expect_number(number.data, cases[i].is_held);
        free(number.data);
    }
}

/* A limit of 0 means none (storage.h), whatever the other one is. */
static void test_C6_each_limit_may_be_missing(void **state)
{
    const bb_json_limits none = {0, 0, 1024};
    const bb_json_limits before = {10, 0, 1 << 20};
    const bb_json_limits after = {0, 10, 1 << 20};

    (void)state;
    expect_faults(LITERAL("[1e400000,1e-400000]"), &none, "");
    expect_faults(LITERAL("[1e9,1e10]"), &before, OUT_AT("v[1]"));
    expect_faults(LITERAL("[1e-20]"), &before, "");
    expect_faults(LITERAL("[1e-10,1e-11]"), &after, OUT_AT("v[1]"));
    expect_faults(LITERAL("[1e20]"), &after, "");
}

/* Limits below the length up to which numbers are not counted. */
static void test_C6_small_limits_hold_for_short_numbers(void **state)
{
    const bb_json_limits decimal38 = {38, 38, 1 << 20};

    (void)state;
    expect_faults(LITERAL("[99999999999999999999999999999999999999]"), &decimal38, "");
    expect_faults(LITERAL("[100000000000000000000000000000000000000]"), &decimal38, OUT_AT("v[0]"));
}

static void test_C7_numbers_do_not_expand_past_the_bound(void **state)
{
    bb_json_limits limits = {131072, 16383, 1000};
    test_text text = {0};

    (void)state;
    expect_faults(LITERAL("[1e999]"), &limits, "");
    expect_faults(LITERAL("[1e1000]"), &limits, LONG_AT("v[0]"));
    expect_faults(LITERAL("[1e499,1e499]"), &limits, "");
    expect_faults(LITERAL("[1e499,1e499,1e1]"), &limits, LONG_AT("v[2]"));
    expect_faults(LITERAL("{\"a\":1e-1000,\"b\":[0.1]}"), &limits, LONG_AT("v.b[0]"));
    limits = postgres_limits;
    test_append_text(&text, "[1e131071");
    test_append_times(&text, ",1e131071", 7);
    test_append_text(&text, "]");
    expect_faults(built(&text), &limits, "");
    text.data[text.len - 1] = ',';
    test_append_text(&text, "1e131071]");
    expect_faults(built(&text), &limits, LONG_AT("v[8]"));
    free(text.data);
}

static void test_A3_faults_lie_at_paths_of_any_depth(void **state)
{
    enum { LEVELS = 100 };
    test_text text = {0};
    test_text expected = {0};

    (void)state;
    test_append_times(&text, "[", LEVELS);
    test_append_text(&text, "\"\\u0000\"");
    test_append_times(&text, "]", LEVELS);
    test_append_text(&expected, "{\"field\":\"v");
    test_append_times(&expected, "[0]", LEVELS);
    test_append_text(&expected, "\",\"message\":\"String must not contain U+0000\"}");
    expect_faults(built(&text), &postgres_limits, expected.data);
    free(text.data);
    free(expected.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C6_white_space_goes_and_nothing_else),
        cmocka_unit_test(test_C6_numbers_are_left_as_written),
        cmocka_unit_test(test_C4_the_last_of_a_repeated_name_counts),
        cmocka_unit_test(test_C4_in_objects_at_any_depth),
        cmocka_unit_test(test_C4_names_are_compared_by_their_characters),
        cmocka_unit_test(test_C4_among_many_members),
        cmocka_unit_test(test_C4_among_members_of_one_name),
        cmocka_unit_test(test_C7_compacting_without_memory_is_reported),
        cmocka_unit_test(test_C5_NUL_is_found_with_its_place),
        cmocka_unit_test(test_C5_a_name_with_NUL_is_no_other_name),
        cmocka_unit_test(test_C6_numbers_up_to_the_limits_are_held),
        cmocka_unit_test(test_C6_numbers_past_the_limits_are_refused),
        cmocka_unit_test(test_C6_limits_count_digits_that_are_written_out),
        cmocka_unit_test(test_C6_each_limit_may_be_missing),
        cmocka_unit_test(test_C6_small_limits_hold_for_short_numbers),
        cmocka_unit_test(test_C7_numbers_do_not_expand_past_the_bound),
        cmocka_unit_test(test_A3_faults_lie_at_paths_of_any_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
