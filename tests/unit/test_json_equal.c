/*
 * test_json_equal.c: whether two JSON texts are the same value (E5).
 */
#include "unit.h"

static int equal(bb_slice a, bb_slice b)
{
    unit_memory memory;
    bb_slice left = tight(a);
    bb_slice right = tight(b);
    int32_t result = 7;

    unit_memory_init(&memory);
    assert_int_equal(bb_json_equal(&memory.allocator, left, right, &result), BB_OK);
    unit_memory_check(&memory);
    free_tight(left);
    free_tight(right);
    assert_in_range(result, 0, 1);
    return result;
}

typedef struct pair {
    const char *a;
    const char *b;
} pair;

/* Both ways round, bare and inside other values. */
static void expect(const pair *pairs, size_t count, int expected)
{
    static const char *const around[][2] = {{"", ""}, {"[0,", "]"}, {"{\"m\":[{\"n\":", "}]}"}};

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < COUNT_OF(around); j++) {
            test_text a = {0};
            test_text b = {0};
            test_append_text(&a, around[j][0]);
            test_append_text(&a, pairs[i].a);
            test_append_text(&a, around[j][1]);
            test_append_text(&b, around[j][0]);
            test_append_text(&b, pairs[i].b);
            test_append_text(&b, around[j][1]);
            if (equal(built(&a), built(&b)) != expected || equal(built(&b), built(&a)) != expected)
                fail_msg("%s and %s", a.data, b.data);
            assert_true(equal(built(&a), built(&a)));
            free(a.data);
            free(b.data);
        }
    }
}

static void test_E5_numbers_of_one_value_are_equal(void **state)
{
    static const pair same[] = {{"1", "1.0"},
                                {"1", "10e-1"},
                                {"1", "0.1e1"},
                                {"1", "1e0"},
                                {"1", "1E+0"},
                                {"1", "1e-0"},
                                {"0", "-0"},
                                {"0", "0.0"},
                                {"0", "-0.00e5"},
                                {"0", "0e999999999999999999999"},
                                {"100", "1e2"},
                                {"100", "1.00e2"},
                                {"0.01", "1e-2"},
                                {"0.01", "0.0100"},
                                {"-1.5", "-15e-1"},
                                {"1e400000", "10e399999"},
                                {"1e-400000", "0.1e-399999"},
                                {"10.5", "105e-1"},
                                {"10.05", "1005e-2"},
                                {"1005000", "1.005e6"},
                                {"0.00105", "105e-5"},
                                {"12345678901234567890", "1234567890123456789e1"},
                                {"12345678901234567890", "1.234567890123456789e19"},
                                {"1e0000000000000000000000001", "10"},
                                {"1e9999999999999", "10e9999999999998"},
                                {"1e+5", "1E5"}};

    (void)state;
    expect(same, COUNT_OF(same), 1);
}

static void test_E5_numbers_of_other_values_are_not(void **state)
{
    static const pair other[] = {{"1", "-1"},
                                 {"1", "10"},
                                 {"1", "0"},
                                 {"1", "0.1"},
                                 {"1", "1.0000000000000000000000000000000001"},
                                 {"1e2", "1e3"},
                                 {"9007199254740993", "9007199254740992"},
                                 {"1e400000", "1e399999"},
                                 {"12345678901234567890", "12345678901234567891"},
                                 {"101", "1001"},
                                 {"0.1", "0.1000000000000000055511151231257827"},
                                 {"10.5", "1.05"},
                                 {"1e400000", "2e400000"},
                                 {"1e-5", "1e5"},
                                 {"123", "1230"},
                                 {"123", "1234"},
                                 {"0.01", "0.001"},
                                 {"10", "1"},
                                 {"1.1", "11"},
                                 {"1e1", "1e-1"},
                                 {"1e18446744073709551617", "10"},
                                 {"1e4294967297", "10"}};

    (void)state;
    expect(other, COUNT_OF(other), 0);
}

/* Random numbers, spelled in random ways, against their value. */
static void spell(uint64_t *seed, const char *digits, int exponent, char *out, size_t size)
{
    size_t len = strlen(digits);
    size_t point = test_random(seed, len + 1);
    int shift = exponent + (int)(len - point);

    if (point == 0)
        snprintf(out, size, "0.%s%s%c%+d", digits, test_random(seed, 2) ? "00" : "",
                 test_random(seed, 2) ? 'e' : 'E', shift);
    else if (point == len)
        snprintf(out, size, "%s%se%d", digits, test_random(seed, 2) ? ".0" : "", shift);
    else
        snprintf(out, size, "%.*s.%s%se%d", (int)point, digits, digits + point,
                 test_random(seed, 2) ? "0" : "", shift);
}

static void test_E5_every_spelling_of_a_number_is_the_same(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        char digits[24];
        char changed[24];
        char a[64];
        char b[64];
        int exponent = (int)test_random(&seed, 41) - 20;
        size_t len =
            (size_t)snprintf(digits, sizeof digits, "%u%u", 1 + (unsigned)test_random(&seed, 9999),
                             (unsigned)test_random(&seed, 10000));
        size_t at = test_random(&seed, len);
        memcpy(changed, digits, sizeof digits);
        changed[at] = (char)(changed[at] == '9' ? '8' : changed[at] + 1);
        spell(&seed, digits, exponent, a, sizeof a);
        spell(&seed, digits, exponent, b, sizeof b);
        if (!equal(slice_of(a), slice_of(b)))
            fail_msg("%s and %s", a, b);
        spell(&seed, digits, exponent + 1, b, sizeof b);
        if (equal(slice_of(a), slice_of(b)))
            fail_msg("%s and %s", a, b);
        spell(&seed, changed, exponent, b, sizeof b);
        if (equal(slice_of(a), slice_of(b)))
            fail_msg("%s and %s", a, b);
    }
}

static void test_E5_strings_are_compared_by_their_characters(void **state)
{
    static const pair same[] = {{"\"a\"", "\"\\u0061\""},
                                {"\"/\"", "\"\\/\""},
                                {"\"\xC3\xA9\"", "\"\\u00E9\""},
                                {"\"\\u00e9\"", "\"\\u00E9\""},
                                {"\"\xF0\x9F\x98\x80\"", "\"\\ud83d\\ude00\""},
                                {"\"\\n\"", "\"\\u000a\""},
                                {"\"\\\"\\\\\"", "\"\\u0022\\u005c\""},
                                {"\"\"", "\"\""}};
    static const pair other[] = {{"\"a\"", "\"b\""},        {"\"a\"", "\"A\""},
                                 {"\"a\"", "\"a \""},       {"\"\"", "\"\\u0020\""},
                                 {"\"\\\\n\"", "\"\\n\""},  {"\"e\xCC\x81\"", "\"\xC3\xA9\""},
                                 {"\"a\\u0000\"", "\"a\""}, {"\"a\\u0000b\"", "\"a\\u0000c\""},
                                 {"\"1\"", "\"1.0\""},      {"\"ab\"", "\"\\u0061\""}};

    (void)state;
    expect(same, COUNT_OF(same), 1);
    expect(other, COUNT_OF(other), 0);
}

static void test_E5_members_may_come_in_any_order(void **state)
{
    static const pair same[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "{ \"c\" : 3.0 , \"b\":2,\"a\":10e-1 }"},
        {"{\"a\":{\"x\":1,\"y\":[{}]},\"b\":[]}", "{\"b\":[],\"a\":{\"y\":[{}],\"x\":1}}"},
        {"{\"\\u0061\":1,\"\":2}", "{\"\":2,\"a\":1}"},
        {"{\"a\":[1,2],\"aa\":[3]}", "{\"aa\":[3],\"a\":[1,2]}"},
        {"{\"a\":{\"a\":{\"a\":1,\"b\":2},\"b\":3},\"b\":4}",
         "{\"b\":4,\"a\":{\"b\":3,\"a\":{\"b\":2,\"a\":1}}}"}};
    static const pair other[] = {{"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}"},
                                 {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
                                 {"{\"a\":1}", "{\"b\":1}"},
                                 {"{\"a\":1}", "{}"},
                                 {"{\"a\":null}", "{}"},
                                 {"{\"a\":null}", "{\"b\":null}"},
                                 {"{\"a\":{\"x\":1}}", "{\"a\":{\"x\":2}}"},
                                 {"{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"b\":2,\"d\":3}"},
                                 {"{\"a\":1}", "{\"A\":1}"}};

    (void)state;
    expect(same, COUNT_OF(same), 1);
    expect(other, COUNT_OF(other), 0);
}

static void test_E5_elements_may_not(void **state)
{
    static const pair same[] = {{"[]", "[ ]"}, {"[1,[2]]", "[1.0,[20e-1]]"}, {"{}", "{ }"}};
    static const pair other[] = {{"[1,2]", "[2,1]"},    {"[1]", "[1,1]"}, {"[]", "[[]]"},
                                 {"[]", "{}"},          {"[null]", "[]"}, {"[1,2]", "[1,2,3]"},
                                 {"[[1],2]", "[[1,2]]"}};

    (void)state;
    expect(same, COUNT_OF(same), 1);
    expect(other, COUNT_OF(other), 0);
}

static void test_E5_types_are_told_apart(void **state)
{
    static const pair other[] = {
        {"1", "\"1\""}, {"true", "\"true\""}, {"true", "false"}, {"null", "false"}, {"null", "0"},
        {"0", "false"}, {"\"\"", "null"},     {"[]", "\"[]\""},  {"{}", "null"},    {"[1]", "1"}};

    (void)state;
    expect(other, COUNT_OF(other), 0);
}

static void test_E5_white_space_means_nothing(void **state)
{
    static const pair same[] = {{" 1", "1\n"},
                                {"\t{\"a\" :\r[ 1 , 2 ]\n}", "{\"a\":[1,2]}"},
                                {" \"a\" ", "\"a\""},
                                {"null ", " null"}};

    (void)state;
    expect(same, COUNT_OF(same), 1);
}

static void test_E5_of_faulty_JSON_only_the_same_bytes_are_equal(void **state)
{
    static const pair other[] = {{"[1", "[1 "},
                                 {"", " "},
                                 {"{", "{}"},
                                 {"1 2", "1  2"},
                                 {"\"\xFF\"", "\"\xFE\""},
                                 {"01", "1"},
                                 {"[1,]", "[1, ]"},
                                 {"\"\\ud800\"", "\"\\uD800\""}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(other); i++) {
        assert_false(equal(slice_of(other[i].a), slice_of(other[i].b)));
        assert_false(equal(slice_of(other[i].b), slice_of(other[i].a)));
        assert_true(equal(slice_of(other[i].a), slice_of(other[i].a)));
    }
}

/* This is not what it is for, but any bytes are safe. */
static void test_E5_repeated_names_do_no_harm(void **state)
{
    (void)state;
    assert_true(equal(LITERAL("{\"a\":1,\"a\":2}"), LITERAL("{\"a\":1,\"a\":2}")));
    assert_false(equal(LITERAL("{\"a\":1,\"a\":1}"), LITERAL("{\"a\":1}")));
    assert_false(equal(LITERAL("{\"a\":1,\"a\":1}"), LITERAL("{\"a\":1,\"b\":1}")));
}

static void test_E5_any_depth_is_safe(void **state)
{
    static const size_t depths[] = {100, 1023, 1024, 1025, 100000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        test_text a = {0};
        test_text b = {0};
        test_append_times(&a, "[", depths[i]);
        test_append_times(&b, "[", depths[i]);
        test_append_text(&a, "1");
        test_append_text(&b, "1.0");
        test_append_times(&a, "]", depths[i]);
        test_append_times(&b, "]", depths[i]);
        assert_true(equal(built(&a), built(&a)));
        assert_int_equal(equal(built(&a), built(&b)), depths[i] <= 1024);
        free(a.data);
        free(b.data);
    }
}

static void test_E5_arguments_are_checked(void **state)
{
    const bb_slice null = {NULL, 0};
    const bb_slice broken = {NULL, 3};
    int32_t result = 7;

    (void)state;
    assert_int_equal(bb_json_equal(NULL, null, null, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_json_equal(NULL, broken, null, &result), BB_ERR_ARGUMENT);
    assert_int_equal(bb_json_equal(NULL, null, broken, &result), BB_ERR_ARGUMENT);
    assert_int_equal(bb_json_equal(NULL, null, LITERAL("1"), NULL), BB_ERR_ARGUMENT);
    assert_int_equal(result, 7);
    assert_int_equal(bb_json_equal(NULL, null, null, &result), BB_OK);
    assert_int_equal(result, 1);
    assert_int_equal(bb_json_equal(NULL, null, LITERAL("1"), &result), BB_OK);
    assert_int_equal(result, 0);
    assert_int_equal(bb_json_equal(NULL, LITERAL("[1]"), LITERAL("[1.0]"), &result), BB_OK);
    assert_int_equal(result, 1);
}

static void expect_failures(const char *a, const char *b, int after, size_t least)
{
    size_t n = 1;

    for (;; n++) {
        unit_memory memory;
        int32_t result = 7;
        int32_t code;
        unit_memory_init(&memory);
        unit_memory_fail(&memory, n, after);
        code = bb_json_equal(&memory.allocator, slice_of(a), slice_of(b), &result);
        unit_memory_check(&memory);
        if (code == BB_OK) {
            assert_int_equal(result, 1);
            break;
        }
        assert_int_equal(code, BB_ERR_NOMEM);
        assert_int_equal(result, 0);
    }
    assert_true(n > least);
}

static void test_E5_every_failing_allocation_is_reported(void **state)
{
    test_text a = {0};
    test_text b = {0};

    (void)state;
    test_append_times(&a, "[", 600); /* more levels than the check keeps without allocating */
    test_append_times(&b, "[", 600);
    test_append_text(&a, "{");
    test_append_text(&b, "{\"end\":\"\\u0041\"");
    for (int i = 0; i < 200; i++) {
        char member[96];
        snprintf(member, sizeof member, "\"\\u0061%d\":{\"x\":\"\\n%d\",\"y\":1},", i, i);
        test_append_text(&a, member);
        snprintf(member, sizeof member, ",\"a%d\":{\"y\":1.0,\"x\":\"\\u000a%d\"}", i, i);
        test_append_text(&b, member);
    }
    test_append_text(&a, "\"end\":\"A\"}");
    test_append_text(&b, "}");
    test_append_times(&a, "]", 600);
    test_append_times(&b, "]", 600);
    expect_failures(a.data, b.data, 0, 8);
    expect_failures(a.data, b.data, 1, 8);
    free(a.data);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E5_numbers_of_one_value_are_equal),
        cmocka_unit_test(test_E5_numbers_of_other_values_are_not),
        cmocka_unit_test(test_E5_every_spelling_of_a_number_is_the_same),
        cmocka_unit_test(test_E5_strings_are_compared_by_their_characters),
        cmocka_unit_test(test_E5_members_may_come_in_any_order),
        cmocka_unit_test(test_E5_elements_may_not),
        cmocka_unit_test(test_E5_types_are_told_apart),
        cmocka_unit_test(test_E5_white_space_means_nothing),
        cmocka_unit_test(test_E5_of_faulty_JSON_only_the_same_bytes_are_equal),
        cmocka_unit_test(test_E5_repeated_names_do_no_harm),
        cmocka_unit_test(test_E5_any_depth_is_safe),
        cmocka_unit_test(test_E5_arguments_are_checked),
        cmocka_unit_test(test_E5_every_failing_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
