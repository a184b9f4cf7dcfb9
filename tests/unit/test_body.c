/*
 * test_body.c: from the body's bytes to entries, or to issues: sections C and D.
 */
#include "unit.h"

#include "request/body.h"

/* One reading of a body. */
typedef struct reading {
    unit_memory memory;
    bb_body_limits limits;
    bb_arena arena;
    bb_issues issues;
    bb_body body;
    bb_slice text;
    int32_t status;
} reading;

static void begin(reading *r)
{
    memset(r, 0, sizeof *r);
    unit_memory_init(&r->memory);
    r->limits.max_entry_bytes = (size_t)1 << 20;
    r->limits.max_depth = 64;
    r->limits.json.max_integer_digits = 131072;
    r->limits.json.max_fraction_digits = 16383;
    r->limits.json.max_expanded = (size_t)1 << 20;
}

static void read_with(reading *r, bb_slice text)
{
    r->text = tight(text);
    bb_arena_init(&r->arena, &r->memory.allocator);
    bb_issues_init(&r->issues, &r->memory.allocator);
    r->status = bb_body_read(r->text, &r->limits, &r->arena, &r->issues, &r->body);
}

static void read_body(reading *r, bb_slice text)
{
    begin(r);
    read_with(r, text);
}

static void end(reading *r)
{
    bb_issues_free(&r->issues);
    bb_arena_free(&r->arena);
    free_tight(r->text);
    unit_memory_check(&r->memory);
}

/* The status of a body, and the issues as they will be listed. */
static void expect(bb_slice text, int32_t status, const char *issues)
{
    reading r;
    bb_slice listed;

    read_body(&r, text);
    listed.data = r.issues.json.data != NULL ? r.issues.json.data : "";
    listed.len = r.issues.json.len;
    if (r.status != status || !slice_is(listed, issues))
        fail_msg("%.100s: %d, %.*s", text.data, r.status, (int)listed.len, listed.data);
    end(&r);
}

/* One issue, or two of them. */
#define ISSUE(field, message) "{\"field\":\"" field "\",\"message\":\"" message "\"}"
#define ISSUES(first, second) first "," second

/* -------------------------------------------------------------------------------------- C1, C2 */

static void test_C1_what_is_no_JSON_object_is_refused(void **state)
{
    static const bb_slice bad[] = {ROW(""),
                                   ROW(" "),
                                   ROW("null"),
                                   ROW("1"),
                                   ROW("\"users\""),
                                   ROW("true"),
                                   ROW("[]"),
                                   ROW("[{}]"),
                                   ROW("{"),
                                   ROW("{\"users\":[{}]"),
                                   ROW("{\"users\":[{}]}x"),
                                   ROW("{\"users\":[{}]}{}"),
                                   ROW("{\"users\":[{},]}"),
                                   ROW("\xEF\xBB\xBF{\"users\":[{}]}"),
                                   ROW("{\"users\":[{\"a\":\"\xFF\"}]}"),
                                   ROW("{\"users\":[{\"a\":\"\\uD800\"}]}"),
                                   ROW("{\"users\":[{\"a\":01}]}"),
                                   ROW("{\"users\":[{}]}\0"),
                                   ROW("[{\"users\":[{}]}]")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect(bad[i], BB_STATUS_INVALID_DATA, "");
    expect((bb_slice){NULL, 0}, BB_STATUS_INVALID_DATA, "");
    expect(LITERAL(" \n{ \"users\" : [ { } ] }\t\r"), BB_STATUS_SUCCESS, "");
}

static void test_C2_there_must_be_an_array(void **state)
{
    static const bb_slice bad[] = {
        ROW("{}"), ROW("{\"users\":null}"), ROW("{\"users\":[]}"), ROW("{\"users\":[ ]}"),
        ROW("{\"users\":{}}"), ROW("{\"users\":\"[]\"}"), ROW("{\"users\":0}"),
        ROW("{\"users\":true}"), ROW("{\"contacts\":null}"), ROW("{\"contacts\":[]}"),
        ROW("{\"contacts\":{}}"), ROW("{\"users\":null,\"contacts\":null}"),
        ROW("{\"users\":null,\"contacts\":[]}"), ROW("{\"Users\":[{}]}"), ROW("{\"user\":[{}]}"),
        ROW("{\"users \":[{}]}"), ROW("{\"x\":{\"users\":[{}]}}"),
        /* the alias is for an absent or null "users", not for a faulty one */
        ROW("{\"users\":{},\"contacts\":[{}]}"), ROW("{\"users\":[],\"contacts\":[{}]}"),
        ROW("{\"contacts\":[{}],\"users\":\"\"}"),
        /* the last one counts (C4) */
        ROW("{\"users\":[{}],\"users\":[]}"), ROW("{\"users\":[{}],\"users\":null}"),
        ROW("{\"users\":[{}],\"user\\u0073\":1}"), ROW("{\"users\\u0000\":[{}]}")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect(bad[i], BB_STATUS_INVALID_DATA, "");
}

static void test_C2_contacts_is_the_alias_of_users(void **state)
{
    static const struct {
        bb_slice text;
        const char *root;
        const char *name; /* of the first entry */
    } cases[] = {
        {ROW("{\"users\":[{\"name\":\"u\"}]}"), "users", "u"},
        {ROW("{\"contacts\":[{\"name\":\"c\"}]}"), "contacts", "c"},
        {ROW("{\"users\":[{\"name\":\"u\"}],\"contacts\":[{\"name\":\"c\"}]}"), "users", "u"},
        {ROW("{\"contacts\":[{\"name\":\"c\"}],\"users\":[{\"name\":\"u\"}]}"), "users", "u"},
        {ROW("{\"users\":null,\"contacts\":[{\"name\":\"c\"}]}"), "contacts", "c"},
        {ROW("{\"contacts\":[{\"name\":\"c\"}],\"users\":null}"), "contacts", "c"},
        {ROW("{\"users\":[{\"name\":\"u\"}],\"contacts\":7}"), "users", "u"},
        {ROW("{\"users\":1,\"users\":[{\"name\":\"u\"}]}"), "users", "u"},
        {ROW("{\"users\":[{\"name\":\"a\"}],\"users\":[{\"name\":\"b\"}]}"), "users", "b"},
        {ROW("{\"users\":[{\"name\":\"a\"}],\"users\":null,\"contacts\":[{\"name\":\"c\"}]}"),
         "contacts", "c"},
        {ROW("{\"\\u0075sers\":[{\"name\":\"u\"}]}"), "users", "u"},
        {ROW("{\"x\":1,\"users\\u0000\":2,\"users\":[{\"name\":\"u\"}],\"y\":[[]]}"), "users", "u"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        reading r;
        read_body(&r, cases[i].text);
        if (r.status != BB_STATUS_SUCCESS)
            fail_msg("%s", cases[i].text.data);
        assert_int_equal(r.body.count, 1);
        assert_string_equal(r.body.root, cases[i].root);
        assert_slice(r.body.entries[0].name, cases[i].name);
        end(&r);
    }
}

static void test_C2_C4_what_does_not_count_is_not_judged(void **state)
{
    static const bb_slice good[] = {
        ROW("{\"users\":[{\"name\":1}],\"users\":[{}]}"),
        ROW("{\"contacts\":[1,{\"email\":[]}],\"users\":[{}]}"),
        ROW("{\"users\":[{}],\"contacts\":[{\"name\":\"\\u0000\"}]}"),
        ROW("{\"users\":[{\"name\":1}],\"users\":null,\"contacts\":[{}]}"),
        ROW("{\"users\":[{\"name\":1,\"name\":\"a\"}]}"),
        ROW("{\"users\":[{\"name\":\"\\u0000\",\"n\\u0061me\":\"a\"}]}")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        expect(good[i], BB_STATUS_SUCCESS, "");
}

static void test_C1_no_issues_are_listed_of_what_is_not_json(void **state)
{
    static const bb_slice bad[] = {
        ROW("{\"users\":[{\"name\":1}]"),          ROW("{\"users\":[{\"name\":1},]}"),
        ROW("{\"users\":[{\"name\":1}]}]"),        ROW("{\"users\":[{\"name\":1}],\"x\":+1}"),
        ROW("{\"users\":[{\"name\":1}] \"x\":1}"), ROW("{\"users\":[{\"name\" 1}]}"),
        ROW("{\"users\":[{\"name\":1}{}]}")};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect(bad[i], BB_STATUS_INVALID_DATA, "");
}

static void test_C2_issues_name_the_array_that_was_sent(void **state)
{
    (void)state;
    expect(LITERAL("{\"contacts\":[{\"name\":1}]}"), BB_STATUS_INVALID_DATA,
           ISSUE("contacts[0].name", "Expected string, received number"));
    expect(LITERAL("{\"users\":null,\"contacts\":[{},{\"name\":1}]}"), BB_STATUS_INVALID_DATA,
           ISSUE("contacts[1].name", "Expected string, received number"));
}

static void test_C2_at_most_1000_entries(void **state)
{
    static const size_t counts[] = {1,   2,   7,   8,   9,    31,   32,  33,
                                    127, 128, 129, 999, 1000, 1001, 5000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        test_text text = {0};
        reading r;
        test_append_text(&text, "{\"users\":[");
        for (size_t j = 0; j < counts[i]; j++) {
            char entry[48];
            snprintf(entry, sizeof entry, "%s{\"external_id\":\"%zu\"}", j > 0 ? "," : "", j);
            test_append_text(&text, entry);
        }
        test_append_text(&text, "]}");
        read_body(&r, built(&text));
        if (counts[i] > 1000) {
            assert_int_equal(r.status, BB_STATUS_TOO_MANY_CONTACTS);
        } else {
            assert_int_equal(r.status, BB_STATUS_SUCCESS);
            assert_int_equal(r.body.count, counts[i]);
            for (size_t j = 0; j < counts[i]; j++) {
                char id[16];
                snprintf(id, sizeof id, "%zu", j);
                assert_slice(r.body.entries[j].external_id, id);
            }
        }
        end(&r);
        free(text.data);
    }
}

/* -------------------------------------------------------------------------------------------- D */

static const bb_entry *only_entry(reading *r, const char *entry)
{
    test_text text = {0};

    test_append(&text, "{\"users\":[%s]}", entry);
    read_body(r, built(&text));
    if (r->status != BB_STATUS_SUCCESS)
        fail_msg("%s: %d", entry, r->status);
    free(text.data);
    assert_int_equal(r->body.count, 1);
    return &r->body.entries[0];
}

static void expect_entry(const char *entry, int32_t status, const char *issues)
{
    test_text text = {0};

    test_append(&text, "{\"users\":[%s]}", entry);
    expect(built(&text), status, issues);
    free(text.data);
}

static void test_D_what_is_omitted_is_not_set(void **state)
{
    static const char *const nothing[] = {"{}",
                                          "{ }",
                                          "{\"x\":1}",
                                          "{\"Name\":\"x\"}",
                                          "{\"name \":\"x\"}",
                                          "{\"external_id\":null}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(nothing); i++) {
        reading r;
        const bb_entry *e = only_entry(&r, nothing[i]);
        assert_int_equal(e->fields, 0);
        assert_null(e->external_id.data);
        end(&r);
    }
}

static void test_D_null_clears(void **state)
{
    reading r;
    const bb_entry *e =
        only_entry(&r, "{\"external_id\":null,\"name\":null,\"email\":null,\"phonenumber\":null,"
                       "\"stripe_accounts\":null,\"custom_attributes\":null}");

    (void)state;
    assert_int_equal(e->fields, BB_FIELD_NAME | BB_FIELD_EMAIL | BB_FIELD_PHONENUMBER |
                                    BB_FIELD_STRIPE_ACCOUNTS | BB_FIELD_CUSTOM_ATTRIBUTES);
    assert_null(e->external_id.data);
    assert_null(e->name.data);
    assert_null(e->email.data);
    assert_null(e->phonenumber.data);
    assert_slice(e->stripe_accounts, "[]");
    assert_slice(e->custom_attributes, "{}");
    end(&r);
}

static void test_D_values_are_set(void **state)
{
    reading r;
    const bb_entry *e = only_entry(
        &r, "{\"custom_attributes\": { \"plan\" : \"pro\", \"n\":1.0 },\"stripe_accounts\":[ {},"
            "{\"id\" : 1}],\"phonenumber\":\"+1 555\",\"email\":\"no email at all\","
            "\"name\":\"J\\u00fcrgen \\ud83d\\ude00\",\"external_id\":\"  u 1 \"}");

    (void)state;
    assert_int_equal(e->fields, 31);
    assert_slice(e->external_id, "  u 1 ");
    assert_slice(e->name, "J\xC3\xBCrgen \xF0\x9F\x98\x80");
    assert_slice(e->email, "no email at all");
    assert_slice(e->phonenumber, "+1 555");
    assert_slice(e->stripe_accounts, "[{},{\"id\":1}]");
    assert_slice(e->custom_attributes, "{\"plan\":\"pro\",\"n\":1.0}");
    end(&r);
}

static void test_D_each_field_alone(void **state)
{
    static const struct {
        const char *entry;
        uint32_t fields;
    } cases[] = {{"{\"name\":\"\"}", BB_FIELD_NAME},
                 {"{\"email\":\"\"}", BB_FIELD_EMAIL},
                 {"{\"phonenumber\":\"\"}", BB_FIELD_PHONENUMBER},
                 {"{\"stripe_accounts\":[]}", BB_FIELD_STRIPE_ACCOUNTS},
                 {"{\"custom_attributes\":{}}", BB_FIELD_CUSTOM_ATTRIBUTES}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        reading r;
        const bb_entry *e = only_entry(&r, cases[i].entry);
        const bb_slice values[] = {e->name, e->email, e->phonenumber, e->stripe_accounts,
                                   e->custom_attributes};
        assert_int_equal(e->fields, cases[i].fields);
        for (size_t j = 0; j < COUNT_OF(values); j++) {
            if (e->fields >> j & 1)
                assert_non_null(values[j].data); /* an empty string is no null */
        }
        end(&r);
    }
}

static void test_C3_an_entry_must_be_an_object(void **state)
{
    (void)state;
    expect_entry("null", BB_STATUS_INVALID_DATA,
                 ISSUE("users[0]", "Expected object, received null"));
    expect_entry("{},[]", BB_STATUS_INVALID_DATA,
                 ISSUE("users[1]", "Expected object, received array"));
    expect_entry("1,{},\"a\"", BB_STATUS_INVALID_DATA,
                 ISSUES(ISSUE("users[0]", "Expected object, received number"),
                        ISSUE("users[2]", "Expected object, received string")));
    expect_entry("{},true", BB_STATUS_INVALID_DATA,
                 ISSUE("users[1]", "Expected object, received boolean"));
}

static void test_C3_every_field_of_every_wrong_type(void **state)
{
    static const char *const types[][2] = {
        {"false", "boolean"}, {"true", "boolean"}, {"0", "number"},   {"-1.5", "number"},
        {"\"x\"", "string"},  {"[]", "array"},     {"[{}]", "array"}, {"{}", "object"}};
    static const char *const fields[][2] = {
        {"external_id", "string"}, {"name", "string"},           {"email", "string"},
        {"phonenumber", "string"}, {"stripe_accounts", "array"}, {"custom_attributes", "object"}};

    (void)state;
    for (size_t f = 0; f < COUNT_OF(fields); f++) {
        for (size_t t = 0; t < COUNT_OF(types); t++) {
            char entry[64];
            char issue[160] = "";
            int is_right = strcmp(fields[f][1], types[t][1]) == 0;
            snprintf(entry, sizeof entry, "{\"%s\":%s}", fields[f][0], types[t][0]);
            if (!is_right)
                snprintf(issue, sizeof issue, ISSUE("users[0].%s", "Expected %s, received %s"),
                         fields[f][0], fields[f][1], types[t][1]);
            expect_entry(entry, is_right ? BB_STATUS_SUCCESS : BB_STATUS_INVALID_DATA, issue);
        }
    }
}

static void test_C3_stripe_accounts_are_objects(void **state)
{
    static const char *const types[][2] = {{"null", "null"},
                                           {"[]", "array"},
                                           {"\"a\"", "string"},
                                           {"1", "number"},
                                           {"true", "boolean"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        char entry[64];
        char issue[160];
        snprintf(entry, sizeof entry, "{\"stripe_accounts\":[{},%s]}", types[i][0]);
        snprintf(issue, sizeof issue,
                 ISSUE("users[0].stripe_accounts[1]", "Expected object, received %s"), types[i][1]);
        expect_entry(entry, BB_STATUS_INVALID_DATA, issue);
    }
    expect_entry("{\"stripe_accounts\":[1,{},[]]}", BB_STATUS_INVALID_DATA,
                 ISSUES(ISSUE("users[0].stripe_accounts[0]", "Expected object, received number"),
                        ISSUE("users[0].stripe_accounts[2]", "Expected object, received array")));
}

static void test_A3_all_faults_of_all_entries_are_listed(void **state)
{
    (void)state;
    expect_entry(
        "{\"name\":1,\"email\":[]},{\"external_id\":\"ok\"},7,{\"custom_attributes\":\"\"}",
        BB_STATUS_INVALID_DATA,
        ISSUES(ISSUES(ISSUE("users[0].name", "Expected string, received number"),
                      ISSUE("users[0].email", "Expected string, received array")),
               ISSUES(ISSUE("users[2]", "Expected object, received number"),
                      ISSUE("users[3].custom_attributes", "Expected object, received string"))));
}

static void test_D_external_id_has_1_to_255_characters(void **state)
{
    static const char *const units[] = {
        "x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\\u00e9", "\\ud83d\\ude00", "\\\\"};

    (void)state;
    expect_entry("{\"external_id\":\"\"}", BB_STATUS_INVALID_DATA,
                 ISSUE("users[0].external_id", "String must contain at least 1 character(s)"));
    expect_entry("{\"external_id\":\" \"}", BB_STATUS_SUCCESS, "");
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        for (size_t len = 254; len <= 257; len++) {
            char *id = repeat(units[i], len);
            test_text entry = {0};
            test_append(&entry, "{\"external_id\":\"%s\"}", id);
            expect_entry(entry.data, len <= 255 ? BB_STATUS_SUCCESS : BB_STATUS_INVALID_DATA,
                         len <= 255 ? ""
                                    : ISSUE("users[0].external_id",
                                            "String must contain at most 255 character(s)"));
            free(entry.data);
            free(id);
        }
    }
}

static void test_D_other_strings_have_no_such_limit(void **state)
{
    char *name = repeat("\xC3\xA9", 100000);
    test_text entry = {0};
    reading r;

    (void)state;
    test_append(&entry, "{\"name\":\"%s\"}", name);
    assert_slice(only_entry(&r, entry.data)->name, name);
    end(&r);
    free(entry.data);
    free(name);
}

/* ---------------------------------------------------------------------------------- C4, C5, C6 */

static void test_C4_unknown_fields_are_ignored(void **state)
{
    static const char *const entries[] = {
        "{\"name\":\"n\",\"x\":{\"deep\":[1,{}]},\"y\":\"\"}",
        "{\"id\":\"contact_1\",\"created_at\":1,\"name\":\"n\"}",
        "{\"x\":\"\\u0000\",\"name\":\"n\"}",
        "{\"\\u0000\":1,\"name\":\"n\",\"name\\u0000\":2}",
        "{\"x\":1e400000,\"name\":\"n\",\"\":0}",
        "{\"x\":{\"a\":\"\\u0000\",\"b\\u0000\":1e999999},\"name\":\"n\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        reading r;
        const bb_entry *e = only_entry(&r, entries[i]);
        assert_int_equal(e->fields, BB_FIELD_NAME);
        assert_slice(e->name, "n");
        end(&r);
    }
}

static void test_C4_the_last_of_a_repeated_field_counts(void **state)
{
    static const char *const entries[] = {
        "{\"name\":\"a\",\"name\":\"n\"}",      "{\"name\":1,\"name\":\"n\"}",
        "{\"name\":{\"x\":[]},\"name\":\"n\"}", "{\"name\":\"\\u0000\",\"name\":\"n\"}",
        "{\"name\":null,\"name\":\"n\"}",       "{\"n\\u0061me\":7,\"name\":\"n\"}",
        "{\"name\":7,\"\\u006eame\":\"n\"}",    "{\"\\u006e\\u0061\\u006d\\u0065\":\"n\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        reading r;
        const bb_entry *e = only_entry(&r, entries[i]);
        assert_int_equal(e->fields, BB_FIELD_NAME);
        assert_slice(e->name, "n");
        end(&r);
    }
    expect_entry("{\"name\":\"n\",\"name\":1}", BB_STATUS_INVALID_DATA,
                 ISSUE("users[0].name", "Expected string, received number"));
    expect_entry("{\"name\":\"n\",\"\\u006eame\":[]}", BB_STATUS_INVALID_DATA,
                 ISSUE("users[0].name", "Expected string, received array"));
    expect_entry("{\"external_id\":\"\",\"external_id\":\"a\"}", BB_STATUS_SUCCESS, "");
    expect_entry("{\"stripe_accounts\":[1],\"stripe_accounts\":[]}", BB_STATUS_SUCCESS, "");
    expect_entry("{\"custom_attributes\":{\"a\":\"\\u0000\"},\"custom_attributes\":null}",
                 BB_STATUS_SUCCESS, "");
}

static void test_C4_stored_objects_keep_the_last_of_a_name(void **state)
{
    reading r;
    const bb_entry *e = only_entry(&r, "{\"custom_attributes\":{\"a\":1,\"b\":{\"c\":1,\"c\":2},"
                                       "\"\\u0061\":3},\"stripe_accounts\":[{\"x\":1,\"x\":2}]}");

    (void)state;
    assert_slice(e->custom_attributes, "{\"b\":{\"c\":2},\"\\u0061\":3}");
    assert_slice(e->stripe_accounts, "[{\"x\":2}]");
    end(&r);
}

static void test_C5_NUL_is_an_issue_in_every_field(void **state)
{
    static const char *const cases[][2] = {
        {"{\"external_id\":\"\\u0000\"}",
         ISSUE("users[0].external_id", "String must not contain U+0000")},
        {"{\"name\":\"a\\u0000b\"}", ISSUE("users[0].name", "String must not contain U+0000")},
        {"{\"email\":\"\\u0000\"}", ISSUE("users[0].email", "String must not contain U+0000")},
        {"{\"phonenumber\":\"\\\\\\u0000\"}",
         ISSUE("users[0].phonenumber", "String must not contain U+0000")},
        {"{\"stripe_accounts\":[{},{\"id\":\"\\u0000\"}]}",
         ISSUE("users[0].stripe_accounts[1].id", "String must not contain U+0000")},
        {"{\"custom_attributes\":{\"a\":{\"b\":[\"\\u0000\"]}}}",
         ISSUE("users[0].custom_attributes.a.b[0]", "String must not contain U+0000")},
        {"{\"custom_attributes\":{\"a\\u0000\":1}}",
         ISSUE("users[0].custom_attributes", "Member name must not contain U+0000")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_entry(cases[i][0], BB_STATUS_INVALID_DATA, cases[i][1]);
    expect_entry("{\"name\":\"\\\\u0000\",\"custom_attributes\":{\"\\\\u0000\":\"\\\\u0000\"}}",
                 BB_STATUS_SUCCESS, "");
}

static void test_C6_numbers_keep_their_digits(void **state)
{
    static const char numbers[] = "{\"a\":9007199254740993,\"b\":12345678901234567890,"
                                  "\"c\":0.1000000000000000055511151231257827,\"d\":-0.0,"
                                  "\"e\":1E+2}";
    test_text entry = {0};
    reading r;

    (void)state;
    test_append(&entry, "{\"custom_attributes\":%s}", numbers);
    assert_slice(only_entry(&r, entry.data)->custom_attributes, numbers);
    end(&r);
    free(entry.data);
}

static void test_C6_a_number_that_no_store_holds_is_an_issue(void **state)
{
    (void)state;
    expect_entry("{\"custom_attributes\":{\"n\":[1,1e400000]}}", BB_STATUS_INVALID_DATA,
                 ISSUE("users[0].custom_attributes.n[1]", "Number out of range"));
    expect_entry("{\"stripe_accounts\":[{\"n\":1e-400000}]}", BB_STATUS_INVALID_DATA,
                 ISSUE("users[0].stripe_accounts[0].n", "Number out of range"));
}

/* ------------------------------------------------------------------------------------------ C7 */

static void test_C7_an_entry_may_have_so_many_bytes(void **state)
{
    /* white space inside counts, around it does not */
    static const char entry[] = "{\"name\":  \"1234567890\" }";
    const size_t len = sizeof entry - 1;
    test_text text = {0};

    (void)state;
    test_append(&text, "{\"users\":[ %s  ]}", entry);
    for (size_t limit = len - 2; limit <= len + 2; limit++) {
        bb_slice issues;
        char issue[80];
        reading r;
        begin(&r);
        r.limits.max_entry_bytes = limit;
        read_with(&r, built(&text));
        assert_int_equal(r.status, limit >= len ? BB_STATUS_SUCCESS : BB_STATUS_INVALID_DATA);
        issues.data = r.issues.json.data;
        issues.len = r.issues.json.len;
        snprintf(issue, sizeof issue, ISSUE("users[0]", "Larger than %zu bytes"), limit);
        if (limit < len)
            assert_slice(issues, issue);
        end(&r);
    }
    free(text.data);
}

/* An entry whose values nest `levels` deep. */
static void nested_entry(test_text *text, size_t levels, int as_objects, int is_known)
{
    test_append_text(text, is_known ? "{\"custom_attributes\":{\"a\":" : "{\"unknown\":[");
    test_append_times(text, as_objects ? "{\"a\":" : "[", levels - 1);
    test_append_text(text, "1");
    test_append_times(text, as_objects ? "}" : "]", levels - 1);
    test_append_text(text, is_known ? "}}" : "]}");
}

static void test_C7_values_may_nest_so_deep(void **state)
{
    (void)state;
    for (size_t levels = 62; levels <= 67; levels++) {
        for (int kind = 0; kind < 4; kind++) {
            test_text text = {0};
            nested_entry(&text, levels, kind & 1, kind & 2);
            expect_entry(text.data, levels <= 64 ? BB_STATUS_SUCCESS : BB_STATUS_INVALID_DATA,
                         levels <= 64 ? "" : ISSUE("users[0]", "Nested deeper than 64 levels"));
            free(text.data);
        }
    }
}

static void test_C7_depth_is_judged_entry_by_entry(void **state)
{
    test_text text = {0};

    (void)state;
    nested_entry(&text, 64, 0, 1);
    test_append_text(&text, ",");
    nested_entry(&text, 65, 1, 1);
    test_append_text(&text, ",{\"name\":\"n\"},");
    nested_entry(&text, 20000, 0, 0);
    expect_entry(text.data, BB_STATUS_INVALID_DATA,
                 ISSUES(ISSUE("users[1]", "Nested deeper than 64 levels"),
                        ISSUE("users[3]", "Nested deeper than 64 levels")));
    free(text.data);
}

static void test_C7_what_lies_outside_of_entries_may_nest(void **state)
{
    test_text text = {0};

    (void)state;
    test_append_text(&text, "{\"x\":");
    test_append_times(&text, "[", 5000);
    test_append_times(&text, "]", 5000);
    test_append_text(&text, ",\"users\":[{\"name\":\"n\",\"custom_attributes\":{\"a\":[]}}]}");
    expect(built(&text), BB_STATUS_SUCCESS, "");
    free(text.data);
}

static void test_C7_memory_is_a_small_multiple_of_the_body(void **state)
{
    static const char *const fillings[] = {"{\"\":0,\"\":0,\"\":0,\"\":0}", "\"\"", "[]", "{}", "0",
                                           "{\"\\n\":0,\"\\t\":\"\\n\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fillings); i++) {
        test_text text = {0};
        reading r;
        test_append_text(&text, "{\"users\":[{\"custom_attributes\":{\"a\":[0");
        while (text.len < 1000000) {
            test_append_text(&text, ",");
            test_append_text(&text, fillings[i]);
        }
        test_append_text(&text, "]}}]}");
        read_body(&r, built(&text));
        assert_int_equal(r.status, BB_STATUS_SUCCESS);
        if (r.memory.peak_bytes > 3 * text.len)
            fail_msg("%s: %zu bytes for %zu", fillings[i], r.memory.peak_bytes, text.len);
        end(&r);
        free(text.data);
    }
}

static void test_C7_an_object_of_many_members_takes_little_memory(void **state)
{
    test_text text = {0};
    reading r;

    (void)state;
    test_append_text(&text, "{\"users\":[{\"custom_attributes\":{\"\":0");
    while (text.len < 1000000)
        test_append_text(&text, ",\"\":0");
    test_append_text(&text, "}}]}");
    read_body(&r, built(&text));
    assert_int_equal(r.status, BB_STATUS_SUCCESS);
    assert_slice(r.body.entries[0].custom_attributes, "{\"\":0}");
    if (r.memory.peak_bytes > 16 * text.len)
        fail_msg("%zu bytes for %zu", r.memory.peak_bytes, text.len);
    end(&r);
    free(text.data);
}

static void test_A3_every_failing_allocation_is_a_500(void **state)
{
    test_text text = {0};

    (void)state;
    test_append_text(&text,
                     "{\"\\u0078\":1,\"users\":[{\"n\\u0061me\":\"\\n\",\"external_id\":\"a\\/b\","
                     "\"custom_attributes\":{\"\\u0061\":1,\"a\":2}}");
    test_append_times(&text, ",{\"name\":\"J\\u00fcrgen\",\"stripe_accounts\":[{\"id\":1}]}", 50);
    test_append_text(&text, "],\"deep\":");
    test_append_times(&text, "[", 600);
    test_append_times(&text, "]", 600);
    test_append_text(&text, "}");
    for (int after = 0; after < 2; after++) {
        size_t n = 1;
        for (;; n++) {
            reading r;
            int32_t status;
            begin(&r);
            unit_memory_fail(&r.memory, n, after);
            read_with(&r, built(&text));
            status = r.status;
            end(&r);
            if (status == BB_STATUS_SUCCESS)
                break;
            assert_int_equal(status, BB_FAULT(BB_ERR_NOMEM));
        }
        assert_true(n > 4);
    }
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C1_what_is_no_JSON_object_is_refused),
        cmocka_unit_test(test_C2_there_must_be_an_array),
        cmocka_unit_test(test_C2_contacts_is_the_alias_of_users),
        cmocka_unit_test(test_C2_C4_what_does_not_count_is_not_judged),
        cmocka_unit_test(test_C1_no_issues_are_listed_of_what_is_not_json),
        cmocka_unit_test(test_C2_issues_name_the_array_that_was_sent),
        cmocka_unit_test(test_C2_at_most_1000_entries),
        cmocka_unit_test(test_D_what_is_omitted_is_not_set),
        cmocka_unit_test(test_D_null_clears),
        cmocka_unit_test(test_D_values_are_set),
        cmocka_unit_test(test_D_each_field_alone),
        cmocka_unit_test(test_C3_an_entry_must_be_an_object),
        cmocka_unit_test(test_C3_every_field_of_every_wrong_type),
        cmocka_unit_test(test_C3_stripe_accounts_are_objects),
        cmocka_unit_test(test_A3_all_faults_of_all_entries_are_listed),
        cmocka_unit_test(test_D_external_id_has_1_to_255_characters),
        cmocka_unit_test(test_D_other_strings_have_no_such_limit),
        cmocka_unit_test(test_C4_unknown_fields_are_ignored),
        cmocka_unit_test(test_C4_the_last_of_a_repeated_field_counts),
        cmocka_unit_test(test_C4_stored_objects_keep_the_last_of_a_name),
        cmocka_unit_test(test_C5_NUL_is_an_issue_in_every_field),
        cmocka_unit_test(test_C6_numbers_keep_their_digits),
        cmocka_unit_test(test_C6_a_number_that_no_store_holds_is_an_issue),
        cmocka_unit_test(test_C7_an_entry_may_have_so_many_bytes),
        cmocka_unit_test(test_C7_values_may_nest_so_deep),
        cmocka_unit_test(test_C7_depth_is_judged_entry_by_entry),
        cmocka_unit_test(test_C7_what_lies_outside_of_entries_may_nest),
        cmocka_unit_test(test_C7_memory_is_a_small_multiple_of_the_body),
        cmocka_unit_test(test_C7_an_object_of_many_members_takes_little_memory),
        cmocka_unit_test(test_A3_every_failing_allocation_is_a_500),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
