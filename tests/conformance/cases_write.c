/*
 * cases_write.c: what becomes of a record (E1 to E6), one writer at a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

/* A record that sets all five fields. */
static bb_record full_record(const char *external_id)
{
    bb_record record = record_of(external_id);

    set_name(&record, "Sam Rivera");
    set_email(&record, "sam@acme.com");
    set_phonenumber(&record, "+1 555 0100");
    set_stripe_accounts(&record, "[{\"id\":\"cus_1\"}]");
    set_custom_attributes(&record, "{\"plan\":\"pro\",\"ltv\":540}");
    return record;
}

static int is_full_contact(const bb_contact *contact)
{
    return is_text(contact->name, "Sam Rivera") && is_text(contact->email, "sam@acme.com") &&
           is_text(contact->phonenumber, "+1 555 0100") &&
           is_json(contact->stripe_accounts, "[{\"id\":\"cus_1\"}]") &&
           is_json(contact->custom_attributes, "{\"ltv\":540,\"plan\":\"pro\"}");
}

/* Writes one record, checks its outcome, and returns the contact's id and time of update. */
static void write_expecting(bb_case *c, const bb_record *record, int32_t outcome, int64_t *id,
                            int64_t *updated_at_us)
{
    kept_write kept = write_one(c, record);

    if (kept.code == BB_OK && kept.outcomes[0] != outcome)
        case_fail(c, __FILE__, __LINE__, "another outcome of this record");
    if (kept.code == BB_OK && kept.after[0].present) {
        *id = kept.after[0].contact.id;
        *updated_at_us = kept.after[0].contact.updated_at_us;
    }
    kept_write_free(&kept);
}

void case_outcomes(bb_case *c)
{
    bb_record records[3] = {full_record("a"), full_record("b"), full_record("c")};
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    kept = write_now(c, records, 2);
    CHECK_GOOD(c);
    for (size_t i = 0; i < 2; i++) {
        CHECK(c, kept.outcomes[i] == BB_CREATED);
        CHECK(c, is_full_contact(&kept.after[i].contact));
    }
    CHECK(c, is_text(kept.after[0].contact.external_id, "a"));
    CHECK(c, is_text(kept.after[1].contact.external_id, "b"));
    kept_write_free(&kept);
    set_name(&records[1], "Sam R.");
    kept = write_now(c, records, 3);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_UNCHANGED);
    CHECK(c, kept.outcomes[1] == BB_UPDATED);
    CHECK(c, kept.outcomes[2] == BB_CREATED);
    CHECK(c, is_full_contact(&kept.after[0].contact));
    CHECK(c, is_text(kept.after[1].contact.name, "Sam R."));
    CHECK(c, is_text(kept.after[1].contact.email, "sam@acme.com"));
    CHECK(c, is_full_contact(&kept.after[2].contact));
    kept_write_free(&kept);
}

void case_unchanged(bb_case *c)
{
    bb_record record = full_record("a");
    bb_record nothing = record_of("a");
    int64_t first_id = 0, first_time = 0, id = 0, time = 0;

    fixture_open(c);
    CHECK_GOOD(c);
    write_expecting(c, &record, BB_CREATED, &first_id, &first_time);
    CHECK_GOOD(c);
    write_expecting(c, &record, BB_UNCHANGED, &id, &time);
    CHECK_GOOD(c);
    CHECK(c, id == first_id && time == first_time);
    write_expecting(c, &nothing, BB_UNCHANGED, &id, &time);
    CHECK_GOOD(c);
    CHECK(c, id == first_id && time == first_time);
    /* members in another order are the same object */
    set_custom_attributes(&record, "{\"ltv\":540,\"plan\":\"pro\"}");
    write_expecting(c, &record, BB_UNCHANGED, &id, &time);
    CHECK_GOOD(c);
    CHECK(c, time == first_time);
    set_custom_attributes(&record, "{\"ltv\":540,\"plan\":null}");
    write_expecting(c, &record, BB_UPDATED, &id, &time);
    CHECK_GOOD(c);
    CHECK(c, id == first_id && time > first_time);
}

void case_touch(bb_case *c)
{
    bb_record record = full_record("a");
    int64_t first_id = 0, first_time = 0, id = 0, time = 0;

    fixture_open(c);
    CHECK_GOOD(c);
    record.flags = BB_RECORD_TOUCH;
    write_expecting(c, &record, BB_CREATED, &first_id, &first_time);
    CHECK_GOOD(c);
    write_expecting(c, &record, BB_UPDATED, &id, &time);
    CHECK_GOOD(c);
    CHECK(c, id == first_id);
    CHECK(c, time == first_time + 1000000);
    record.flags = 0;
    write_expecting(c, &record, BB_UNCHANGED, &id, &time);
    CHECK_GOOD(c);
    CHECK(c, time == first_time + 1000000);
}

void case_before(bb_case *c)
{
    bb_record records[3] = {full_record("a"), full_record("b"), full_record("c")};
    kept_write first, kept;

    fixture_open(c);
    CHECK_GOOD(c);
    first = write_now(c, records, 2);
    CHECK_GOOD(c);
    CHECK(c, !first.before[0].present && !first.before[1].present);
    set_name(&records[0], "New");
    set_custom_attributes(&records[0], "{\"new\":true}");
    for (size_t i = 0; i < 3; i++)
        records[i].flags = BB_RECORD_WANT_BEFORE;
    kept = write_now(c, records, 3);
    CHECK_GOOD(c);
    CHECK(c, kept.before[0].present && kept.before[1].present && !kept.before[2].present);
    CHECK(c, is_same_contact(&kept.before[0].contact, &first.after[0].contact));
    CHECK(c, is_same_contact(&kept.before[1].contact, &first.after[1].contact));
    CHECK(c, is_text(kept.after[0].contact.name, "New"));
    kept_write_free(&kept);
    kept_write_free(&first);
    for (size_t i = 0; i < 3; i++)
        records[i].flags = 0;
    set_name(&records[0], "Newer");
    kept = write_now(c, records, 3);
    CHECK_GOOD(c);
    CHECK(c, !kept.before[0].present && !kept.before[1].present && !kept.before[2].present);
    kept_write_free(&kept);
}

void case_times(bb_case *c)
{
    bb_record record = full_record("a");
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.after[0].contact.created_at_us == START_US);
    CHECK(c, kept.after[0].contact.updated_at_us == START_US);
    kept_write_free(&kept);
    set_name(&record, NULL);
    c->now_us = START_US + 86400000001;
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.after[0].contact.created_at_us == START_US);
    CHECK(c, kept.after[0].contact.updated_at_us == START_US + 86400000001);
    kept_write_free(&kept);
    record = record_of("at the epoch");
    c->now_us = 0;
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.after[0].contact.created_at_us == 0);
    CHECK(c, kept.after[0].contact.updated_at_us == 0);
    kept_write_free(&kept);
    record = record_of("in the year 9999");
    c->now_us = INT64_C(253402300799999999);
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.after[0].contact.created_at_us == INT64_C(253402300799999999));
    kept_write_free(&kept);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

void case_ids(bb_case *c)
{
    enum { IDS = 60 };
    int64_t chatbots[3] = {CHATBOT, SECOND_CHATBOT, FOREIGN_CHATBOT};
    int64_t workspaces[3] = {WORKSPACE, WORKSPACE, OTHER_WORKSPACE};
    int64_t ids[IDS];
    size_t count = 0;
    char key[16];

    fixture_open(c);
    CHECK_GOOD(c);
    for (size_t i = 0; i < IDS; i++) {
        bb_access access = principal_access(c, workspaces[i % 3], 0, chatbots[i % 3]);
        bb_record record;
        kept_write kept;
        snprintf(key, sizeof key, "key %zu", i / 3);
        record = record_of(key);
        kept = write_as(c->session, c->vtable, &access, &record, 1, SIZE_MAX);
        CHECK_CODE(c, BB_OK, kept.code);
        CHECK(c, kept.outcomes[0] == BB_CREATED);
        CHECK(c, kept.after[0].contact.id > 0);
        ids[count++] = kept.after[0].contact.id;
        kept_write_free(&kept);
    }
    qsort(ids, count, sizeof ids[0], compare_ids);
    for (size_t i = 1; i < count; i++)
        CHECK(c, ids[i - 1] < ids[i]);
}

void case_no_id_burnt(bb_case *c)
{
    enum { KNOWN = 50 };
    bb_record records[KNOWN + 1];
    char keys[KNOWN + 1][16];
    int64_t first = 0, second = 0, third = 0, time = 0;
    bb_record a = record_of("a"), b = record_of("b");
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    if (c->options->differences & BB_CONFORMANCE_IDS_HAVE_GAPS) {
        case_skip(c, "ids have gaps");
        return;
    }
    for (size_t i = 0; i <= KNOWN; i++) {
        snprintf(keys[i], sizeof keys[i], "known %zu", i);
        records[i] = record_of(keys[i]);
    }
    kept = write_now(c, records, KNOWN);
    kept_write_free(&kept);
    write_expecting(c, &a, BB_CREATED, &first, &time);
    write_expecting(c, &b, BB_CREATED, &second, &time);
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < KNOWN; i += 2)
            set_name(&records[i], round % 2 ? "odd" : "even");
        kept = write_now(c, records, KNOWN); /* half updated, half unchanged */
        kept_write_free(&kept);
    }
    set_name(&records[0], "with a new one");
    kept = write_now(c, records, KNOWN + 1);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[KNOWN] == BB_CREATED);
    third = kept.after[KNOWN].contact.id;
    kept_write_free(&kept);
    CHECK(c, third - second == second - first);
}

/* Whether the i-th of case_thousand()'s contacts is as its two writes leave it. */
static int is_expected(const kept_write *kept, size_t i)
{
    const bb_contact *contact = &kept->after[i].contact;
    int known = i % 2 == 0;
    int changed = i % 4 == 0;

    if (kept->outcomes[i] != (!known ? BB_CREATED : changed ? BB_UPDATED : BB_UNCHANGED))
        return 0;
    return is_text(contact->name, changed || !known ? "second" : "first") &&
           is_text(contact->email, known ? "first@example.com" : NULL) &&
           is_json(contact->custom_attributes, known ? "{\"n\":1}" : "{}");
}

void case_thousand(bb_case *c)
{
    enum { COUNT = 1000 };
    static const char format[] = "contact %04zu";
    char(*keys)[16] = calloc(COUNT, sizeof *keys);
    bb_record *records = calloc(COUNT, sizeof *records);
    kept_write kept = {.code = BB_ERR_NOMEM};
    size_t known = 0;

    fixture_open(c);
    if (keys != NULL && records != NULL && c->outcome == BB_CONFORMANCE_PASSED) {
        for (size_t i = 0; i < COUNT; i += 2) {
            snprintf(keys[i], sizeof keys[i], format, i);
            records[known] = record_of(keys[i]);
            set_name(&records[known], "first");
            set_email(&records[known], "first@example.com");
            set_custom_attributes(&records[known++], "{\"n\":1}");
        }
        kept = write_now(c, records, known);
        kept_write_free(&kept);
        for (size_t i = 0; i < COUNT; i++) {
            snprintf(keys[i], sizeof keys[i], format, i);
            records[i] = record_of(keys[i]);
            set_name(&records[i], i % 4 == 2 ? "first" : "second");
        }
        kept = write_now(c, records, COUNT);
    }
    for (size_t i = 0; kept.code == BB_OK && i < COUNT; i++) {
        if (!is_expected(&kept, i))
            case_fail(c, __FILE__, __LINE__, "each contact in its final state");
    }
    if (kept.code != BB_OK)
        case_fail(c, __FILE__, __LINE__, "a write of 1000 records");
    kept_write_free(&kept);
    free(records);
    free(keys);
}
