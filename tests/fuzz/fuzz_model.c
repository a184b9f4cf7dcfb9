/*
 * fuzz_model.c: batches of valid and odd entries on the memory backend, against a second and naive
 * model of the contract: entries applied one by one to a list.
 *
 * The input's bytes are decisions: how many requests and entries, which value for which field,
 * which spelling. The model keeps for each value its class, not its text: values of one class are
 * equal. Responses are read by the tests' own JSON reader, which shares nothing with the library.
 */
#include <string.h>

#include "fuzz.h"
#include "support/json.h"

enum {
    FIELDS = 6,
    MAX_ENTRIES = 8,
    MAX_REQUESTS = 6,
    MAX_CONTACTS = 64,
    MAX_SPELLINGS = 48,
    MAX_CLASSES = 32,
    MAX_BODY = 64 * 1024,
    MAX_ISSUES = 100, /* that are listed */
    UUID_SIZE = 37,
    FAULTY = -2, /* classes of a value */
    NULL_CLASS = 0
};

/* A value as a client may spell it. */
typedef struct spelling {
    const char *sent;
    int class;           /* equal for equal values of a field */
    const char *faults;  /* what follows "users[i].field" in the issues, a comma between two */
    const char *message; /* of the issues */
} spelling;

static const char *const names[FIELDS] = {
    "external_id", "name", "email", "phonenumber", "stripe_accounts", "custom_attributes"};

/* The first spelling of a class is the one that answers are compared with. */

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
    {"\"e\xCC\x81\"", 5, NULL, NULL}, /* the same to the eye, and another text */
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

/* What may stand in place of an entry, or in it beside its fields. */
typedef struct oddity {
    const char *entry;  /* instead of an object; NULL: an object with the member below */
    const char *member; /* repeated so often */
    int times;
    const char *message;
} oddity;

static const oddity oddities[] = {
    {"7", NULL, 0, "Expected object, received number"},
    {"null", NULL, 0, "Expected object, received null"},
    {"[{}]", NULL, 0, "Expected object, received array"},
    {NULL, ",\"x\":[[[[[[[[[[[[[]]]]]]]]]]]]]", 1, "Nested deeper than 12 levels"},
    {NULL, ",\"x\":[[[[[[[[[[[[]]]]]]]]]]]]", 1, NULL},
    {NULL, ",\"x\":0.0123456789", 150, "Larger than 2500 bytes"},
    {NULL, ",\"\\u0000\":{}", 20, NULL},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The list of a field's spellings, the one that only it has, and the parsed text of each class. */
typedef struct field_values {
    const spelling *list[MAX_SPELLINGS];
    size_t count;
    size_t last; /* that was chosen for the input */
    json *of_class[MAX_CLASSES];
} field_values;

static field_values values[FIELDS];

static void add_spellings(int field, const spelling *list, size_t count)
{
    field_values *v = &values[field];

    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(v->count < MAX_SPELLINGS && list[i].class < MAX_CLASSES);
        v->list[v->count++] = &list[i];
        if (list[i].class == FAULTY || v->of_class[list[i].class] != NULL)
            continue;
        if (field >= 4 && strcmp(list[i].sent, "null") == 0) /* null resets to the next one */
            continue;
        v->of_class[list[i].class] = json_parse(list[i].sent, strlen(list[i].sent), NULL);
        FUZZ_CHECK(v->of_class[list[i].class] != NULL);
    }
}

static void prepare_values(void)
{
    for (int field = 0; field < FIELDS; field++)
        values[field].last = 0;
    if (values[0].count > 0)
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
}

/* The spelling that a byte chooses for a field; NULL: the field is left out. Half of the bytes take
 * one near the field's last: the lists are such that equal and nearly equal values are neighbours.
 */
static const spelling *choose(int field, uint8_t byte)
{
    field_values *v = &values[field];
    size_t pick = byte % (v->count + v->count / 3);

    if (byte >= 128)
        pick = (v->last + v->count + byte % 5 - 2) % v->count;
    if (pick >= v->count)
        return NULL;
    v->last = pick;
    return v->list[pick];
}

typedef struct contact {
    int chatbot; /* 0 or 1 */
    int classes[FIELDS];
    char generated[UUID_SIZE]; /* the key, if it was made by the library */
    int64_t id;
    int64_t created_at;
    int64_t updated_at;
} contact;

typedef struct entry {
    const spelling *fields[FIELDS];
    const oddity *odd; /* or NULL */
} entry;

typedef struct model {
    contact contacts[MAX_CONTACTS];
    int count;
    int64_t now; /* seconds */
    char derived[2 * MAX_ENTRIES]
                [UUID_SIZE]; /* ids that the idempotency key has made, by chatbot */
} model;

/* How a request is made, by the bits of its style. */
enum {
    STYLE_SPACES = 1,
    STYLE_ALIAS = 2,
    STYLE_EARLIER_VALUES = 4,
    STYLE_A_SECOND_LATER = 8,
    STYLE_OTHER_CHATBOT = 16,
    STYLE_NULL_USERS = 32, /* with STYLE_ALIAS */
    STYLE_IDEMPOTENCY_KEY = 64,
    STYLE_EARLIER_ARRAY = 128
};

typedef struct batch {
    entry entries[MAX_ENTRIES];
    int count;
    int style;
    int chatbot;
    const char *root;
} batch;

typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
} input;

static uint8_t next(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static int64_t model_clock(void *ctx)
{
    return ((model *)ctx)->now * 1000000 + 999999;
}

/* ------------------------------------------------------------------------------- the request */

static size_t write_entry(const entry *e, int style, char *out)
{
    const char *space = style & STYLE_SPACES ? " \n" : "";
    size_t len = (size_t)sprintf(out, "{\"ignored\":\"\\u0000\"");

    if (e->odd != NULL && e->odd->entry != NULL)
        return (size_t)sprintf(out, "%s", e->odd->entry);
    for (int f = 0; f < FIELDS; f++) {
        if (e->fields[f] == NULL)
            continue;
        if (style & STYLE_EARLIER_VALUES) /* which count for nothing */
            len += (size_t)sprintf(out + len, ",\"%s\":false", names[f]);
        len += (size_t)sprintf(out + len, ",%s\"%s\"%s:%s", space, names[f], space,
                               e->fields[f]->sent);
    }
    for (int i = 0; e->odd != NULL && i < e->odd->times; i++)
        len += (size_t)sprintf(out + len, "%s", e->odd->member);
    return len + (size_t)sprintf(out + len, "}");
}

static size_t write_body(const batch *b, char *out)
{
    const char *space = b->style & STYLE_SPACES ? " \n" : "";
    const char *root = b->style & STYLE_ALIAS ? "contacts" : "us\\u0065rs";
    size_t len = (size_t)sprintf(out, "%s{\"x\":[{}],%s", space, space);

    if (b->style & STYLE_EARLIER_ARRAY)
        len += (size_t)sprintf(out + len, "\"%s\":[{\"name\":1}],", root);
    if (b->style & STYLE_NULL_USERS && b->style & STYLE_ALIAS)
        len += (size_t)sprintf(out + len, "\"users\":null,");
    len += (size_t)sprintf(out + len, "\"%s\":[", root);
    for (int i = 0; i < b->count; i++) {
        len += (size_t)sprintf(out + len, "%s", i > 0 ? "," : "");
        len += write_entry(&b->entries[i], b->style, out + len);
        len += (size_t)sprintf(out + len, "%s", space);
        FUZZ_CHECK(len < MAX_BODY * 3 / 4);
    }
    return len + (size_t)sprintf(out + len, "]}%s", space);
}

/* ------------------------------------------------------------------------ the expected issues */

typedef struct issue_list {
    char json[MAX_BODY];
    size_t len;
    int count;
} issue_list;

static void add_issue(issue_list *list, const batch *b, int i, const char *field, const char *at,
                      int at_len, const char *message)
{
    if (list->count++ >= MAX_ISSUES)
        return;
    list->len += (size_t)snprintf(list->json + list->len, sizeof list->json - list->len,
                                  "%s{\"field\":\"%s[%d]%s%s%.*s\",\"message\":\"%s\"}",
                                  list->len > 0 ? "," : "", b->root, i, field[0] != '\0' ? "." : "",
                                  field, at_len, at, message);
    FUZZ_CHECK(list->len < sizeof list->json - 100);
}

static void add_issues_of(issue_list *list, const batch *b, int i, int field)
{
    const spelling *s = b->entries[i].fields[field];
    const char *fault = s != NULL ? s->faults : NULL;

    while (fault != NULL) {
        const char *comma = strchr(fault, ',');
        int len = comma != NULL ? (int)(comma - fault) : (int)strlen(fault);
        add_issue(list, b, i, names[field], fault, len, s->message);
        fault = comma != NULL ? comma + 1 : NULL;
    }
}

static void make_issues(issue_list *list, const batch *b)
{
    list->json[0] = '\0';
    list->len = 0;
    list->count = 0;
    for (int i = 0; i < b->count; i++) {
        const oddity *odd = b->entries[i].odd;
        if (odd != NULL && odd->message != NULL) {
            add_issue(list, b, i, "", "", 0, odd->message);
            continue;
        }
        for (int f = 0; f < FIELDS; f++)
            add_issues_of(list, b, i, f);
    }
}

static void compare_refusal(const issue_list *list, const batch *b, const bb_result *result)
{
    static char expected[MAX_BODY + 200];
    char more[100] = "";
    int left_out = list->count - MAX_ISSUES;

    if (left_out > 0)
        snprintf(more, sizeof more, ",{\"field\":\"%s\",\"message\":\"%d more issue%s left out\"}",
                 b->root, left_out, left_out == 1 ? " was" : "s were");
    snprintf(expected, sizeof expected, "{\"message\":\"Invalid request data\",\"issues\":[%s%s]}",
             list->json, more);
    FUZZ_CHECK(bb_result_http_status(result) == 400);
    FUZZ_CHECK(strcmp(bb_result_body(result, NULL), expected) == 0);
    FUZZ_CHECK(bb_result_entries(result) == 0);
}

/* --------------------------------------------------------------------------------- the model */

static contact *find(model *m, int chatbot, int id_class, const char *generated)
{
    for (int i = 0; i < m->count; i++) {
        contact *c = &m->contacts[i];
        if (c->chatbot == chatbot && c->classes[0] == id_class &&
            strcmp(c->generated, generated) == 0)
            return c;
    }
    return NULL;
}

static int id_class_of(const entry *e, const char *generated)
{
    if (generated[0] != '\0' || e->fields[0] == NULL)
        return NULL_CLASS;
    return e->fields[0]->class;
}

static contact *add_contact(model *m, int chatbot, int id_class, const char *generated)
{
    contact *c = &m->contacts[m->count++];

    FUZZ_CHECK(m->count <= MAX_CONTACTS);
    memset(c, 0, sizeof *c);
    c->chatbot = chatbot;
    c->classes[0] = id_class;
    memcpy(c->generated, generated, UUID_SIZE);
    c->created_at = m->now;
    c->updated_at = m->now;
    return c;
}

/* E1, D and E6, one entry at a time. */
static int apply(model *m, int chatbot, const entry *e, const char *generated)
{
    int id_class = id_class_of(e, generated);
    contact *c = find(m, chatbot, id_class, generated);
    int outcome = BB_UNCHANGED;

    if (c == NULL) {
        c = add_contact(m, chatbot, id_class, generated);
        outcome = BB_CREATED;
    }
    for (int f = 1; f < FIELDS; f++) {
        if (e->fields[f] == NULL || e->fields[f]->class == c->classes[f])
            continue;
        c->classes[f] = e->fields[f]->class;
        if (outcome == BB_UNCHANGED)
            outcome = BB_UPDATED;
    }
    if (outcome == BB_UPDATED)
        c->updated_at = m->now;
    return outcome;
}

/* --------------------------------------------------------------------------------- comparing */

/* A contact's number stays its own (E3). */
static void compare_id(const model *m, contact *c, const json *value)
{
    int64_t id;

    FUZZ_CHECK(value->kind == JSON_STRING && strncmp(value->text, "contact_", 8) == 0);
    id = strtoll(value->text + 8, NULL, 10);
    FUZZ_CHECK(id > 0);
    if (c->id != 0) {
        FUZZ_CHECK(c->id == id);
        return;
    }
    for (int i = 0; i < m->count; i++)
        FUZZ_CHECK(m->contacts[i].id != id);
    c->id = id;
}

static void compare_contact(const model *m, contact *c, const json *object)
{
    static const char *const order[] = {"id",
                                        "external_id",
                                        "name",
                                        "email",
                                        "phonenumber",
                                        "stripe_accounts",
                                        "custom_attributes",
                                        "created_at",
                                        "updated_at"};
    const json *value = object->child;
    int i = 0;

    FUZZ_CHECK(object->kind == JSON_OBJECT);
    for (; value != NULL; value = value->next, i++) {
        FUZZ_CHECK(i < 9 && strcmp(value->name, order[i]) == 0);
        if (i == 0)
            compare_id(m, c, value);
        else if (i == 1 && c->generated[0] != '\0')
            FUZZ_CHECK(json_is_text(value, c->generated));
        else if (i <= 6)
            FUZZ_CHECK(json_is_same(value, values[i - 1].of_class[c->classes[i - 1]]));
        else
            FUZZ_CHECK(strtoll(value->text, NULL, 10) == (i == 7 ? c->created_at : c->updated_at));
    }
    FUZZ_CHECK(i == 9);
}

/* The external_id of a contact in a response, for an entry that sent none: made anew, or by the
 * idempotency key, the same for the same place (E9). */
static void read_generated(model *m, const batch *b, int i, const json *object, char *out)
{
    const char *text = json_text(object, "external_id", "");
    char *derived = m->derived[b->chatbot * MAX_ENTRIES + i];

    FUZZ_CHECK(strlen(text) == UUID_SIZE - 1);
    memcpy(out, text, UUID_SIZE);
    if (!(b->style & STYLE_IDEMPOTENCY_KEY)) {
        FUZZ_CHECK(find(m, 0, NULL_CLASS, out) == NULL && find(m, 1, NULL_CLASS, out) == NULL);
        return;
    }
    if (derived[0] == '\0') {
        for (int k = 0; k < 2 * MAX_ENTRIES; k++)
            FUZZ_CHECK(strcmp(m->derived[k], out) != 0);
        memcpy(derived, out, UUID_SIZE);
    }
    FUZZ_CHECK(strcmp(derived, out) == 0);
}

static void compare_success(model *m, const batch *b, const bb_result *result)
{
    char generated[MAX_ENTRIES][UUID_SIZE];
    size_t len;
    const char *text = bb_result_body(result, &len);
    json *body = json_parse(text, len, NULL);
    const json *data = json_member(body, "data");

    FUZZ_CHECK(bb_result_http_status(result) == 200);
    FUZZ_CHECK(json_count(body) == 2 && json_is_text(json_member(body, "message"), "Success"));
    FUZZ_CHECK(json_count(data) == (size_t)b->count);
    for (int i = 0; i < b->count; i++) {
        const entry *e = &b->entries[i];
        memset(generated[i], 0, UUID_SIZE);
        if (e->fields[0] == NULL || e->fields[0]->class == NULL_CLASS)
            read_generated(m, b, i, json_at(data, (size_t)i), generated[i]);
        FUZZ_CHECK(apply(m, b->chatbot, e, generated[i]) == bb_result_outcome(result, (size_t)i));
    }
    for (int i = 0; i < b->count; i++) {
        int id_class = id_class_of(&b->entries[i], generated[i]);
        compare_contact(m, find(m, b->chatbot, id_class, generated[i]), json_at(data, (size_t)i));
    }
    json_free(body);
}

static void read_batch(input *in, batch *b)
{
    b->count = next(in) % (MAX_ENTRIES - 1) + 1;
    b->style = next(in);
    b->chatbot = (b->style & STYLE_OTHER_CHATBOT) != 0;
    b->root = b->style & STYLE_ALIAS ? "contacts" : "users";
    for (int i = 0; i < b->count; i++) {
        uint8_t odd = next(in);
        b->entries[i].odd = odd >= 256 - COUNT(oddities) ? &oddities[255 - odd] : NULL;
        for (int f = 0; f < FIELDS; f++)
            b->entries[i].fields[f] = choose(f, next(in));
    }
}

static void run_request(fuzz_endpoint *endpoint, model *m, input *in)
{
    static char body[MAX_BODY];
    static issue_list issues;
    bb_request request;
    bb_result *result;
    batch b;

    read_batch(in, &b);
    bb_request_init(&request);
    request.chatbot_id = b.chatbot == 0 ? "123" : "124";
    request.chatbot_id_len = 3;
    request.authorization = "Bearer " FUZZ_KEY;
    request.authorization_len = sizeof "Bearer " FUZZ_KEY - 1;
    request.body = body;
    request.body_len = write_body(&b, body);
    request.idempotency_key = "k";
    request.idempotency_key_len = (b.style & STYLE_IDEMPOTENCY_KEY) != 0;
    m->now += (b.style & STYLE_A_SECOND_LATER) != 0;
    result = bb_contacts_upsert(endpoint->contacts, &request);
    make_issues(&issues, &b);
    if (issues.count == 0)
        compare_success(m, &b, result);
    else
        compare_refusal(&issues, &b, result);
    bb_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model m;
    fuzz_endpoint endpoint;
    input in = {data, data + size};
    int requests = 0;

    prepare_values();
    memset(&m, 0, sizeof m);
    m.now = 1700000000;
    fuzz_endpoint_open(&endpoint, MAX_BODY, model_clock, &m);
    while (in.at < in.end && requests++ < MAX_REQUESTS)
        run_request(&endpoint, &m, &in);
    fuzz_endpoint_close(&endpoint);
    return 0;
}
