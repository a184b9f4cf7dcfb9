/*
 * test_batch.c: entries become records, and records' outcomes those of entries (E1, E2, E5, E6,
 * E9).
 */
#include "unit.h"

#include <sodium.h>

#include "request/batch.h"
#include "request/generated_id.h"

/* A batch with all that it needs. */
typedef struct made {
    unit_memory memory;
    bb_arena arena;
    bb_body body;
    bb_batch batch;
    bb_id_source ids;
    bb_batch_rules rules;
    int32_t code;
} made;

/* Random bytes that count up from 1. */
static int32_t counting_random(void *ctx, void *out, size_t len)
{
    unsigned char *next = ctx;
    unsigned char *to = out;

    for (size_t i = 0; i < len; i++)
        to[i] = ++*next;
    return 0;
}

static int32_t failing_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
    return 1;
}

static void begin(made *m, const bb_entry *entries, size_t count)
{
    memset(m, 0, sizeof *m);
    unit_memory_init(&m->memory);
    m->body.entries = must_alloc(count * sizeof *entries);
    memcpy(m->body.entries, entries, count * sizeof *entries);
    m->body.count = count;
    m->ids.chatbot_id = 1;
}

static void make(made *m)
{
    bb_arena_init(&m->arena, &m->memory.allocator);
    m->code = bb_batch_make(&m->body, &m->ids, &m->rules, &m->arena, &m->batch);
}

static void end(made *m)
{
    bb_arena_free(&m->arena);
    free(m->body.entries);
    unit_memory_check(&m->memory);
}

static void begin_and_make(made *m, const bb_entry *entries, size_t count)
{
    begin(m, entries, count);
    make(m);
    assert_int_equal(m->code, BB_OK);
}

static bb_entry entry(const char *external_id)
{
    bb_entry e = {.external_id = slice_of(external_id)};

    return e;
}

static bb_entry named(const char *external_id, const char *name)
{
    bb_entry e = {
        .external_id = slice_of(external_id), .fields = BB_FIELD_NAME, .name = slice_of(name)};

    return e;
}

static bb_entry with_json(const char *external_id, const char *stripe, const char *custom)
{
    bb_entry e = {.external_id = slice_of(external_id)};

    if (stripe != NULL) {
        e.fields |= BB_FIELD_STRIPE_ACCOUNTS;
        e.stripe_accounts = slice_of(stripe);
    }
    if (custom != NULL) {
        e.fields |= BB_FIELD_CUSTOM_ATTRIBUTES;
        e.custom_attributes = slice_of(custom);
    }
    return e;
}

/* ------------------------------------------------------------------------------------- records */

static void test_E7_records_are_sorted_byte_by_byte(void **state)
{
    static const char *const ids[] = {
        "b",  "a",     "\xC3\xA9",         "aa",           "B",  "\x01", "z", "\x7F",
        "ab", "a\x01", "\xF0\x9F\x98\x80", "\xEF\xBF\xBF", "10", "9"};
    static const char *const sorted[] = {
        "\x01", "10", "9", "B",    "a",        "a\x01",        "aa",
        "ab",   "b",  "z", "\x7F", "\xC3\xA9", "\xEF\xBF\xBF", "\xF0\x9F\x98\x80"};
    bb_entry entries[COUNT_OF(ids)];
    made m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        entries[i] = entry(ids[i]);
    begin_and_make(&m, entries, COUNT_OF(ids));
    assert_int_equal(m.batch.record_count, COUNT_OF(ids));
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_slice(m.batch.pointers[i]->external_id, sorted[i]);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_slice(m.batch.pointers[m.batch.record_of[i]]->external_id, ids[i]);
    end(&m);
}

static void test_E1_a_record_has_the_place_of_its_last_entry(void **state)
{
    const bb_entry entries[] = {entry("c"), entry("a"), entry("b"), entry("a")};
    made m;

    (void)state;
    begin_and_make(&m, entries, COUNT_OF(entries));
    assert_int_equal(m.batch.record_count, 3);
    assert_int_equal(m.batch.pointers[0]->place, 3);
    assert_int_equal(m.batch.pointers[1]->place, 2);
    assert_int_equal(m.batch.pointers[2]->place, 0);
    end(&m);
}

static void test_D_a_record_has_what_a_new_contact_gets(void **state)
{
    const bb_entry entries[] = {entry("a")};
    made m;
    const bb_record *record;

    (void)state;
    begin_and_make(&m, entries, 1);
    record = m.batch.pointers[0];
    assert_int_equal(record->size, sizeof(bb_record));
    assert_int_equal(record->fields, 0);
    assert_int_equal(record->flags, 0);
    assert_null(record->name.data);
    assert_null(record->email.data);
    assert_null(record->phonenumber.data);
    assert_slice(record->stripe_accounts, "[]");
    assert_slice(record->custom_attributes, "{}");
    end(&m);
}

static void test_D_a_record_has_every_field_in_its_place(void **state)
{
    const bb_entry entries[] = {{.external_id = slice_of("x"),
                                 .fields = 31,
                                 .name = slice_of("n"),
                                 .email = slice_of("e"),
                                 .phonenumber = slice_of("p"),
                                 .stripe_accounts = slice_of("[{}]"),
                                 .custom_attributes = slice_of("{\"c\":1}")}};
    made m;
    const bb_record *record;

    (void)state;
    begin_and_make(&m, entries, 1);
    record = m.batch.pointers[0];
    assert_int_equal(record->fields, 31);
    assert_slice(record->external_id, "x");
    assert_slice(record->name, "n");
    assert_slice(record->email, "e");
    assert_slice(record->phonenumber, "p");
    assert_slice(record->stripe_accounts, "[{}]");
    assert_slice(record->custom_attributes, "{\"c\":1}");
    end(&m);
}

static void test_E1_entries_of_one_contact_are_folded(void **state)
{
    const bb_entry entries[] = {named("b", "first"), named("a", "other"),
                                with_json("b", "[{}]", NULL), entry("b"),
                                with_json("b", NULL, "{\"x\":1}")};
    made m;
    const bb_record *record;

    (void)state;
    begin_and_make(&m, entries, COUNT_OF(entries));
    assert_int_equal(m.batch.record_count, 2);
    assert_slice(m.batch.pointers[0]->external_id, "a");
    assert_int_equal(m.batch.pointers[0]->flags, 0);
    record = m.batch.pointers[1];
    assert_slice(record->external_id, "b");
    assert_int_equal(record->fields,
                     BB_FIELD_NAME | BB_FIELD_STRIPE_ACCOUNTS | BB_FIELD_CUSTOM_ATTRIBUTES);
    assert_int_equal(record->flags, BB_RECORD_WANT_BEFORE);
    assert_slice(record->name, "first");
    assert_slice(record->stripe_accounts, "[{}]");
    assert_slice(record->custom_attributes, "{\"x\":1}");
    assert_int_equal(m.batch.record_of[0], 1);
    assert_int_equal(m.batch.record_of[1], 0);
    assert_int_equal(m.batch.record_of[4], 1);
    end(&m);
}

static void expect_flags(const bb_entry *entries, size_t count, uint32_t flags)
{
    made m;

    begin_and_make(&m, entries, count);
    assert_int_equal(m.batch.record_count, 1);
    assert_int_equal(m.batch.pointers[0]->flags, flags);
    end(&m);
}

static void test_E1_a_record_that_goes_there_and_back_is_touched(void **state)
{
    const bb_entry there_and_back[] = {named("a", "x"), named("a", "y"), named("a", "x")};
    const bb_entry to_null[] = {named("a", "x"), named("a", NULL)};
    const bb_entry from_null[] = {named("a", NULL), named("a", "")};
    const bb_entry late[] = {entry("a"), named("a", "x"), named("a", "x"), named("a", "z")};
    const bb_entry json[] = {with_json("a", NULL, "{\"n\":1}"), with_json("a", NULL, "{\"n\":2}")};
    const bb_entry order[] = {with_json("a", "[{},{\"x\":1}]", NULL),
                              with_json("a", "[{\"x\":1},{}]", NULL)};
    const uint32_t touched = BB_RECORD_WANT_BEFORE | BB_RECORD_TOUCH;

    (void)state;
    expect_flags(there_and_back, COUNT_OF(there_and_back), touched);
    expect_flags(to_null, COUNT_OF(to_null), touched);
    expect_flags(from_null, COUNT_OF(from_null), touched);
    expect_flags(late, COUNT_OF(late), touched);
    expect_flags(json, COUNT_OF(json), touched);
    expect_flags(order, COUNT_OF(order), touched);
}

static void test_E5_a_record_whose_entries_agree_is_not_touched(void **state)
{
    const bb_entry once[] = {named("a", "x")};
    const bb_entry same[] = {named("a", "x"), named("a", "x"), entry("a")};
    const bb_entry nulls[] = {named("a", NULL), named("a", NULL)};
    const bb_entry apart[] = {named("a", "x"), with_json("a", "[]", "{}")};
    const bb_entry json[] = {with_json("a", "[{\"b\":1,\"c\":\"\\u0041\"}]", "{}"),
                             with_json("a", "[{\"c\":\"A\",\"b\":1.0}]", "{}")};

    (void)state;
    expect_flags(once, COUNT_OF(once), 0);
    expect_flags(same, COUNT_OF(same), BB_RECORD_WANT_BEFORE);
    expect_flags(nulls, COUNT_OF(nulls), BB_RECORD_WANT_BEFORE);
    expect_flags(apart, COUNT_OF(apart), BB_RECORD_WANT_BEFORE);
    expect_flags(json, COUNT_OF(json), BB_RECORD_WANT_BEFORE);
}

/* ------------------------------------------------------------------------------- generated ids */

static void test_D_an_omitted_external_id_is_made_at_random(void **state)
{
    const bb_entry entries[] = {entry(NULL), entry("given"), entry(NULL)};
    unsigned char next = 0;
    made m;

    (void)state;
    begin(&m, entries, COUNT_OF(entries));
    m.ids.random = counting_random;
    m.ids.random_ctx = &next;
    make(&m);
    assert_int_equal(m.code, BB_OK);
    /* version 4, variant 10 */
    assert_slice(m.body.entries[0].external_id, "01020304-0506-4708-890a-0b0c0d0e0f10");
    assert_slice(m.body.entries[1].external_id, "given");
    assert_slice(m.body.entries[2].external_id, "11121314-1516-4718-991a-1b1c1d1e1f20");
    assert_int_equal(m.batch.record_count, 3);
    end(&m);
}

static void test_D_the_operating_system_makes_ids_by_default(void **state)
{
    const bb_entry entries[] = {entry(NULL), entry(NULL)};
    made m;

    (void)state;
    begin_and_make(&m, entries, COUNT_OF(entries));
    assert_int_equal(m.batch.record_count, 2);
    for (size_t i = 0; i < 2; i++) {
        bb_slice id = m.body.entries[i].external_id;
        assert_int_equal(id.len, 36);
        assert_int_equal(id.data[14], '4');
        assert_non_null(strchr("89ab", id.data[19]));
    }
    end(&m);
}

static void test_E11_no_random_bytes_is_an_error(void **state)
{
    const bb_entry entries[] = {entry("a"), entry(NULL)};
    made m;

    (void)state;
    begin(&m, entries, COUNT_OF(entries));
    m.ids.random = failing_random;
    make(&m);
    assert_int_equal(m.code, BB_ERR_INTERNAL);
    end(&m);
}

/* The derivation: SHA-256 of the name of its purpose with a NUL, then chatbot, length of the key,
 * key, position; numbers in eight bytes, the highest first; version 8, variant 10. */
static void derive(uint64_t chatbot, const char *key, size_t key_len, uint64_t position,
                   char out[37])
{
    unsigned char input[26 + 8 + 8 + 255 + 8];
    unsigned char hash[32];
    size_t len = 26;

    memcpy(input, "bb_contacts external_id 1", 26);
    for (int shift = 56; shift >= 0; shift -= 8)
        input[len++] = (unsigned char)(chatbot >> shift);
    for (int shift = 56; shift >= 0; shift -= 8)
        input[len++] = (unsigned char)((uint64_t)key_len >> shift);
    memcpy(input + len, key, key_len);
    len += key_len;
    for (int shift = 56; shift >= 0; shift -= 8)
        input[len++] = (unsigned char)(position >> shift);
    crypto_hash_sha256(hash, input, len);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], (hash[6] & 0x0Fu) | 0x80u,
             hash[7], (hash[8] & 0x3Fu) | 0x80u, hash[9], hash[10], hash[11], hash[12], hash[13],
             hash[14], hash[15]);
}

static void test_E9_an_idempotency_key_fixes_the_ids(void **state)
{
    static const struct {
        int64_t chatbot;
        bb_slice key;
    } cases[] = {{1, ROW("k")},
                 {INT64_MAX, ROW("k")},
                 {1, ROW("another key")},
                 {123456789, ROW("with\0NUL and \xFF")}};
    const bb_entry entries[] = {entry(NULL), entry("given"), entry(NULL)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char first[37];
        char third[37];
        made m;
        begin(&m, entries, COUNT_OF(entries));
        m.ids.chatbot_id = cases[i].chatbot;
        m.ids.idempotency_key = cases[i].key;
        m.ids.random = failing_random; /* not asked */
        make(&m);
        assert_int_equal(m.code, BB_OK);
        derive((uint64_t)cases[i].chatbot, cases[i].key.data, cases[i].key.len, 0, first);
        derive((uint64_t)cases[i].chatbot, cases[i].key.data, cases[i].key.len, 2, third);
        assert_slice(m.body.entries[0].external_id, first);
        assert_slice(m.body.entries[1].external_id, "given");
        assert_slice(m.body.entries[2].external_id, third);
        end(&m);
    }
}

/* Computed once with another program: a change here makes clients' retries double. */
static void test_E9_derived_ids_never_change(void **state)
{
    char out[BB_UUID_LENGTH + 1] = "";

    (void)state;
    bb_generated_id_derived(123, slice_of("order-42"), 7, out);
    assert_string_equal(out, "00bf0c34-a880-8bbe-b5bf-3a64f7716b65");
}

static void test_E9_derived_ids_differ_by_chatbot_key_and_position(void **state)
{
    static const struct {
        int64_t chatbot;
        const char *key;
        size_t position;
    } cases[] = {{1, "a", 0},  {2, "a", 0},   {1, "b", 0},  {1, "a", 1},
                 {1, "aa", 0}, {256, "a", 0}, {1, "a", 256}};
    char out[COUNT_OF(cases)][BB_UUID_LENGTH];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        bb_generated_id_derived(cases[i].chatbot, slice_of(cases[i].key), cases[i].position,
                                out[i]);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], BB_UUID_LENGTH);
    }
}

/* -------------------------------------------------------------------------------- naive model */

/* A contact as the model keeps it: five values, null being NULL. */
typedef struct model_contact {
    int is_there;
    const char *value[5];
    int was_written; /* some entry wrote it */
} model_contact;

/* The possible values; those with several spellings come next to each other. */
static const char *const texts[] = {NULL, "", "x", "y"};
static const char *const arrays[] = {"[]", "[{\"a\":1}]", "[{\"a\":1.0}]", "[{\"a\":2}]"};
static const char *const objects[] = {"{}", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1e0}",
                                      "{\"a\":1}"};

static const char *value_of(size_t field, size_t choice)
{
    return field < 3 ? texts[choice] : field == 3 ? arrays[choice] : objects[choice];
}

/* Whether two values are equal, by the tables alone: choices 1 and 2 of the JSON are spellings of
 * one. */
static int same_value(size_t field, const char *a, const char *b)
{
    size_t choices[2] = {0, 0};

    for (size_t i = 0; i < 4; i++) {
        if (value_of(field, i) == a)
            choices[0] = i;
        if (value_of(field, i) == b)
            choices[1] = i;
    }
    for (size_t i = 0; i < 2; i++) {
        if (field >= 3 && choices[i] == 2)
            choices[i] = 1;
    }
    return choices[0] == choices[1];
}

static int32_t model_apply(model_contact *contact, uint32_t fields, const char *const sent[5])
{
    int32_t outcome = BB_UNCHANGED;

    if (!contact->is_there) {
        memset(contact, 0, sizeof *contact);
        contact->value[3] = arrays[0];
        contact->value[4] = objects[0];
        contact->is_there = 1;
        outcome = BB_CREATED;
    }
    for (size_t f = 0; f < 5; f++) {
        if (!(fields >> f & 1) || same_value(f, contact->value[f], sent[f]))
            continue;
        contact->value[f] = sent[f];
        if (outcome == BB_UNCHANGED)
            outcome = BB_UPDATED;
    }
    if (outcome != BB_UNCHANGED)
        contact->was_written = 1;
    return outcome;
}

enum { KEYS = 3, MOST_ENTRIES = 7 };

typedef struct trial {
    model_contact before[KEYS];
    model_contact model[KEYS];
    bb_entry entries[MOST_ENTRIES];
    int32_t outcomes[MOST_ENTRIES];
    size_t count;
} trial;

static const char *const keys[KEYS] = {"k1", "k2", "k3"};

static void draw_trial(trial *t, uint64_t *seed)
{
    memset(t, 0, sizeof *t);
    for (size_t k = 0; k < KEYS; k++) {
        t->before[k].is_there = (int)test_random(seed, 2);
        for (size_t f = 0; f < 5; f++)
            t->before[k].value[f] = value_of(f, test_random(seed, 4));
        t->model[k] = t->before[k];
    }
    t->count = 1 + test_random(seed, MOST_ENTRIES);
    for (size_t i = 0; i < t->count; i++) {
        size_t k = test_random(seed, KEYS);
        uint32_t mask = test_random(seed, 32);
        uint32_t fields = test_random(seed, 32) & mask; /* a quarter of the fields */
        const char *sent[5];
        bb_entry *e = &t->entries[i];
        for (size_t f = 0; f < 5; f++)
            sent[f] = fields >> f & 1 ? value_of(f, test_random(seed, 4)) : NULL;
        e->external_id = slice_of(keys[k]);
        e->fields = fields;
        e->name = slice_of(sent[0]);
        e->email = slice_of(sent[1]);
        e->phonenumber = slice_of(sent[2]);
        e->stripe_accounts = slice_of(sent[3]);
        e->custom_attributes = slice_of(sent[4]);
        t->outcomes[i] = model_apply(&t->model[k], fields, sent);
    }
}

static bb_contact contact_of(const model_contact *m, const char *key)
{
    bb_contact c = {.size = sizeof c,
                    .id = 1,
                    .external_id = slice_of(key),
                    .name = slice_of(m->value[0]),
                    .email = slice_of(m->value[1]),
                    .phonenumber = slice_of(m->value[2]),
                    .stripe_accounts = slice_of(m->value[3]),
                    .custom_attributes = slice_of(m->value[4])};

    return c;
}

/* What a store makes of a record: the outcome, and whether the contact ends as the model says. */
static int32_t store_record(const bb_record *record, const model_contact *before,
                            const model_contact *expected)
{
    const bb_slice values[5] = {record->name, record->email, record->phonenumber,
                                record->stripe_accounts, record->custom_attributes};
    int changed = !before->is_there || (record->flags & BB_RECORD_TOUCH);

    for (size_t f = 0; f < 5; f++) {
        const char *kept = before->is_there ? before->value[f] : NULL;
        const char *final = before->is_there && !(record->fields >> f & 1) ? kept : values[f].data;
        /* the texts are the tables', so their addresses tell them apart; a text that is not there
         * is the library's "[]" or "{}", choice 0 */
        if (!same_value(f, final, expected->value[f]))
            fail_msg("field %zu", f);
        if (before->is_there && !same_value(f, final, before->value[f]))
            changed = 1;
    }
    return !before->is_there ? BB_CREATED : changed ? BB_UPDATED : BB_UNCHANGED;
}

static void check_trial(const trial *t)
{
    made m;

    begin_and_make(&m, t->entries, t->count);
    for (size_t r = 0; r < m.batch.record_count; r++) {
        const bb_record *record = m.batch.pointers[r];
        size_t k = (size_t)(record->external_id.data[1] - '1');
        const model_contact *before = &t->before[k];
        bb_contact contact = contact_of(before, keys[k]);
        int32_t outcome = store_record(record, before, &t->model[k]);
        int has_before = before->is_there && (record->flags & BB_RECORD_WANT_BEFORE);
        /* a record is written if and only if one of its entries writes (E1, E5) */
        assert_int_equal(outcome != BB_UNCHANGED, t->model[k].was_written);
        assert_int_equal(bb_batch_set_outcomes(&m.batch, r, outcome, has_before ? &contact : NULL),
                         BB_OK);
    }
    for (size_t i = 0; i < t->count; i++)
        assert_int_equal(m.batch.outcomes[i], t->outcomes[i]);
    end(&m);
}

static void test_E1_batches_act_as_if_applied_one_by_one(void **state)
{
    uint64_t seed = 99;
    size_t seen[3] = {0, 0, 0};

    (void)state;
    for (int round = 0; round < 20000; round++) {
        trial t;
        draw_trial(&t, &seed);
        check_trial(&t);
        for (size_t i = 0; i < t.count; i++)
            seen[t.outcomes[i]]++;
    }
    assert_true(seen[BB_CREATED] > 1000 && seen[BB_UPDATED] > 1000 && seen[BB_UNCHANGED] > 1000);
}

static void test_E6_without_the_contact_before_all_entries_share_the_outcome(void **state)
{
    const bb_entry entries[] = {named("a", "x"), named("a", "y")};
    made m;

    (void)state;
    begin_and_make(&m, entries, COUNT_OF(entries));
    assert_int_equal(bb_batch_set_outcomes(&m.batch, 0, BB_UPDATED, NULL), BB_OK);
    assert_int_equal(m.batch.outcomes[0], BB_UPDATED);
    assert_int_equal(m.batch.outcomes[1], BB_UPDATED);
    end(&m);
}

static void test_C2_a_thousand_entries_of_one_contact(void **state)
{
    static bb_entry entries[1000];
    static char names[1000][8];
    made m;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i / 2);
        entries[i] = named("same", names[i]);
    }
    begin_and_make(&m, entries, 1000);
    assert_int_equal(m.batch.record_count, 1);
    assert_slice(m.batch.pointers[0]->name, "499");
    assert_int_equal(bb_batch_set_outcomes(&m.batch, 0, BB_CREATED, NULL), BB_OK);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(m.batch.outcomes[i], i == 0  ? BB_CREATED
                                              : i % 2 ? BB_UNCHANGED
                                                      : BB_UPDATED);
    end(&m);
}

/* --------------------------------------------------------------------------------------- memory */

static void test_A3_every_failing_allocation_is_reported(void **state)
{
    static bb_entry entries[300];
    size_t n = 1;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        entries[i] = i % 3 == 0 ? entry(NULL)
                                : with_json("dup", NULL,
                                            i % 2 ? "{\"a\":\"\\n\",\"b\":1}"
                                                  : "{\"b\":1.0,\"a\":\"\\u000a\"}");
    for (;; n++) {
        int32_t code;
        made m;
        begin(&m, entries, COUNT_OF(entries));
        unit_memory_fail(&m.memory, n, 0);
        make(&m);
        code = m.code;
        end(&m);
        if (code == BB_OK)
            break;
        assert_int_equal(code, BB_ERR_NOMEM);
    }
    assert_true(n > 10);
}

static void test_A3_outcomes_without_memory_are_an_error(void **state)
{
    const bb_entry entries[] = {with_json("a", NULL, "{\"a\":\"\\n\"}"),
                                with_json("a", NULL, "{\"a\":\"\\u000a\"}")};
    made m;

    (void)state;
    begin_and_make(&m, entries, COUNT_OF(entries));
    unit_memory_fail(&m.memory, 1, 1);
    assert_int_equal(bb_batch_set_outcomes(&m.batch, 0, BB_CREATED, NULL), BB_ERR_NOMEM);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E7_records_are_sorted_byte_by_byte),
        cmocka_unit_test(test_E1_a_record_has_the_place_of_its_last_entry),
        cmocka_unit_test(test_D_a_record_has_what_a_new_contact_gets),
        cmocka_unit_test(test_D_a_record_has_every_field_in_its_place),
        cmocka_unit_test(test_E1_entries_of_one_contact_are_folded),
        cmocka_unit_test(test_E1_a_record_that_goes_there_and_back_is_touched),
        cmocka_unit_test(test_E5_a_record_whose_entries_agree_is_not_touched),
        cmocka_unit_test(test_D_an_omitted_external_id_is_made_at_random),
        cmocka_unit_test(test_D_the_operating_system_makes_ids_by_default),
        cmocka_unit_test(test_E11_no_random_bytes_is_an_error),
        cmocka_unit_test(test_E9_an_idempotency_key_fixes_the_ids),
        cmocka_unit_test(test_E9_derived_ids_never_change),
        cmocka_unit_test(test_E9_derived_ids_differ_by_chatbot_key_and_position),
        cmocka_unit_test(test_E1_batches_act_as_if_applied_one_by_one),
        cmocka_unit_test(test_E6_without_the_contact_before_all_entries_share_the_outcome),
        cmocka_unit_test(test_C2_a_thousand_entries_of_one_contact),
        cmocka_unit_test(test_A3_every_failing_allocation_is_reported),
        cmocka_unit_test(test_A3_outcomes_without_memory_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
