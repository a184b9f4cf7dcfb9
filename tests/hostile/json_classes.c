/*
 * json_classes.c: every class of JSON and near-JSON, as the value of a custom attribute in a whole
 * request: accepted, with the same value back, or refused with 400 (C1, C5, C6).
 *
 *     test_hostile_json BACKEND [FOLDER]
 *
 * FOLDER may be the public JSONTestSuite's test_parsing: its y_* and n_* files are then cases too.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct text {
    const char *data;
    size_t len;
} text;

/* A literal, which may hold NUL. */
#define T(literal)                     \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const text accepted[] = {
    /* words and containers */
    T("null"),
    T("true"),
    T("false"),
    T("[]"),
    T("{}"),
    T("[[],{}]"),
    T("[null,true,false]"),
    T("{\"\":0}"),
    T("{\"a\":{\"b\":[{\"c\":{}}]}}"),
    T("[[[[[[[[[[]]]]]]]]]]"),
    /* white space of all four kinds */
    T(" [ ] "),
    T("\t{\r\n\"a\" : \n1\t,\"b\":2 }\r"),
    T("[1 ,\n2]"),
    /* numbers */
    T("0"),
    T("-0"),
    T("0.0"),
    T("-1"),
    T("123"),
    T("123.456"),
    T("1e2"),
    T("1E2"),
    T("1e+2"),
    T("1E-2"),
    T("0e1"),
    T("0e+1"),
    T("0.1e1"),
    T("20e-1"),
    T("123.456e78"),
    T("9007199254740993"),
    T("-9223372036854775808"),
    T("18446744073709551616"),
    T("123456789012345678901234567890"),
    T("0.1000000000000000055511151231257827"),
    T("-0.0000000000000000000000000000000000001"),
    T("1.7976931348623157e308"),
    T("5e-324"),
    T("1e-400"),
    T("1e400"),
    T("[0,-0,0.0,1e0]"),
    /* strings */
    T("\"\""),
    T("\" \""),
    T("\"a\""),
    T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    T("\"\\u0061\""),
    T("\"\\u00e9\\u20AC\""),
    T("\"\\ud83d\\ude00\""),
    T("\"\\uDBFF\\uDFFF\""),
    T("\"\\u0001\\u001f\""),
    T("\"\\u2028\\u2029\""),
    T("\"\\uFFFE\\uFFFF\\uFDD0\""),
    T("\"\\u200B\\u2060\""),
    T("\"\x7f\""),
    T("\"\xC2\x80\""),
    T("\"\xC3\xA9\""),
    T("\"\xE2\x80\xA8\""),
    T("\"\xEF\xBF\xBF\""),
    T("\"\xEE\x80\x80\""),
    T("\"\xF0\x9F\x98\x80\""),
    T("\"\xF4\x8F\xBF\xBF\""),
    T("\"\xEF\xBB\xBF\""),
    T("\"\\\\u0000\""),
    T("\"\\\\\\\\u0000\""),
    T("\"new\\u000Aline\""),
    T("\"//[]{},:/**/\""),
    /* objects: the last of a repeated name counts, escaped or not */
    T("{\"a\":1,\"a\":2}"),
    T("{\"a\":1,\"\\u0061\":2}"),
    T("{\"a\":{\"x\":1,\"x\":[]},\"b\":1}"),
    T("{\"\\u00e9\":1,\"\xC3\xA9\":2}"),
    T("{\"a b\":1,\"null\":null,\"\\n\":\"\\n\"}"),
};

static const text refused[] = {
    /* nothing, or only a part of a value */
    T(""),
    T(" "),
    T("["),
    T("{"),
    T("[1"),
    T("[1,"),
    T("[\"a\""),
    T("{\"a\""),
    T("{\"a\":"),
    T("{\"a\":1"),
    T("{\"a\":1,"),
    T("\""),
    T("\"a"),
    T("\"\\"),
    T("\"\\u00"),
    T("[{}"),
    T("[[[["),
    T("t"),
    T("nul"),
    T("fals"),
    T("-"),
    T("1e"),
    T("1e+"),
    T("1."),
    /* brackets that do not match, or are left over */
    T("]"),
    T("}"),
    T("[}"),
    T("{]"),
    T("[1}"),
    T("{\"a\":1]"),
    T("[]]"),
    T("{}}"),
    T("[][]"),
    T("{}{}"),
    T("1]"),
    T("[1]1"),
    T("\"a\"\"b\""),
    T("1 2"),
    T("null null"),
    T("[\"a\"]x"),
    /* commas and colons */
    T("[,]"),
    T("[,1]"),
    T("[1,]"),
    T("[1,,2]"),
    T("[1 2]"),
    T("[\"a\" \"b\"]"),
    T("[1:2]"),
    T("{,}"),
    T("{\"a\":1,}"),
    T("{,\"a\":1}"),
    T("{\"a\":1,,\"b\":2}"),
    T("{\"a\" 1}"),
    T("{\"a\"::1}"),
    T("{\"a\":1 \"b\":2}"),
    T("{\"a\",1}"),
    T("{:1}"),
    T("{\"a\":}"),
    T("{\"a\"}"),
    T("{\"a\":1:2}"),
    T(","),
    T(":"),
    T("[;]"),
    T("{\"a\":1;}"),
    /* names that are no strings */
    T("{a:1}"),
    T("{'a':1}"),
    T("{1:1}"),
    T("{null:1}"),
    T("{[]:1}"),
    T("{{}:1}"),
    T("{\"a\\\":1}"),
    /* words */
    T("True"),
    T("FALSE"),
    T("Null"),
    T("nil"),
    T("undefined"),
    T("truee"),
    T("nan"),
    T("NaN"),
    T("Infinity"),
    T("-Infinity"),
    T("inf"),
    T("tru"),
    T("nulll"),
    T("[nul]"),
    /* numbers */
    T("+1"),
    T("++1"),
    T("--1"),
    T("-+1"),
    T("01"),
    T("-01"),
    T("00"),
    T("-00"),
    T("012"),
    T(".1"),
    T("-.1"),
    T("-"),
    T("- 1"),
    T("1.e1"),
    T("0.e1"),
    T("1.1.1"),
    T("1..2"),
    T("1e1.5"),
    T("1ee2"),
    T("1e++2"),
    T("1e-"),
    T("0e"),
    T("0E+"),
    T("e1"),
    T("0x1"),
    T("0x"),
    T("1x"),
    T("1_000"),
    T("1,000.0e"),
    T("1 000"),
    T("1/2"),
    T("1+1"),
    T("1f"),
    T("1L"),
    T("0b1"),
    T("0o7"),
    T("1e1e1"),
    T("1\xC2\xA0"),
    T("\xEF\xBC\x91"),
    T("1\x00"),
    T("-a"),
    T("1.a"),
    T("1ea"),
    T("[1.]"),
    T("-1.0."),
    T("0e+-1"),
    T("-NaN"),
    T("+Inf"),
    T("1.2a-3"),
    T("0\xE5"),
    T("1e1\xE5"),
    T("123\x00"),
    T("9999E9999:1"),
    /* strings */
    T("'a'"),
    T("`a`"),
    T("\"\\a\""),
    T("\"\\x41\""),
    T("\"\\0\""),
    T("\"\\'\""),
    T("\"\\U0041\""),
    T("\"\\u\""),
    T("\"\\u004\""),
    T("\"\\u00g0\""),
    T("\"\\u 041\""),
    T("\"\\u+041\""),
    T("\"\\u{41}\""),
    T("\"\\\n\""),
    T("\"\\\t\""),
    T("\"\\\x00\""),
    T("\"\\\xC3\xA9\""),
    T("\"\n\""),
    T("\"\t\""),
    T("\"\r\""),
    T("\"\x00\""),
    T("\"\x01\""),
    T("\"\x1f\""),
    T("\"a\x00z\""),
    T("\"\\\""),
    T("\"\\\\\\\""),
    T("\"a\" b\""),
    /* surrogates that are alone or the wrong way round */
    T("\"\\ud800\""),
    T("\"\\udc00\""),
    T("\"\\ud800\\ud800\""),
    T("\"\\udc00\\ud800\""),
    T("\"\\ud800x\""),
    T("\"\\ud800\\n\""),
    T("\"\\ud800\\u0061\""),
    T("\"\\ud83d\\u\""),
    T("\"\\ud83d\\ude0\""),
    T("\"\\uD800\\\\uDC00\""),
    T("{\"\\udc00\":1}"),
    /* bytes that are no UTF-8 */
    T("\"\x80\""),
    T("\"\xBF\""),
    T("\"\xC0\x80\""),
    T("\"\xC1\xBF\""),
    T("\"\xC3\""),
    T("\"\xC3(\""),
    T("\"\xE0\x80\x80\""),
    T("\"\xE0\x9F\xBF\""),
    T("\"\xE2\x82\""),
    T("\"\xED\xA0\x80\""),
    T("\"\xED\xBF\xBF\""),
    T("\"\xF0\x80\x80\x80\""),
    T("\"\xF0\x8F\xBF\xBF\""),
    T("\"\xF0\x9F\x98\""),
    T("\"\xF4\x90\x80\x80\""),
    T("\"\xF5\x80\x80\x80\""),
    T("\"\xF8\x88\x80\x80\x80\""),
    T("\"\xFC\x84\x80\x80\x80\x80\""),
    T("\"\xFE\""),
    T("\"\xFF\""),
    T("\"\xE9\""),
    T("[\xFF]"),
    T("{\"\xFF\":1}"),
    T("{\"\xB9\":0,}"),
    T("\"\\u\xE5\""),
    T("\"\\\xE5\""),
    T("\xEF\xBB{}"),
    T("{\xF0\x9F\x87\xA8}"),
    T("\xC3\xA9"),
    T("\"\xC3\xC3\xA9\""),
    T("\"\xA9\xC3\""),
    /* other encodings, and byte order marks */
    T("\xEF\xBB\xBF"
      "1"),
    T("\xFE\xFF\x00\x31"),
    T("\xFF\xFE\x31\x00"),
    T("\x00\x31"),
    T("[\x00\"\x00"
      "a\x00\"\x00]\x00"),
    /* white space of other kinds, and characters that only look like it */
    T("\f1"),
    T("\v1"),
    T("\xC2\xA0"
      "1"),
    T("\xE2\x80\xA8"
      "1"),
    T("\xE2\x81\xA0"
      "1"),
    T("\xE3\x80\x80[]"),
    T("[\f]"),
    T("[1\x00]"),
    T("\x00[]"),
    T("\b1"),
    T("\x1b[1m"),
    /* other languages */
    T("/**/1"),
    T("1/**/"),
    T("{\"a\":1}/**/"),
    T("{\"a\":/**/1}"),
    T("{\"a\":1}//"),
    T("[\"\"],"),
    T("//\n1"),
    T("1//"),
    T("#1\n"),
    T("[1]#"),
    T("<null>"),
    T("(1)"),
    T("[1...2]"),
    T("[...]"),
    T("{...}"),
    T("*"),
    T("&a"),
    T("@"),
    T("$"),
    T("\\u0031"),
    T("\\n"),
    T("\\"),
    T("{\"a\":\\u0031}"),
    T("=1"),
    T("{\"a\"=1}"),
    T("new Date(0)"),
    T("/a/"),
    T("function(){}"),
    T("[1]\n[2]"),
    T("%31"),
    T("&quot;"),
    T("<!-- -->1"),
};

/* JSON that is refused with an issue that says why. */
typedef struct unstorable {
    text value;
    const char *issue;
} unstorable;

static const unstorable unstorables[] = {
    {T("\"\\u0000\""),
     "users[0].custom_attributes.v\",\"message\":\"String must not contain U+0000"},
    {T("[\"a\\u0000b\"]"), "custom_attributes.v[0]\",\"message\":\"String must not contain U+0000"},
    {T("{\"\\u0000\":1}"),
     "custom_attributes.v\",\"message\":\"Member name must not contain U+0000"},
    {T("{\"a\":{\"b\\u0000\":1}}"), "custom_attributes.v.a\",\"message\":\"Member name must not"},
};

/* ------------------------------------------------------------------------------------- cases */

static bb_result *send_value(const test_endpoint *endpoint, text value)
{
    static const char before[] = "{\"users\":[{\"external_id\":\"j\",\"custom_attributes\":{\"v\":";
    static const char after[] = "}}]}";
    size_t len = sizeof before - 1 + value.len + sizeof after - 1;
    char *body = malloc(len);
    bb_result *result;

    if (body == NULL)
        abort();
    memcpy(body, before, sizeof before - 1);
    memcpy(body + sizeof before - 1, value.data, value.len);
    memcpy(body + len - (sizeof after - 1), after, sizeof after - 1);
    result = test_send(endpoint, body, len);
    free(body);
    return result;
}

/* Drops members that a later one of the same name overrides: the rest is what comes back. */
static void drop_repeated(json *value)
{
    json **link = &value->child;

    while (*link != NULL) {
        json *member = *link;
        const json *later = member->name != NULL ? member->next : NULL;
        while (later != NULL && (later->name_len != member->name_len ||
                                 memcmp(later->name, member->name, member->name_len) != 0))
            later = later->next;
        if (later != NULL) {
            *link = member->next;
            member->next = NULL;
            json_free(member);
            continue;
        }
        drop_repeated(member);
        link = &member->next;
    }
}

static void expect_accepted(const test_endpoint *endpoint, text value, const char *name)
{
    for (int i = 0; i < 2; i++) {
        bb_result *result = send_value(endpoint, value);
        json *sent = json_parse(value.data, value.len, NULL);
        json *body;
        const json *contact = json_at(test_data(result, &body), 0);
        const json *back = json_member(json_member(contact, "custom_attributes"), "v");
        CHECK_MSG(sent != NULL && back != NULL, "%s: %.*s", name, (int)value.len, value.data);
        if (sent != NULL && back != NULL) {
            drop_repeated(sent);
            CHECK_MSG(json_is_same(sent, back), "C6: %s: %.*s", name, (int)value.len, value.data);
        }
        if (i == 1)
            CHECK_MSG(bb_result_count(result, BB_UNCHANGED) == 1, "E5: %s: %.*s", name,
                      (int)value.len, value.data);
        json_free(sent);
        json_free(body);
        bb_result_free(result);
    }
}

static void expect_refused(const test_endpoint *endpoint, text value, const char *name)
{
    bb_result *result = send_value(endpoint, value);

    CHECK_MSG(bb_result_http_status(result) == 400 &&
                  strcmp(bb_result_body(result, NULL), "{\"message\":\"Invalid request data\"}") ==
                      0,
              "C1: %s: %.*s: %.200s", name, (int)(value.len < 100 ? value.len : 100), value.data,
              bb_result_body(result, NULL));
    bb_result_free(result);
}

/* Too many brackets for recursion, and no closing ones. */
static void expect_deep_refused(const test_endpoint *endpoint, const char *opening)
{
    test_text value = {0};

    while (value.len < 500000)
        test_append(&value, "%s", opening);
    expect_refused(endpoint, (text){value.data, value.len}, "deep");
    free(value.data);
}

static void expect_issue(const test_endpoint *endpoint, const unstorable *u)
{
    bb_result *result = send_value(endpoint, u->value);

    CHECK_MSG(bb_result_http_status(result) == 400 &&
                  strstr(bb_result_body(result, NULL), u->issue) != NULL,
              "C5: %.*s: %.200s", (int)u->value.len, u->value.data, bb_result_body(result, NULL));
    bb_result_free(result);
}

/* -------------------------------------------------------------------------- the public suite */

/* Whether a text has U+0000 as an escape, and not an escaped backslash before "u0000". */
static int spells_nul(const char *value)
{
    for (; *value != '\0'; value++) {
        if (strncmp(value, "\\u0000", 6) == 0)
            return 1;
        if (*value == '\\' && value[1] != '\0')
            value++;
    }
    return 0;
}

/* Those with U+0000 are refused with an issue, though the suite accepts them. */
static void run_file(const test_endpoint *endpoint, const char *folder, const char *name)
{
    static char buffer[1 << 20];
    text value = {buffer, 0};
    char path[1000];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    CHECK_MSG(file != NULL, "%s", path);
    if (file == NULL)
        return;
    value.len = fread(buffer, 1, sizeof buffer - 1, file);
    buffer[value.len] = '\0';
    fclose(file);
    if (name[0] == 'n')
        expect_refused(endpoint, value, name);
    else if (!spells_nul(buffer))
        expect_accepted(endpoint, value, name);
    else
        expect_issue(endpoint, &(unstorable){value, "must not contain U+0000"});
}

static void run_folder(const test_endpoint *endpoint, const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *item;
    int counts[2] = {0, 0};

    CHECK_MSG(folder != NULL, "%s", path);
    while (folder != NULL && (item = readdir(folder)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        int is_refused = strncmp(item->d_name, "n_", 2) == 0;
        if (!is_refused && strncmp(item->d_name, "y_", 2) != 0)
            continue;
        run_file(endpoint, path, item->d_name);
        counts[is_refused]++;
    }
    if (folder != NULL)
        closedir(folder);
    CHECK_MSG(counts[0] > 0 && counts[1] > 0, "%s holds no y_* or n_* files", path);
    printf("%s: %d y_*, %d n_*\n", path, counts[0], counts[1]);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    /* what PostgreSQL can't hold is refused with an issue; test_requests has those */
    int holds_all_numbers = strcmp(backend, "postgres") != 0;
    test_endpoint endpoint;
    int status = test_endpoint_open(&endpoint, backend, NULL);

    if (status != 0)
        return status;
    for (size_t i = 0; i < COUNT(accepted); i++)
        expect_accepted(&endpoint, accepted[i], "accepted");
    for (size_t i = 0; i < COUNT(refused); i++)
        expect_refused(&endpoint, refused[i], "refused");
    expect_deep_refused(&endpoint, "[");
    expect_deep_refused(&endpoint, "{\"\":");
    expect_deep_refused(&endpoint, "[{\"\":");
    for (size_t i = 0; i < COUNT(unstorables); i++)
        expect_issue(&endpoint, &unstorables[i]);
    if (holds_all_numbers) {
        static const text numbers[] = {T("1e400000"), T("-1E+1000000000"), T("1e-999999999999")};
        for (size_t i = 0; i < COUNT(numbers); i++)
            expect_accepted(&endpoint, numbers[i], "a number");
    }
    if (argc > 2)
        run_folder(&endpoint, argv[2]);
    test_endpoint_close(&endpoint);
    return check_status();
}
