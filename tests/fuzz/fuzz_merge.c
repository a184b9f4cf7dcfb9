/*
 * fuzz_merge.c: merging and replacing custom_attributes on the memory backend, against a naive
 * model of D2 and D3: entries applied one by one to a small table of members.
 *
 * The input's bytes are decisions: which contact, which members, which value in which spelling.
 */
#include <string.h>

#include "fuzz.h"
#include "support/json.h"
#include "support/request.h"

enum {
    NAMES = 5,
    KEYS = 2,
    MAX_ENTRIES = 6,
    MAX_REQUESTS = 8,
    MAX_BODY = 32768,
    LARGE = 900,  /* characters of the large value: two of them fit into a contact, */
    TOO_MANY = 3, /* and so many do not, whatever is beside them (D3) */
    ABSENT = 0,   /* classes of values: those of one class are equal */
    NULL_CLASS = 1,
    LARGE_CLASS = 2
};

/* Each name in two spellings. */
static const char *const names[NAMES][2] = {{"a", "\\u0061"},
                                            {"b c", "b\\u0020c"},
                                            {"\xC3\xA9", "\\u00e9"},
                                            {"\\\"\\\\", "\\u0022\\u005C"},
                                            {"", ""}};

static const struct {
    int class;
    const char *text; /* NULL: the large one */
} values[] = {{NULL_CLASS, "null"},
              {LARGE_CLASS, NULL},
              {3, "1"},
              {3, "10e-1"},
              {4, "9007199254740993"},
              {4, "9007199254740993.0"},
              {5, "9007199254740992"},
              {6, "{\"x\":null,\"y\":[1]}"},
              {6, "{ \"y\" : [ 1.0 ] , \"x\" : null }"},
              {7, "{}"},
              {8, "\"a\""},
              {8, "\"\\u0061\""},
              {9, "false"}};

enum { VALUES = sizeof values / sizeof values[0] };

typedef struct contact {
    int exists;
    int members[NAMES]; /* classes */
    int64_t updated_at;
} contact;

typedef struct entry {
    int key;
    enum { OMITTED, RESET, SENT } kind;
    int picks[NAMES]; /* of values, from 1; 0: not sent */
    int spelling;
} entry;

typedef struct batch {
    int merges;
    int count;
    entry entries[MAX_ENTRIES];
} batch;

typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
} input;

static int64_t now;

static int64_t model_clock(void *ctx)
{
    (void)ctx;
    return now * 1000000;
}

static uint8_t next(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static void read_batch(input *in, batch *b)
{
    uint8_t style = next(in);

    b->merges = style % 4 != 0;
    b->count = style / 4 % MAX_ENTRIES + 1;
    for (int i = 0; i < b->count; i++) {
        entry *e = &b->entries[i];
        uint8_t byte = next(in);
        e->key = byte % KEYS;
        e->kind = byte / 4 % 16 == 0 ? OMITTED : byte / 4 % 16 == 1 ? RESET : SENT;
        e->spelling = byte / 64 % 2;
        for (int n = 0; n < NAMES; n++) {
            uint8_t pick = e->kind == SENT ? next(in) : 0;
            e->picks[n] = pick < 96 ? 0 : pick % VALUES + 1;
        }
    }
}

/* --------------------------------------------------------------------------------- the model */

static int sent_class(const entry *e, int name)
{
    return e->picks[name] == 0 ? ABSENT : values[e->picks[name] - 1].class;
}

static int count_large(const int *classes)
{
    int count = 0;

    for (int n = 0; n < NAMES; n++)
        count += classes[n] == LARGE_CLASS;
    return count;
}

/* What a member becomes. */
static int apply_member(const contact *c, const entry *e, int name, int merges)
{
    int sent = sent_class(e, name);

    if (e->kind == OMITTED)
        return c->members[name];
    if (e->kind == RESET)
        return ABSENT;
    if (!merges)
        return sent;
    if (sent == NULL_CLASS)
        return ABSENT;
    return sent == ABSENT ? c->members[name] : sent;
}

/* Applies an entry and returns its outcome. */
static int apply(contact *c, const entry *e, int merges)
{
    int outcome = c->exists ? BB_UNCHANGED : BB_CREATED;

    c->exists = 1;
    for (int n = 0; n < NAMES; n++) {
        int becomes = apply_member(c, e, n, merges);
        if (becomes == c->members[n])
            continue;
        c->members[n] = becomes;
        if (outcome == BB_UNCHANGED)
            outcome = BB_UPDATED;
    }
    if (outcome != BB_UNCHANGED)
        c->updated_at = now;
    return outcome;
}

/* Whether the batch must be refused: an entry by itself, or what merging makes of a contact. */
static int is_too_large(const batch *b, const contact *after)
{
    for (int i = 0; i < b->count; i++) {
        int classes[NAMES];
        for (int n = 0; n < NAMES; n++)
            classes[n] = sent_class(&b->entries[i], n);
        if (count_large(classes) >= TOO_MANY)
            return 1;
    }
    for (int k = 0; k < KEYS; k++) {
        if (count_large(after[k].members) >= TOO_MANY)
            return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------- as JSON texts */

typedef struct text {
    char *data;
    size_t len;
} text;

static void append(text *to, const char *piece)
{
    size_t len = strlen(piece);

    CHECK(to->len + len < MAX_BODY);
    memcpy(to->data + to->len, piece, len + 1);
    to->len += len;
}

static void append_value(text *to, size_t value)
{
    char large[LARGE + 3];

    if (values[value].text != NULL) {
        append(to, values[value].text);
        return;
    }
    memset(large, 'z', sizeof large);
    large[0] = large[LARGE + 1] = '"';
    large[LARGE + 2] = '\0';
    append(to, large);
}

static void append_member(text *to, int *is_first, const char *name, size_t value)
{
    append(to, *is_first ? "\"" : ",\"");
    append(to, name);
    append(to, "\":");
    append_value(to, value);
    *is_first = 0;
}

static void append_entry(text *to, const entry *e)
{
    int is_first = 1;

    append(to, e->key == 0 ? "{\"external_id\":\"0\"" : "{\"external_id\":\"1\"");
    if (e->kind == RESET)
        append(to, ",\"custom_attributes\":null");
    if (e->kind == SENT) {
        append(to, ",\"custom_attributes\":{");
        for (int n = 0; n < NAMES; n++) {
            if (e->picks[n] != 0)
                append_member(to, &is_first, names[n][e->spelling], (size_t)e->picks[n] - 1);
        }
        append(to, "}");
    }
    append(to, "}");
}

static json *attributes_of(const contact *c)
{
    char room[MAX_BODY];
    text to = {room, 0};
    int is_first = 1;
    json *value;

    append(&to, "{");
    for (int n = 0; n < NAMES; n++) {
        size_t pick = 0;
        while (c->members[n] != ABSENT && values[pick].class != c->members[n])
            pick++;
        if (c->members[n] != ABSENT)
            append_member(&to, &is_first, names[n][0], pick);
    }
    append(&to, "}");
    value = json_parse(to.data, to.len, NULL);
    CHECK(value != NULL);
    return value;
}

/* ----------------------------------------------------------------------------------- requests */

static void compare_contact(const contact *c, const json *answered)
{
    json *expected = attributes_of(c);
    const json *attributes = json_member(answered, "custom_attributes");

    /* both ways, as a repeated name could hide a missing one */
    CHECK(attributes != NULL && json_is_same(attributes, expected) &&
          json_is_same(expected, attributes));
    CHECK(json_integer(answered, "updated_at", -1) == c->updated_at);
    json_free(expected);
}

static void compare(const batch *b, contact *contacts, const bb_result *result)
{
    contact after[KEYS];
    int outcomes[MAX_ENTRIES];
    size_t len;
    const char *body = bb_result_body(result, &len);
    json *answer = json_parse(body, len, NULL);

    memcpy(after, contacts, sizeof after);
    for (int i = 0; i < b->count; i++)
        outcomes[i] = apply(&after[b->entries[i].key], &b->entries[i], b->merges);
    CHECK(answer != NULL);
    if (is_too_large(b, after)) {
        CHECK(bb_result_http_status(result) == 400 && json_count(json_member(answer, "issues")));
        json_free(answer);
        return;
    }
    CHECK(bb_result_http_status(result) == 200);
    memcpy(contacts, after, sizeof after);
    for (int i = 0; i < b->count; i++) {
        CHECK(bb_result_outcome(result, (size_t)i) == outcomes[i]);
        compare_contact(&after[b->entries[i].key], json_at(json_member(answer, "data"), (size_t)i));
    }
    json_free(answer);
}

static void run_request(const fuzz_endpoint *endpoint, contact *contacts, input *in)
{
    static char room[MAX_BODY];
    text body = {room, 0};
    bb_request request;
    bb_result *result;
    batch b;

    read_batch(in, &b);
    append(&body, "{\"users\":[");
    for (int i = 0; i < b.count; i++) {
        if (i > 0)
            append(&body, ",");
        append_entry(&body, &b.entries[i]);
    }
    append(&body, "]}");
    request = test_request(body.data, body.len);
    request.custom_attributes = b.merges ? BB_ATTRIBUTES_MERGE : BB_ATTRIBUTES_REPLACE;
    now++;
    result = bb_contacts_upsert(endpoint->contacts, &request);
    compare(&b, contacts, result);
    bb_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    contact contacts[KEYS];
    fuzz_endpoint endpoint;
    input in = {data, data + size};

    memset(contacts, 0, sizeof contacts);
    now = 1700000000;
    fuzz_endpoint_open(&endpoint, MAX_BODY, model_clock, NULL);
    for (int i = 0; in.at < in.end && i < MAX_REQUESTS; i++)
        run_request(&endpoint, contacts, &in);
    fuzz_endpoint_close(&endpoint);
    return 0;
}
