/*
 * cases_values.c: keys and values of every kind come back as they were given (C5 to C7, D).
 */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

/* Prefixes of each other, bytes over 0x7f, one letter composed and decomposed, both cases, what a
 * collation may ignore, what SQL may treat specially. */
static const char *const odd_keys[] = {"a",
                                       "aa",
                                       "aaa",
                                       "ab",
                                       "A",
                                       "B",
                                       "a ",
                                       " a",
                                       "a-b",
                                       "a_b",
                                       "a%b",
                                       "1",
                                       "01",
                                       "1.0",
                                       "+1",
                                       "\x01",
                                       "\x7f",
                                       "\xc3\xa9",
                                       "e\xcc\x81",
                                       "\xc3\x89",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xef\xbc\xa1",
                                       "\xef\xac\x81",
                                       "fi",
                                       "ss",
                                       "\xc3\x9f",
                                       "\xe2\x80\x8b",
                                       "a\xe2\x80\x8b",
                                       "'",
                                       "\"",
                                       "\\",
                                       "\\x61",
                                       "{a,b}",
                                       "NULL",
                                       "null",
                                       "$1",
                                       "\n",
                                       "\t",
                                       "a\nb",
                                       "\xf0\x9f\x91\xa9"};

void case_external_ids(bb_case *c)
{
    enum { COUNT = sizeof odd_keys / sizeof odd_keys[0] };
    bb_record records[COUNT];
    int64_t ids[COUNT];
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    for (size_t i = 0; i < COUNT; i++)
        records[i] = record_of(odd_keys[i]);
    kept = write_now(c, records, COUNT);
    CHECK_GOOD(c);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(c, kept.outcomes[i] == BB_CREATED);
        CHECK(c, is_text(kept.after[i].contact.external_id, odd_keys[i]));
        ids[i] = kept.after[i].contact.id;
    }
    kept_write_free(&kept);
    kept = write_now(c, records, COUNT);
    CHECK_GOOD(c);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(c, kept.outcomes[i] == BB_UNCHANGED);
        CHECK(c, kept.after[i].contact.id == ids[i]);
        CHECK(c, is_text(kept.after[i].contact.external_id, odd_keys[i]));
    }
    kept_write_free(&kept);
}

/* Lengths around what stores keep of a key: of an index, of a fixed column, of a page. */
static const size_t long_lengths[] = {480, 481, 500, 510,  511,  512,
                                      513, 767, 768, 1000, 1019, 1020};

enum { LONG_KEYS = 2 * sizeof long_lengths / sizeof long_lengths[0] - 1 };

/* Fills in keys that begin alike: two of each length but the first, which differ in their last
 * byte. */
static size_t make_long_keys(char (*keys)[BB_EXTERNAL_ID_MAX], bb_record *records)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof long_lengths / sizeof long_lengths[0]; i++) {
        for (int last = 'k'; last <= (i == 0 ? 'k' : 'l'); last++) {
            size_t len = long_lengths[i];
            memset(keys[count], 'k', len);
            keys[count][len - 1] = (char)last;
            records[count] = record_of("");
            records[count].external_id = (bb_slice){keys[count], len};
            count++;
        }
    }
    return count;
}

/* Writes them twice: they are created, then unchanged, each as itself. */
static void check_long_keys(bb_case *c, const bb_record *records, size_t count)
{
    int64_t ids[LONG_KEYS];
    kept_write kept;

    for (int32_t round = 0; round < 2; round++) {
        kept = write_now(c, records, count);
        CHECK_GOOD(c);
        for (size_t i = 0; i < count; i++) {
            bb_slice key = kept.after[i].contact.external_id;
            CHECK(c, kept.outcomes[i] == (round == 0 ? BB_CREATED : BB_UNCHANGED));
            CHECK(c, compare_keys(key, records[i].external_id) == 0);
            if (round == 0)
                ids[i] = kept.after[i].contact.id;
            CHECK(c, kept.after[i].contact.id == ids[i]);
        }
        kept_write_free(&kept);
    }
}

void case_long_external_ids(bb_case *c)
{
    char(*keys)[BB_EXTERNAL_ID_MAX] = calloc(LONG_KEYS, sizeof *keys);
    bb_record records[LONG_KEYS];

    fixture_open(c);
    if (keys == NULL)
        case_fail(c, __FILE__, __LINE__, "memory for the test");
    else if (c->outcome == BB_CONFORMANCE_PASSED)
        check_long_keys(c, records, make_long_keys(keys, records));
    free(keys);
}

void case_two_chatbots(bb_case *c)
{
    bb_record record = record_of("same");
    bb_access first = {0}, second = {0};
    kept_write one, two;

    fixture_open(c);
    CHECK_GOOD(c);
    first = principal_access(c, WORKSPACE, 0, CHATBOT);
    second = principal_access(c, OTHER_WORKSPACE, 0, FOREIGN_CHATBOT);
    set_name(&record, "one");
    one = write_as(c->session, c->vtable, &first, &record, 1, SIZE_MAX);
    set_name(&record, "two");
    two = write_as(c->session, c->vtable, &second, &record, 1, SIZE_MAX);
    CHECK_CODE(c, BB_OK, one.code);
    CHECK_CODE(c, BB_OK, two.code);
    CHECK(c, two.outcomes[0] == BB_CREATED);
    CHECK(c, one.after[0].contact.id != two.after[0].contact.id);
    kept_write_free(&one);
    kept_write_free(&two);
    record.fields = 0;
    one = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, one.outcomes[0] == BB_UNCHANGED);
    CHECK(c, is_text(one.after[0].contact.name, "one"));
    kept_write_free(&one);
}

/* ---------------------------------------------------------------- omitted, null, and a value */

typedef void (*set_field)(bb_record *record, const char *value);

static bb_slice field_of(const bb_contact *contact, uint32_t field)
{
    switch (field) {
    case BB_FIELD_NAME:
        return contact->name;
    case BB_FIELD_EMAIL:
        return contact->email;
    case BB_FIELD_PHONENUMBER:
        return contact->phonenumber;
    case BB_FIELD_STRIPE_ACCOUNTS:
        return contact->stripe_accounts;
    default:
        return contact->custom_attributes;
    }
}

/* Checks that a record of "x" with one field's value, or without it, leaves this value behind. */
static void expect_field(bb_case *c, set_field set, uint32_t field, int sent, const char *value,
                         int32_t outcome, const char *left)
{
    bb_record record = record_of("x");
    kept_write kept;
    bb_slice slice;

    if (sent)
        set(&record, value);
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == outcome);
    slice = field_of(&kept.after[0].contact, field);
    if (field == BB_FIELD_STRIPE_ACCOUNTS || field == BB_FIELD_CUSTOM_ATTRIBUTES)
        CHECK(c, is_json(slice, left));
    else
        CHECK(c, is_text(slice, left));
    kept_write_free(&kept);
}

/* Takes one field through omitted, null and values; `none` is its value when cleared. */
static void check_field(bb_case *c, set_field set, uint32_t field, const char *none, const char *a,
                        const char *b)
{
    const struct {
        const char *value;
        const char *left;
        int32_t outcome;
        int is_sent;
    } steps[] = {{NULL, none, BB_CREATED, 0}, {none, none, BB_UNCHANGED, 1}, {a, a, BB_UPDATED, 1},
                 {NULL, a, BB_UNCHANGED, 0},  {a, a, BB_UNCHANGED, 1},       {b, b, BB_UPDATED, 1},
                 {none, none, BB_UPDATED, 1}, {b, b, BB_UPDATED, 1}};

    fixture_open(c);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK_GOOD(c);
        expect_field(c, set, field, steps[i].is_sent, steps[i].value, steps[i].outcome,
                     steps[i].left);
    }
}

void case_name(bb_case *c)
{
    check_field(c, set_name, BB_FIELD_NAME, NULL, "Sam", "");
}

void case_email(bb_case *c)
{
    check_field(c, set_email, BB_FIELD_EMAIL, NULL, "", "SAM@acme.com");
}

void case_phonenumber(bb_case *c)
{
    check_field(c, set_phonenumber, BB_FIELD_PHONENUMBER, NULL, "0", "+0");
}

void case_stripe_accounts(bb_case *c)
{
    check_field(c, set_stripe_accounts, BB_FIELD_STRIPE_ACCOUNTS, "[]",
                "[{\"id\":\"cus_1\"},{\"id\":\"cus_2\"}]",
                "[{\"id\":\"cus_2\"},{\"id\":\"cus_1\"}]");
}

void case_custom_attributes(bb_case *c)
{
    check_field(c, set_custom_attributes, BB_FIELD_CUSTOM_ATTRIBUTES, "{}",
                "{\"plan\":\"pro\",\"tags\":[1,2]}", "{\"plan\":\"pro\"}");
}

/* -------------------------------------------------------------------------------------- values */

/* Writes one character in UTF-8; returns the place after it. */
static char *put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    if (point >= 0x10000) {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
    } else if (point >= 0x800) {
        *to++ = (char)(0xe0 | point >> 12);
    }
    if (point >= 0x800)
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    else
        *to++ = (char)(0xc0 | point >> 6);
    *to++ = (char)(0x80 | (point & 0x3f));
    return to;
}

/* Every character from U+0001 to `last` but the surrogates. Freed by the caller. */
static char *every_character(uint32_t last)
{
    char *all = malloc((size_t)last * 4 + 1);
    char *to = all;

    if (all == NULL)
        return NULL;
    for (uint32_t point = 1; point <= last; point++) {
        if (point < 0xd800 || point > 0xdfff)
            to = put_utf8(to, point);
    }
    *to = '\0';
    return all;
}

void case_unicode(bb_case *c)
{
    static const char odd[] = "\xf4\x8f\xbf\xbf e\xcc\x81\xcc\x82 \xf0\x9f\x91\xa9\xe2\x80\x8d"
                              "\xf0\x9f\x91\xa7 \xef\xbf\xbe \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d";
    static const char json[] = "{\"\xf4\x8f\xbf\xbf\":\"e\xcc\x81 \xf0\x9f\x91\xa9\\n\\\"\\\\\","
                               "\"\xc3\xa9\":1,\"e\xcc\x81\":2,\"\":[\"\"]}";
    char *all = every_character(0x10ffff);
    bb_record record = record_of(odd);
    kept_write kept;

    fixture_open(c);
    if (all == NULL)
        case_fail(c, __FILE__, __LINE__, "memory for the test");
    if (c->outcome == BB_CONFORMANCE_PASSED) {
        set_name(&record, all);
        set_email(&record, odd);
        set_phonenumber(&record, "\x01\x02\x1f\x7f\xc2\x80");
        set_custom_attributes(&record, json);
        kept = write_one(c, &record);
        if (kept.code == BB_OK) {
            const bb_contact *contact = &kept.after[0].contact;
            if (!is_text(contact->external_id, odd) || !is_text(contact->email, odd))
                case_fail(c, __FILE__, __LINE__, "key and email byte for byte");
            if (!is_text(contact->name, all))
                case_fail(c, __FILE__, __LINE__, "every character byte for byte");
            if (!is_text(contact->phonenumber, "\x01\x02\x1f\x7f\xc2\x80"))
                case_fail(c, __FILE__, __LINE__, "control characters");
            if (!is_json(contact->custom_attributes, json))
                case_fail(c, __FILE__, __LINE__, "names and strings in JSON");
        }
        kept_write_free(&kept);
    }
    free(all);
}

/* Whether `text` stands somewhere in a slice. */
static int contains(bb_slice slice, const char *wanted)
{
    size_t len = strlen(wanted);

    for (size_t i = 0; i + len <= slice.len; i++) {
        if (memcmp(slice.data + i, wanted, len) == 0)
            return 1;
    }
    return 0;
}

/* Stores one number and checks that it has the same value when it comes back. */
static void check_number(bb_case *c, const char *number, int same_spelling)
{
    char json[192];
    bb_record record = record_of("number");
    kept_write kept;

    snprintf(json, sizeof json, "{\"n\":%s,\"deep\":[[%s]]}", number, number);
    set_custom_attributes(&record, json);
    kept = write_one(c, &record);
    if (kept.code == BB_OK && !is_json(kept.after[0].contact.custom_attributes, json))
        case_fail(c, __FILE__, __LINE__, number);
    if (kept.code == BB_OK && same_spelling &&
        !contains(kept.after[0].contact.custom_attributes, number))
        case_fail(c, __FILE__, __LINE__, number);
    kept_write_free(&kept);
}

void case_numbers(bb_case *c)
{
    static const char *const plain[] = {"0",
                                        "-1",
                                        "540",
                                        "1.10",
                                        "0.5",
                                        "9007199254740993",
                                        "-9007199254740993",
                                        "9223372036854775808",
                                        "12345678901234567890",
                                        "0.30000000000000004",
                                        "0.1000000000000000055511151231257827",
                                        "-100000000000000000000000000000000.000000000000000001"};
    static const char *const others[] = {"-0",   "-0.0",    "1e2",   "1E+2",    "1.50e-10",
                                         "1e30", "-1e-300", "1e308", "1.0e309", "123.456e-7"};
    const bb_storage_vtable *vtable;
    char number[32];

    fixture_open(c);
    CHECK_GOOD(c);
    vtable = c->vtable;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        check_number(c, plain[i], 1);
    CHECK_GOOD(c);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check_number(c, others[i], 0);
    CHECK_GOOD(c);
    /* the largest and the smallest that the table allows, or large enough if it sets no limit */
    snprintf(number, sizeof number, "1e%u",
             vtable->max_integer_digits != 0 ? vtable->max_integer_digits - 1 : 400000);
    check_number(c, number, 0);
    snprintf(number, sizeof number, "-1e-%u",
             vtable->max_fraction_digits != 0 ? vtable->max_fraction_digits : 400000);
    check_number(c, number, 0);
}

void case_number_changes(bb_case *c)
{
    static const struct {
        const char *json;
        int32_t outcome;
    } steps[] = {{"{\"n\":1.10}", BB_CREATED},
                 {"{\"n\":1.1}", BB_UNCHANGED},
                 {"{\"n\":11e-1}", BB_UNCHANGED},
                 {"{\"n\":1.1000000000000001}", BB_UPDATED},
                 {"{\"n\":9007199254740993}", BB_UPDATED},
                 {"{\"n\":9007199254740992}", BB_UPDATED},
                 {"{\"n\":9007199254740992.0}", BB_UNCHANGED},
                 {"{\"n\":12345678901234567890}", BB_UPDATED},
                 {"{\"n\":12345678901234567891}", BB_UPDATED},
                 {"{\"n\":0.1}", BB_UPDATED},
                 {"{\"n\":0.1000000000000000055511151231257827}", BB_UPDATED},
                 {"{\"n\":100}", BB_UPDATED},
                 {"{\"n\":1e2}", BB_UNCHANGED},
                 {"{\"n\":\"100\"}", BB_UPDATED},
                 {"{\"n\":0}", BB_UPDATED},
                 {"{\"n\":-0}", BB_UNCHANGED},
                 {"{\"n\":null}", BB_UPDATED},
                 {"{\"n\":false}", BB_UPDATED},
                 {"{\"n\":[]}", BB_UPDATED},
                 {"{\"n\":{}}", BB_UPDATED},
                 {"{\"N\":{}}", BB_UPDATED}};
    bb_record record = record_of("number");

    fixture_open(c);
    CHECK_GOOD(c);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        kept_write kept;
        set_custom_attributes(&record, steps[i].json);
        kept = write_one(c, &record);
        if (kept.code == BB_OK && kept.outcomes[0] != steps[i].outcome)
            case_fail(c, __FILE__, __LINE__, steps[i].json);
        kept_write_free(&kept);
    }
}

void case_large_values(bb_case *c)
{
    enum { SIZE = 1000000, KEY_CHARACTERS = 255 };
    char *large = malloc(SIZE + 64);
    char *json = malloc(SIZE + 64);
    char key[KEY_CHARACTERS * 4 + 1];
    char *end = key;
    kept_write kept;
    bb_record record;

    fixture_open(c);
    for (uint32_t i = 0; i < KEY_CHARACTERS; i++) /* can't be compressed below an index's limit */
        end = put_utf8(end, 0x10000 + i * 2654435761u % 0xfffff);
    *end = '\0';
    if (large != NULL && json != NULL && c->outcome == BB_CONFORMANCE_PASSED) {
        memset(large, 'x', SIZE);
        large[SIZE] = '\0';
        snprintf(json, SIZE + 64, "{\"large\":\"%s\"}", large);
        record = record_of(key);
        set_name(&record, large);
        set_custom_attributes(&record, json);
        kept = write_one(c, &record);
        if (kept.code == BB_OK && (!is_text(kept.after[0].contact.name, large) ||
                                   !is_json(kept.after[0].contact.custom_attributes, json) ||
                                   !is_text(kept.after[0].contact.external_id, key)))
            case_fail(c, __FILE__, __LINE__, "large values as they were given");
        kept_write_free(&kept);
        kept = write_one(c, &record);
        if (kept.code == BB_OK && kept.outcomes[0] != BB_UNCHANGED)
            case_fail(c, __FILE__, __LINE__, "large values that are unchanged");
        kept_write_free(&kept);
    }
    free(large);
    free(json);
}
