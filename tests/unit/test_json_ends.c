/*
 * test_json_ends.c: the remembered ends of arrays and objects, which keep the time to compare deep
 * values from growing with their depth (C7).
 */
#include "unit.h"

#include <time.h>

#include "util/alloc.h"
#include "json/walk.h"

/* Checks that at every array and object of a text, long or short, the end is where a walk byte by
 * byte finds it. */
static void check_text(const char *text)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_slice slice = slice_of(text);
    const char *end = text + slice.len;
    bb_json_ends ends;

    bb_json_ends_init(&ends, &allocator);
    assert_int_equal(bb_json_ends_find(&ends, slice), BB_OK);
    for (const char *at = text; at < end; at++) {
        if (*at == '"') {
            at = bb_json_skip_string(at, end) - 1;
            continue;
        }
        if (*at == ' ' || *at == ',' || *at == ':' || *at == ']' || *at == '}')
            continue;
        if (bb_json_ends_skip(&ends, at, end) != bb_json_skip_value(at, end))
            fail_msg("%s at %td", text, at - text);
        if (*at != '{' && *at != '[')
            at = bb_json_skip_value(at, end) - 1;
    }
    bb_json_ends_free(&ends);
}

static void test_C7_ends_are_those_of_a_walk(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "1",
        "\"[{\"",
        "[[],[[]],{\"a\":[{}]}]",
        "[\"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\",[\"}\\\"}\",{}],7]",
        "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":[1,2,3]}}}}},\"i\":[[[[[[]]]]]]}",
        "[ [ 1 , [ 2 , [ 3 , [ 4 , [ 5 , [ 6 , [ 7 , [ 8 ] ] ] ] ] ] ] ] , [ 9 ] ]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        check_text(texts[i]);
}

/* A random value; `b` grows by it. */
static void add_value(test_text *b, uint64_t *random, int depth)
{
    static const char *const scalars[] = {
        "1", "true", "\"x\"", "\"]}\\\"[{\"", "null", "\"a rather long string among short ones\""};
    size_t kind = test_random(random, depth > 12 ? 2 : 6);
    size_t count = test_random(random, 4);

    if (kind < 2) {
        test_append_text(b, scalars[test_random(random, COUNT_OF(scalars))]);
        return;
    }
    test_append_text(b, kind < 4 ? "[" : "{");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            test_append_text(b, ",");
        if (kind >= 4)
            test_append_text(b, "\"n]\":");
        add_value(b, random, depth + 1);
    }
    test_append_text(b, kind < 4 ? "]" : "}");
}

static void test_C7_ends_of_random_values(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        test_text b = {0};
        add_value(&b, &random, 0);
        check_text(b.data);
        free(b.data);
    }
}

static void test_C7_without_ends_values_are_walked(void **state)
{
    const char *text = "[[1,2],3]";
    const char *end = text + strlen(text);
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_json_ends ends;

    (void)state;
    bb_json_ends_init(&ends, &allocator);
    assert_ptr_equal(bb_json_ends_skip(NULL, text + 1, end), text + 6);
    assert_ptr_equal(bb_json_ends_skip(&ends, text + 1, end), text + 6);
    assert_ptr_equal(bb_json_ends_skip(&ends, end, end), end);
    bb_json_ends_free(&ends);
}

/* Text that was not checked: nothing is read past its end. */
static void test_C1_brackets_that_do_not_match_do_no_harm(void **state)
{
    static const char *const texts[] = {"]]]]", "[[[[", "{]}[", "\"", "[\"\\", "}{"};
    bb_allocator allocator = bb_allocator_or_default(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        bb_slice text = tight(slice_of(texts[i]));
        bb_json_ends ends;
        bb_json_ends_init(&ends, &allocator);
        assert_int_equal(bb_json_ends_find(&ends, text), BB_OK);
        bb_json_ends_free(&ends);
        free_tight(text);
    }
}

static void test_A3_every_failing_allocation_is_reported(void **state)
{
    char *open = repeat("[", 300);
    char *close = repeat("]", 300);
    char text[601];
    size_t failures = 0;

    (void)state;
    snprintf(text, sizeof text, "%s%s", open, close);
    for (size_t n = 1;; n++) {
        unit_memory memory;
        bb_json_ends ends;
        int32_t code;
        unit_memory_init(&memory);
        unit_memory_fail(&memory, n, 0);
        bb_json_ends_init(&ends, &memory.allocator);
        code = bb_json_ends_find(&ends, slice_of(text));
        bb_json_ends_free(&ends);
        unit_memory_check(&memory);
        if (code == BB_OK)
            break;
        assert_int_equal(code, BB_ERR_NOMEM);
        failures++;
    }
    assert_true(failures > 1);
    free(open);
    free(close);
}

/* Processor time of comparing two spellings of one value: `width` numbers below `depth` objects. */
static double time_to_compare(size_t depth, size_t width)
{
    test_text a = {0};
    test_text b = {0};
    struct timespec start;
    struct timespec end;
    int32_t equal = 0;

    test_append_times(&a, "{\"x\":", depth);
    test_append_times(&b, "{\"\\u0078\":", depth);
    test_append_text(&a, "[1");
    test_append_text(&b, "[1");
    test_append_times(&a, ",1", width);
    test_append_times(&b, ",1", width);
    test_append_text(&a, "]");
    test_append_text(&b, "]");
    test_append_times(&a, "}", depth);
    test_append_times(&b, "}", depth);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    assert_int_equal(bb_json_equal(NULL, built(&a), built(&b), &equal), BB_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(equal, 1);
    free(a.data);
    free(b.data);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

/* It was 50 times as much when each level read all that is below it. */
static void test_C7_depth_costs_no_time(void **state)
{
    double flat = time_to_compare(1, 300000);
    double deep = time_to_compare(500, 300000);

    (void)state;
    if (deep > 10 * flat + 0.05)
        fail_msg("%.1f ms, and %.1f ms below 500 levels", flat * 1e3, deep * 1e3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C7_ends_are_those_of_a_walk),
        cmocka_unit_test(test_C7_ends_of_random_values),
        cmocka_unit_test(test_C7_without_ends_values_are_walked),
        cmocka_unit_test(test_C1_brackets_that_do_not_match_do_no_harm),
        cmocka_unit_test(test_A3_every_failing_allocation_is_reported),
        cmocka_unit_test(test_C7_depth_costs_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
