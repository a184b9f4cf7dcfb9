/*
 * fuzz_model.c: batches of valid and odd entries on the memory backend, against a second and naive
 * model of the contract: entries applied one by one to a list.
 *
 * The input's bytes are decisions: how many requests and entries, which value for which field,
 * which spelling. The model keeps the class of each value, not its text: values of one class are
 * equal. Answers are compared byte by byte, except values that have several spellings: the tests'
 * own JSON reader, which shares nothing with the library, reads these.
 */
#include <string.h>

#include "fuzz.h"
#include "model_answer.h"
#include "model_batch.h"
#include "model_values.h"

enum {
    FIELDS = MODEL_FIELDS,
    MAX_REQUESTS = 6,
    MAX_CONTACTS = 64,
};

/* An id that the library has made; all zeros: none. */
typedef struct generated_id {
    uint64_t words[5];
} generated_id;

static const generated_id no_id;

static generated_id id_of(const char *text)
{
    generated_id id = {{0}};

    memcpy(id.words, text, MODEL_UUID);
    return id;
}

static int is_same_id(const generated_id *a, const generated_id *b)
{
    uint64_t differ = 0;

    for (int i = 0; i < 5; i++)
        differ |= a->words[i] ^ b->words[i];
    return differ == 0;
}

typedef struct contact {
    int chatbot; /* 0 or 1 */
    int classes[FIELDS];
    generated_id generated; /* the key, if it was made by the library */
    int64_t id;
    int64_t created_at;
    int64_t updated_at;
} contact;

typedef struct model {
    contact contacts[MAX_CONTACTS];
    int count;
    int64_t now;                             /* seconds */
    generated_id derived[2 * MODEL_ENTRIES]; /* ids that the idempotency key has made, by chatbot */
} model;

typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
    size_t last[FIELDS]; /* choices */
} input;

static uint8_t next(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* The choice that a byte makes for a field; NULL: the field is left out. Half of the bytes take one
 * near the field's last choice: in the lists, equal and nearly equal values are neighbours. */
static const model_choice *choose(input *in, int field)
{
    uint8_t byte = next(in);
    size_t count = model_choice_count(field);
    size_t pick = byte % (count + count / 3);

    if (byte >= 128)
        pick = (in->last[field] + count + byte % 5 - 2) % count;
    if (pick >= count)
        return NULL;
    in->last[field] = pick;
    return model_choice_at(field, pick);
}

static int64_t model_clock(void *ctx)
{
    return ((model *)ctx)->now * 1000000 + 999999;
}

/* --------------------------------------------------------------------------------- the model */

static contact *find(model *m, int chatbot, int id_class, const generated_id *generated)
{
    for (int i = 0; i < m->count; i++) {
        contact *c = &m->contacts[i];
        if (c->chatbot == chatbot && c->classes[0] == id_class &&
            is_same_id(&c->generated, generated))
            return c;
    }
    return NULL;
}

/* Whether the library must make the entry's id. */
static int is_without_id(const model_entry *e)
{
    return e->fields[0] == NULL || e->fields[0]->class == MODEL_NULL;
}

static contact *find_entry(model *m, int chatbot, const model_entry *e,
                           const generated_id *generated)
{
    return find(m, chatbot, is_without_id(e) ? MODEL_NULL : e->fields[0]->class, generated);
}

static contact *add_contact(model *m, int chatbot, int id_class, const generated_id *generated)
{
    contact *c = &m->contacts[m->count++];

    CHECK(m->count <= MAX_CONTACTS);
    memset(c, 0, sizeof *c);
    c->chatbot = chatbot;
    c->classes[0] = id_class;
    c->generated = *generated;
    c->created_at = m->now;
    c->updated_at = m->now;
    return c;
}

/* E1, D and E6, one entry at a time. */
static int apply(model *m, int chatbot, const model_entry *e, const generated_id *generated)
{
    contact *c = find_entry(m, chatbot, e, generated);
    int outcome = BB_UNCHANGED;

    if (c == NULL) {
        int id_class = is_without_id(e) ? MODEL_NULL : e->fields[0]->class;
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

/* A contact keeps its number (E3). */
static void compare_id(const model *m, contact *c, int64_t id)
{
    if (c->id != 0) {
        CHECK(c->id == id);
        return;
    }
    for (int i = 0; i < m->count; i++)
        CHECK(m->contacts[i].id != id);
    c->id = id;
}

/* An id for an entry that sent none: a new one, or, by the idempotency key, the same one for the
 * same place (E9). */
static void compare_generated(model *m, const model_batch *b, int i, const generated_id *id)
{
    generated_id *derived = &m->derived[b->chatbot * MODEL_ENTRIES + i];

    if (!(b->style & STYLE_IDEMPOTENCY_KEY)) {
        CHECK(find(m, 0, MODEL_NULL, id) == NULL && find(m, 1, MODEL_NULL, id) == NULL);
        return;
    }
    if (is_same_id(derived, &no_id)) {
        for (int k = 0; k < 2 * MODEL_ENTRIES; k++)
            CHECK(!is_same_id(&m->derived[k], id));
        *derived = *id;
    }
    CHECK(is_same_id(derived, id));
}

/* The contact of an entry that sent no id is known once the answer has shown its id. */
static contact *read_generated(model *m, const model_batch *b, int i, const bb_result *result,
                               model_answer *answer)
{
    const model_entry *e = &b->entries[i];
    generated_id id;

    MODEL_EXPECT(answer, "\"");
    id = id_of(model_answer_read_uuid(answer));
    MODEL_EXPECT(answer, "\"");
    compare_generated(m, b, i, &id);
    CHECK(apply(m, b->chatbot, e, &id) == bb_result_outcome(result, (size_t)i));
    return find_entry(m, b->chatbot, e, &id);
}

static void compare_fields(const contact *c, model_answer *answer)
{
    MODEL_EXPECT(answer, ",\"name\":");
    model_answer_expect_value(answer, 1, c->classes[1]);
    MODEL_EXPECT(answer, ",\"email\":");
    model_answer_expect_value(answer, 2, c->classes[2]);
    MODEL_EXPECT(answer, ",\"phonenumber\":");
    model_answer_expect_value(answer, 3, c->classes[3]);
    MODEL_EXPECT(answer, ",\"stripe_accounts\":");
    model_answer_expect_value(answer, 4, c->classes[4]);
    MODEL_EXPECT(answer, ",\"custom_attributes\":");
    model_answer_expect_value(answer, 5, c->classes[5]);
    MODEL_EXPECT(answer, ",\"created_at\":");
    model_answer_expect_integer(answer, c->created_at);
    MODEL_EXPECT(answer, ",\"updated_at\":");
    model_answer_expect_integer(answer, c->updated_at);
    MODEL_EXPECT(answer, "}");
}

static void compare_contact(model *m, const model_batch *b, int i, const bb_result *result,
                            model_answer *answer)
{
    const model_entry *e = &b->entries[i];
    contact *c;
    int64_t id;

    MODEL_EXPECT(answer, "{\"id\":\"contact_");
    id = model_answer_read_integer(answer);
    MODEL_EXPECT(answer, "\",\"external_id\":");
    if (is_without_id(e)) {
        c = read_generated(m, b, i, result, answer);
    } else {
        c = find_entry(m, b->chatbot, e, &no_id);
        model_answer_expect_value(answer, 0, c->classes[0]);
    }
    compare_id(m, c, id);
    compare_fields(c, answer);
}

/* Entries with an id are applied first. The others are independent of them and of each other: each
 * of those has a contact of its own in the request. */
static void compare_success(model *m, const model_batch *b, const bb_result *result,
                            model_answer *answer)
{
    CHECK(bb_result_http_status(result) == 200);
    CHECK(bb_result_entries(result) == (size_t)b->count);
    for (int i = 0; i < b->count; i++) {
        const model_entry *e = &b->entries[i];
        if (!is_without_id(e))
            CHECK(apply(m, b->chatbot, e, &no_id) == bb_result_outcome(result, (size_t)i));
    }
    MODEL_EXPECT(answer, "{\"message\":\"Success\",\"data\":[");
    for (int i = 0; i < b->count; i++) {
        if (i > 0)
            MODEL_EXPECT(answer, ",");
        compare_contact(m, b, i, result, answer);
    }
    MODEL_EXPECT(answer, "]}");
    model_answer_expect_end(answer);
}

static void compare(model *m, const model_batch *b, const bb_result *result)
{
    int issues = model_batch_issues(b);
    model_answer answer;
    size_t len;

    answer.at = bb_result_body(result, &len);
    answer.end = answer.at + len;
    if (issues == 0) {
        compare_success(m, b, result, &answer);
        return;
    }
    CHECK(bb_result_http_status(result) == 400);
    CHECK(bb_result_entries(result) == 0);
    model_batch_check_refusal(b, issues, &answer);
}

/* ----------------------------------------------------------------------------------- requests */

static void read_batch(input *in, model_batch *b)
{
    b->count = next(in) % (MODEL_ENTRIES - 1) + 1;
    b->style = next(in);
    b->chatbot = (b->style & STYLE_OTHER_CHATBOT) != 0;
    for (int i = 0; i < b->count; i++) {
        uint8_t odd = next(in);
        b->entries[i].odd = odd >= 256 - MODEL_ODDITIES ? model_oddity_at(255u - odd) : NULL;
        for (int f = 0; f < FIELDS; f++)
            b->entries[i].fields[f] = choose(in, f);
    }
}

static void run_request(fuzz_endpoint *endpoint, model *m, input *in)
{
    static char body[MODEL_BODY];
    bb_request request;
    bb_result *result;
    model_batch b;

    read_batch(in, &b);
    bb_request_init(&request);
    request.chatbot_id = b.chatbot == 0 ? "123" : "124";
    request.chatbot_id_len = 3;
    request.authorization = "Bearer " FUZZ_KEY;
    request.authorization_len = sizeof "Bearer " FUZZ_KEY - 1;
    request.body = body;
    request.body_len = model_batch_write(&b, body);
    request.idempotency_key = "k";
    request.idempotency_key_len = (b.style & STYLE_IDEMPOTENCY_KEY) != 0;
    m->now += (b.style & STYLE_A_SECOND_LATER) != 0;
    result = bb_contacts_upsert(endpoint->contacts, &request);
    compare(m, &b, result);
    bb_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model m;
    fuzz_endpoint endpoint;
    input in = {data, data + size, {0}};
    int requests = 0;

    model_values_prepare();
    memset(&m, 0, sizeof m);
    m.now = 1700000000;
    fuzz_endpoint_open(&endpoint, MODEL_BODY, model_clock, &m);
    while (in.at < in.end && requests++ < MAX_REQUESTS)
        run_request(&endpoint, &m, &in);
    fuzz_endpoint_close(&endpoint);
    return 0;
}
