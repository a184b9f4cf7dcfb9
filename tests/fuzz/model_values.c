/*
 * model_values.c: the values that fuzz_model sends, and what requests, issues and answers make of
 * each.
 */
#include "model_values.h"

#include <stdarg.h>
#include <string.h>

#include "fuzz.h"
#include "support/json.h"

enum {
    MAX_SPELLINGS = 48,
    MAX_CLASSES = 32,
    MAX_KNOWN = 8, /* texts of a class */
    FAULTY = MODEL_FAULTY,
    NULL_CLASS = MODEL_NULL
};

static const char *const names[MODEL_FIELDS] = {
    "external_id", "name", "email", "phonenumber", "stripe_accounts", "custom_attributes"};

/* A value as a client may spell it. */
typedef struct spelling {
    const char *sent;
    int class;
    const char *faults;  /* what follows "users[i].field" in the issues, a comma between two */
    const char *message; /* of the issues */
} spelling;

#define NO_TEXT(type) FAULTY, "", "Expected string, received " type
#define NUL_FAULT     "String must not contain U+0000"

static const spelling texts[] = {
    {"null", NULL_CLASS, NULL, NULL},
    {"\"a\"", 1, NULL, NULL},
    {"\"\\u0061\"", 1, NULL, NULL},
    {"\"b\"", 2, NULL, NULL},
    {"\"A\"", 3, NULL, NULL},
    {"\"\xC3\xA9\"", 4, NULL, NULL},
    {"\"\\u00E9\"", 4, NULL, NULL},
    {"\"e\xCC\x81\"", 5, NULL, NULL}, /* looks the same, but is another text */
    {"\"\\ud83d\\uDE00\\n\"", 6, NULL, NULL},
    {"\"\xF0\x9F\x98\x80\\u000a\"", 6, NULL, NULL},
    {"\"\\\"\\\\\\/\"", 7, NULL, NULL},
    {"\"a \"", 8, NULL, NULL},
    {"\"\\b\\t\\f\\r\\u000b\\u001F\\u007f\"", 10, NULL, NULL},
    {"\"\\u0008\\u0009\\u000C\\u000d\\u000B\\u001f\x7F\"", 10, NULL, NULL},
    {"12", NO_TEXT("number")},
    {"{}", NO_TEXT("object")},
    {"[\"a\"]", NO_TEXT("array")},
    {"true", NO_TEXT("boolean")},
    {"\"x\\u0000\"", FAULTY, "", NUL_FAULT},
};
static const spelling more_texts[] = {{"\"\"", 9, NULL, NULL}};
static const spelling more_ids[] = {
    {"\"\"", FAULTY, "", "String must contain at least 1 character(s)"},
};

#define X16(text) text text text text text text text text text text text text text text text text
#define NINE(at) \
    "," at "0]," \
    "" at "1]," at "2]," at "3]," at "4]," at "5]," at "6]," at "7]," at "8]," at "9]"

static const spelling arrays[] = {
    {"null", NULL_CLASS, NULL, NULL},
    {"[]", NULL_CLASS, NULL, NULL},
    {"[ ]", NULL_CLASS, NULL, NULL},
    {"[{}]", 1, NULL, NULL},
    {"[{\"id\":\"cus_1\",\"n\":1}]", 2, NULL, NULL},
    {"[ {\"id\" : \"cus_1\", \"n\": 1.0} ]", 2, NULL, NULL},
    {"[{\"n\":10e-1,\"\\u0069d\":\"cus_1\"}]", 2, NULL, NULL},
    {"[{\"id\":\"x\",\"n\":1,\"id\":\"cus_1\"}]", 2, NULL, NULL},
    {"[{\"id\":\"a\"},{\"id\":\"b\"}]", 3, NULL, NULL},
    {"[{\"id\":\"b\"},{\"id\":\"a\"}]", 4, NULL, NULL},
    {"[{},{}]", 5, NULL, NULL},
    {"[1,{},2]", FAULTY, "[0],[2]", "Expected object, received number"},
    {"[null]", FAULTY, "[0]", "Expected object, received null"},
    {"[" X16("7,") X16("7,") "7]", FAULTY,
     "[0],[1],[2],[3],[4],[5],[6],[7],[8],[9]" NINE("[1") NINE("[2") ",[30],[31],[32]",
     "Expected object, received number"},
    {"\"[]\"", FAULTY, "", "Expected array, received string"},
};
static const spelling objects[] = {
    {"null", NULL_CLASS, NULL, NULL},
    {"{}", NULL_CLASS, NULL, NULL},
    {"{\"a\":1,\"b\":[true,null]}", 1, NULL, NULL},
    {"{ \"b\" : [ true , null ] , \"a\" : 1.00 }", 1, NULL, NULL},
    {"{\"a\":[],\"b\":[true,null],\"\\u0061\":0.1E1}", 1, NULL, NULL},
    {"{\"a\":9007199254740993}", 2, NULL, NULL},
    {"{\"a\":9007199254740992}", 3, NULL, NULL},
    {"{\"a\":0}", 4, NULL, NULL},
    {"{\"a\":-0}", 4, NULL, NULL},
    {"{\"a\":0e5}", 4, NULL, NULL},
    {"{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", 5, NULL, NULL},
    {"{\"a\":{\"a\":{\"a\":{\"b\":{}}}}}", 6, NULL, NULL},
    {"{\"a\":null}", 7, NULL, NULL},
    {"{\"a\":\"1\"}", 8, NULL, NULL},
    {"{\"a\":true}", 9, NULL, NULL},
    {"{\"a\":1}", 17, NULL, NULL},
    {"{\"a\":-1}", 10, NULL, NULL},
    {"{\"a\":10}", 18, NULL, NULL},
    {"{\"a\":100e-1}", 18, NULL, NULL},
    {"{\"a\":0.1}", 19, NULL, NULL},
    {"{\"b\":1,\"a\":2}", 20, NULL, NULL},
    {"{\"a\":2,\"b\":1}", 20, NULL, NULL},
    {"{\"a\":1,\"b\":2}", 21, NULL, NULL},
    {"{\"a\":[1,2]}", 11, NULL, NULL},
    {"{\"a\":[2,1]}", 12, NULL, NULL},
    {"{\"a\":\"\xF0\x9F\x98\x80/\"}", 13, NULL, NULL},
    {"{\"a\":\"\\uD83D\\uDE00\\/\"}", 13, NULL, NULL},
    {"{\"a\":1e400}", 14, NULL, NULL},
    {"{\"a\":0.00001E+405}", 14, NULL, NULL},
    {"{\"\":\"\"}", 15, NULL, NULL},
    {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,"
     "\"l\":12,\"m\":13,\"n\":14}",
     16, NULL, NULL},
    {"{\"n\":14,\"m\":13,\"l\":12,\"k\":11,\"j\":10,\"i\":9,\"h\":8,\"g\":7,\"f\":6,\"e\":5,"
     "\"d\":4,\"c\":3,\"b\":2,\"a\":1}",
     16, NULL, NULL},
    {"{\"n\":1,\"m\":2,\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,"
     "\"j\":10,\"k\":11,\"l\":12,\"\\u006d\":13,\"n\":14}",
     16, NULL, NULL},
    {"{\"a\":[\"\\u0000\",{\"c\":\"\\u0000\"}]}", FAULTY, ".a[0],.a[1].c", NUL_FAULT},
    {"{\"a\":{\"\\u0000\":\"\\u0000\"}}", FAULTY, ".a", "Member name must not contain U+0000"},
    {"{\"a\":\"\\u0000\",\"a\":9007199254740993}", 2, NULL, NULL},
    {"[]", FAULTY, "", "Expected object, received array"},
};

/* An oddity as it is listed. */
typedef struct odd_entry {
    const char *entry;  /* instead of an object; NULL: an object with the member below */
    const char *member; /* repeated so often */
    int times;
    const char *message;
} odd_entry;

static const odd_entry odd_entries[] = {
    {"7", NULL, 0, "Expected object, received number"},
    {"null", NULL, 0, "Expected object, received null"},
    {"[{}]", NULL, 0, "Expected object, received array"},
    {NULL, ",\"x\":[[[[[[[[[[[[[]]]]]]]]]]]]]", 1, "Nested deeper than 12 levels"},
    {NULL, ",\"x\":[[[[[[[[[[[[]]]]]]]]]]]]", 1, NULL},
    {NULL, ",\"x\":0.0123456789", 150, "Larger than 2500 bytes"},
    {NULL, ",\"\\u0000\":{}", 20, NULL},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Texts in answers that the tests' JSON reader has found to be equal to a class's value. They need
 * not be read again, so most answers need no reader. */
typedef struct known_texts {
    model_text texts[MAX_KNOWN];
    size_t count;
} known_texts;

/* A field's choices; by class, its value as the JSON reader sees it, and the known texts. */
typedef struct field_values {
    model_choice choices[MAX_SPELLINGS];
    size_t count;
    json *values[MAX_CLASSES];
    known_texts known[MAX_CLASSES];
} field_values;

static field_values fields[MODEL_FIELDS];
static model_oddity oddities[COUNT(odd_entries)];
_Static_assert(COUNT(odd_entries) == MODEL_ODDITIES, "model_values.h counts them");

/* ------------------------------------------------------------------------------------- making */

static model_text make_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A text that is never freed. */
static model_text make_text(const char *format, ...)
{
    char made[4096];
    model_text text;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(made, sizeof made, format, args);
    va_end(args);
    CHECK(len >= 0 && (size_t)len < sizeof made);
    text.len = (size_t)len;
    text.data = strdup(made);
    CHECK(text.data != NULL);
    return text;
}

static void make_members(model_choice *choice, const char *name, const char *sent)
{
    for (int spaces = 0; spaces < 2; spaces++) {
        const char *space = spaces ? " \n" : "";
        choice->members[spaces][0] = make_text(",%s\"%s\"%s:%s", space, name, space, sent);
        choice->members[spaces][1] = make_text(",\"%s\":false%s", name, /* counts for nothing */
                                               choice->members[spaces][0].data);
    }
}

static void make_issues(model_choice *choice, const char *name, const spelling *s)
{
    const char *fault = s->faults;
    size_t most = 1;
    model_text *issues;

    if (fault == NULL)
        return;
    for (const char *at = fault; *at != '\0'; at++)
        most += *at == ',';
    issues = calloc(most, sizeof *issues);
    CHECK(issues != NULL);
    choice->issues = issues;
    while (fault != NULL) {
        const char *comma = strchr(fault, ',');
        int len = comma != NULL ? (int)(comma - fault) : (int)strlen(fault);
        issues[choice->issue_count++] =
            make_text(".%s%.*s\",\"message\":\"%s\"}", name, len, fault, s->message);
        fault = comma != NULL ? comma + 1 : NULL;
    }
}

/* The first spelling of a class is the one that answers are compared with. */
static void set_value(int field, const spelling *s)
{
    json **value;

    if (s->class == FAULTY)
        return;
    value = &fields[field].values[s->class];
    if (*value != NULL)
        return;
    if (field >= 4 && strcmp(s->sent, "null") == 0) /* null resets to the next one */
        return;
    *value = json_parse(s->sent, strlen(s->sent), NULL);
    CHECK(*value != NULL);
}

static void add_spellings(int field, const spelling *list, size_t count)
{
    field_values *f = &fields[field];

    for (size_t i = 0; i < count; i++) {
        model_choice *choice = &f->choices[f->count++];
        CHECK(f->count <= MAX_SPELLINGS && list[i].class < MAX_CLASSES);
        choice->class = list[i].class;
        make_members(choice, names[field], list[i].sent);
        make_issues(choice, names[field], &list[i]);
        set_value(field, &list[i]);
    }
}

static void make_oddity(const odd_entry *odd, model_oddity *oddity)
{
    const char *member = odd->member != NULL ? odd->member : "";
    size_t len = strlen(member);
    char members[4096] = "";

    CHECK(len * (size_t)odd->times < sizeof members);
    for (int i = 0; i < odd->times; i++)
        memcpy(members + len * (size_t)i, member, len);
    if (odd->entry != NULL)
        oddity->instead = make_text("%s", odd->entry);
    oddity->members = make_text("%s", members);
    if (odd->message != NULL)
        oddity->issue = make_text("\",\"message\":\"%s\"}", odd->message);
}

void model_values_prepare(void)
{
    if (fields[0].count > 0)
        return;
    for (int field = 0; field < 4; field++) {
        add_spellings(field, texts, COUNT(texts));
        if (field == 0)
            add_spellings(field, more_ids, COUNT(more_ids));
        else
            add_spellings(field, more_texts, COUNT(more_texts));
    }
    add_spellings(4, arrays, COUNT(arrays));
    add_spellings(5, objects, COUNT(objects));
    for (size_t i = 0; i < COUNT(odd_entries); i++)
        make_oddity(&odd_entries[i], &oddities[i]);
}

/* ------------------------------------------------------------------------------------ looking */

size_t model_choice_count(int field)
{
    return fields[field].count;
}

const model_choice *model_choice_at(int field, size_t index)
{
    return &fields[field].choices[index];
}

const model_oddity *model_oddity_at(size_t index)
{
    return &oddities[index];
}

/* memcmp() would be libFuzzer's, which records every difference. */
int model_begins_with(const char *at, size_t left, const char *text, size_t len)
{
    size_t i = 0;

    if (len > left)
        return 0;
    for (; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
        uint64_t a, b;
        memcpy(&a, at + i, sizeof a);
        memcpy(&b, text + i, sizeof b);
        if (a != b)
            return 0;
    }
    for (; i < len; i++) {
        if (at[i] != text[i])
            return 0;
    }
    return 1;
}

/* Reads the value that `at` begins with, and keeps its text if it is equal to the class's value. */
static size_t read_value(int field, int class, const char *at, size_t left)
{
    known_texts *known = &fields[field].known[class];
    const json *expected = fields[field].values[class];
    size_t len = 0;
    json *value = json_parse(at, left, &len); /* stops where the rest of the answer begins */

    json_free(value);
    value = json_parse(at, len, NULL);
    /* both ways, as a repeated name could hide a missing one */
    if (!json_is_same(value, expected) || !json_is_same(expected, value))
        len = 0;
    else if (known->count < MAX_KNOWN)
        known->texts[known->count++] = make_text("%.*s", (int)len, at);
    json_free(value);
    return len;
}

size_t model_value_length(int field, int class, const char *at, size_t left)
{
    const known_texts *known = &fields[field].known[class];

    /* a text that is a whole value, and no number, cannot be the beginning of a longer one */
    for (size_t i = 0; i < known->count; i++) {
        if (model_begins_with(at, left, known->texts[i].data, known->texts[i].len))
            return known->texts[i].len;
    }
    return read_value(field, class, at, left);
}
