/*
 * test_issues.c: the list of faults of a 400, and how a place is written (A3).
 */
#include "unit.h"

#include "request/issues.h"
#include "json/check.h"

/* The body of a 400 with the issues that were added, which must be JSON; freed with free(). */
static char *written(const bb_issues *issues, const char *root)
{
    bb_allocator memory = bb_allocator_or_default(NULL);
    bb_json_facts facts;
    bb_buffer body;
    char *text;

    assert_false(issues->json.failed);
    bb_buffer_init(&body, &memory, SIZE_MAX);
    bb_issues_write(issues, "Invalid request data", root, &body);
    assert_false(body.failed);
    if (!bb_json_check(&memory, body.data, body.len, &facts))
        fail_msg("no JSON: %.*s", (int)body.len, body.data);
    bb_buffer_append_char(&body, '\0');
    text = repeat(body.data, 1);
    bb_buffer_free(&body);
    return text;
}

/* What one issue at `path` reads like; freed with free(). */
static char *field_of(const bb_json_path *path)
{
    static const char head[] = "{\"message\":\"Invalid request data\",\"issues\":[{\"field\":\"";
    static const char tail[] = "\",\"message\":\"m\"}]}";
    unit_memory memory;
    bb_issues issues;
    size_t len;
    char *text;

    unit_memory_init(&memory);
    bb_issues_init(&issues, &memory.allocator);
    bb_issues_add(&issues, path, "m");
    text = written(&issues, "users");
    bb_issues_free(&issues);
    unit_memory_check(&memory);
    len = strlen(text);
    assert_true(len >= sizeof head - 1 + sizeof tail - 1);
    assert_memory_equal(text, head, sizeof head - 1);
    assert_string_equal(text + len - (sizeof tail - 1), tail);
    memmove(text, text + sizeof head - 1, len - (sizeof head - 1));
    text[len - (sizeof head - 1) - (sizeof tail - 1)] = '\0';
    return text;
}

static void expect_name(const char *name, const char *expected)
{
    const bb_json_path root = {NULL, {"users", 5}, 0};
    const bb_json_path entry = {&root, {NULL, 0}, 3};
    bb_slice copy = tight(slice_of(name));
    const bb_json_path member = {&entry, copy, 0};
    test_text all = {0};
    char *field = field_of(&member);

    test_append_text(&all, "users[3].");
    test_append_text(&all, expected);
    assert_string_equal(field, all.data);
    free(field);
    free(all.data);
    free_tight(copy);
}

static void test_A3_a_place_is_a_path_from_the_body(void **state)
{
    const bb_json_path root = {NULL, {"users", 5}, 0};
    const bb_json_path entry = {&root, {NULL, 0}, 999};
    const bb_json_path field = {&entry, {"custom_attributes", 17}, 0};
    const bb_json_path member = {&field, {"a b", 3}, 0};
    const bb_json_path element = {&member, {NULL, 0}, 0};
    static const char *const expected[] = {"users", "users[999]", "users[999].custom_attributes",
                                           "users[999].custom_attributes.a b",
                                           "users[999].custom_attributes.a b[0]"};
    const bb_json_path *const paths[] = {&root, &entry, &field, &member, &element};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char *text = field_of(paths[i]);
        assert_string_equal(text, expected[i]);
        free(text);
    }
}

static void test_A3_names_keep_their_spelling(void **state)
{
    (void)state;
    expect_name("", "");
    expect_name("a.b[0]", "a.b[0]");
    expect_name("q\\\"uote", "q\\\"uote");
    expect_name("back\\\\slash", "back\\\\slash");
    expect_name("\\n\\u000a\\/", "\\n\\u000a\\/");
    expect_name("J\xC3\xBCrgen", "J\xC3\xBCrgen");
    expect_name("\\ud83d\\ude00", "\\ud83d\\ude00");
}

/* `pad` letters, then `unit` twice: what of them is shown. */
static void expect_cut(size_t pad, const char *unit, size_t shown)
{
    test_text name = {0};
    test_text expected = {0};

    test_append_times(&name, "a", pad);
    test_append_times(&name, unit, 2);
    test_append_times(&expected, "a", pad);
    test_append_times(&expected, unit, shown);
    if (shown < 2)
        test_append_text(&expected, "...");
    expect_name(name.data, expected.data);
    free(name.data);
    free(expected.data);
}

static void test_A3_long_names_are_cut_between_characters(void **state)
{
    static const char *const units[] = {"x",   "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                        "\\n", "\\\\",     "\\u00e9"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t len = strlen(units[i]);
        for (size_t pad = 64 - 2 * len; pad <= 64; pad++)
            expect_cut(pad, units[i], (64 - pad) / len);
    }
}

static void test_A3_long_names_are_not_cut_inside_a_surrogate_pair(void **state)
{
    (void)state;
    for (size_t pad = 64 - 24; pad <= 64; pad++)
        expect_cut(pad, "\\ud83d\\ude00", (64 - pad) / 12);
}

static void test_A3_names_of_any_length_are_cut(void **state)
{
    char *name = repeat("abcdefgh", 100000);
    char *expected = repeat("abcdefgh", 8);
    test_text all = {0};

    (void)state;
    test_append_text(&all, expected);
    test_append_text(&all, "...");
    expect_name(name, all.data);
    free(name);
    free(expected);
    free(all.data);
}

static void test_A3_long_paths_are_cut(void **state)
{
    enum { STEPS = 500 };
    static bb_json_path steps[STEPS];
    char *text;

    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        steps[i].outer = i > 0 ? &steps[i - 1] : NULL;
        steps[i].name.data = i % 2 ? "member" : NULL;
        steps[i].name.len = i % 2 ? 6 : 0;
        steps[i].index = i;
    }
    text = field_of(&steps[STEPS - 1]);
    assert_in_range(strlen(text), 512, 512 + 64 + 8);
    assert_string_equal(text + strlen(text) - 3, "...");
    assert_memory_equal(text, "[0].member[2].member[4]", 23);
    free(text);
}

static void add_many(bb_issues *issues, size_t count)
{
    const bb_json_path root = {NULL, {"contacts", 8}, 0};

    for (size_t i = 0; i < count; i++) {
        const bb_json_path entry = {&root, {NULL, 0}, i};
        bb_issues_add(issues, &entry, "wrong");
    }
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        count++;
    return count;
}

static void test_A3_a_hundred_issues_are_listed_and_the_rest_counted(void **state)
{
    static const struct {
        size_t count;
        size_t listed;
        const char *last;
    } cases[] = {
        {1, 1, "{\"field\":\"contacts[0]\",\"message\":\"wrong\"}]}"},
        {99, 99, "{\"field\":\"contacts[98]\",\"message\":\"wrong\"}]}"},
        {100, 100, "{\"field\":\"contacts[99]\",\"message\":\"wrong\"}]}"},
        {101, 100, "{\"field\":\"contacts\",\"message\":\"1 more issue was left out\"}]}"},
        {102, 100, "{\"field\":\"contacts\",\"message\":\"2 more issues were left out\"}]}"},
        {1000000, 100,
         "{\"field\":\"contacts\",\"message\":\"999900 more issues were left out\"}]}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unit_memory memory;
        bb_issues issues;
        char *text;
        unit_memory_init(&memory);
        bb_issues_init(&issues, &memory.allocator);
        add_many(&issues, cases[i].count);
        assert_int_equal(issues.count, cases[i].count);
        text = written(&issues, "contacts");
        assert_int_equal(count_of(text, "\"wrong\""), cases[i].listed);
        assert_string_equal(text + strlen(text) - strlen(cases[i].last), cases[i].last);
        free(text);
        bb_issues_free(&issues);
        unit_memory_check(&memory);
    }
}

static void test_A3_messages_are_escaped(void **state)
{
    const bb_json_path root = {NULL, {"users", 5}, 0};
    bb_allocator memory = bb_allocator_or_default(NULL);
    bb_issues issues;
    char *text;

    (void)state;
    bb_issues_init(&issues, &memory);
    bb_issues_add(&issues, &root, "a \"b\" \\ \n");
    text = written(&issues, "users");
    assert_string_equal(text,
                        "{\"message\":\"Invalid request data\",\"issues\":[{\"field\":\"users\","
                        "\"message\":\"a \\\"b\\\" \\\\ \\n\"}]}");
    free(text);
    bb_issues_free(&issues);
}

static void test_A3_a_failing_allocation_is_remembered(void **state)
{
    size_t n = 1;

    (void)state;
    for (;; n++) {
        unit_memory memory;
        bb_issues issues;
        int failed;
        unit_memory_init(&memory);
        unit_memory_fail(&memory, n, 0);
        bb_issues_init(&issues, &memory.allocator);
        add_many(&issues, 150);
        assert_int_equal(issues.count, 150);
        failed = issues.json.failed;
        bb_issues_free(&issues);
        unit_memory_check(&memory);
        if (!failed)
            break;
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A3_a_place_is_a_path_from_the_body),
        cmocka_unit_test(test_A3_names_keep_their_spelling),
        cmocka_unit_test(test_A3_long_names_are_cut_between_characters),
        cmocka_unit_test(test_A3_long_names_are_not_cut_inside_a_surrogate_pair),
        cmocka_unit_test(test_A3_names_of_any_length_are_cut),
        cmocka_unit_test(test_A3_long_paths_are_cut),
        cmocka_unit_test(test_A3_a_hundred_issues_are_listed_and_the_rest_counted),
        cmocka_unit_test(test_A3_messages_are_escaped),
        cmocka_unit_test(test_A3_a_failing_allocation_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
