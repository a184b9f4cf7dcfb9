/*
 * cases_group.c: several requests written at once: each is judged, stored and answered on its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "history.h"

/* Requests in the large groups. */
enum { MANY = 128 };

/* ------------------------------------------------------------------------------- what is shared */

static group_member member_of(bb_access access, const bb_record *records, size_t count)
{
    group_member member = {access, records, count, SIZE_MAX};

    return member;
}

/* WORKSPACE's principal to CHATBOT. */
static group_member ordinary(const bb_case *c, const bb_record *records, size_t count)
{
    return member_of(principal_access(c, WORKSPACE, 0, CHATBOT), records, count);
}

/* Writes a group at the case's time, which then moves on by a second. Fails the case unless the
 * group has gone through, and each record of a stored request was put once, and no other record
 * was. */
static void write_members(bb_case *c, const group_member *members, size_t count, kept_write *kept)
{
    bb_error error;
    int32_t code = write_group_as(c->session, c->vtable, members, count, kept, &error);

    c->now_us += 1000000;
    if (code != BB_OK)
        case_fail_code(c, __FILE__, __LINE__,
                       error.message[0] != '\0' ? error.message : "write_group()", code, BB_OK);
    for (size_t i = 0; i < count && code == BB_OK; i++) {
        for (size_t r = 0; r < kept[i].count && members[i].fail_at == SIZE_MAX; r++) {
            if (kept[i].times[r] != (kept[i].code == BB_OK ? 1 : 0))
                case_fail(c, __FILE__, __LINE__, "one put() for each record that is stored");
        }
    }
}

/* Opens a store as fixture_open() does. Skips the case if the backend writes no groups; it may say
 * so only when asked to write one. */
static int open_for_groups(bb_case *c)
{
    bb_record records[2] = {record_of("probe a"), record_of("probe b")};
    group_member members[2];
    kept_write kept[2];
    bb_error error;
    int32_t code;

    fixture_open(c);
    if (c->outcome == BB_CONFORMANCE_FAILED)
        return 0;
    if (c->vtable->write_group == NULL) {
        case_skip(c, "the table has no write_group()");
        return 0;
    }
    for (size_t i = 0; i < 2; i++)
        members[i] = ordinary(c, &records[i], 1);
    code = write_group_as(c->session, c->vtable, members, 2, kept, &error);
    kept_writes_free(kept, 2);
    if (code == BB_ERR_UNSUPPORTED)
        case_skip(c, "this store writes no groups");
    else if (code != BB_OK)
        case_fail_code(c, __FILE__, __LINE__, error.message, code, BB_OK);
    return code == BB_OK;
}

/* The outcome of a write of this record alone now. */
static int32_t outcome_now(bb_case *c, const bb_access *access, const bb_record *record)
{
    bb_access later = *access;
    kept_write kept;
    int32_t outcome;

    later.now_us = c->now_us;
    later.deadline = soon();
    kept = write_as(c->session, c->vtable, &later, record, 1, SIZE_MAX);
    outcome = kept.code == BB_OK ? kept.outcomes[0] : -1;
    kept_write_free(&kept);
    return outcome;
}

/* ------------------------------------------------------------------------------- the outcomes */

void case_group_outcomes(bb_case *c)
{
    bb_record records[4] = {record_of("created"), record_of("updated"), record_of("unchanged"),
                            record_of("touched")};
    group_member members[3];
    kept_write kept[3], before;
    int64_t now_us;

    if (!open_for_groups(c))
        return;
    for (size_t i = 1; i < 4; i++)
        set_name(&records[i], "first");
    before = write_now(c, &records[1], 3);
    CHECK_GOOD(c);
    set_name(&records[1], "second");
    records[3].flags = BB_RECORD_TOUCH;
    for (size_t i = 0; i < 4; i++)
        records[i].flags |= BB_RECORD_WANT_BEFORE;
    members[0] = ordinary(c, &records[2], 1);
    members[1] = ordinary(c, &records[0], 2);
    members[2] = ordinary(c, &records[3], 1);
    now_us = c->now_us;
    write_members(c, members, 3, kept);
    CHECK_GOOD(c);
    CHECK(c, kept[0].outcomes[0] == BB_UNCHANGED);
    CHECK(c, is_same_contact(&kept[0].after[0].contact, &before.after[1].contact));
    CHECK(c, kept[1].outcomes[0] == BB_CREATED && !kept[1].before[0].present);
    CHECK(c, kept[1].after[0].contact.created_at_us == now_us);
    CHECK(c, kept[1].after[0].contact.updated_at_us == now_us);
    CHECK(c, is_text(kept[1].after[0].contact.external_id, "created"));
    CHECK(c, is_text(kept[1].after[0].contact.name, NULL));
    CHECK(c, kept[1].outcomes[1] == BB_UPDATED && kept[1].before[1].present);
    CHECK(c, is_same_contact(&kept[1].before[1].contact, &before.after[0].contact));
    CHECK(c, is_text(kept[1].after[1].contact.name, "second"));
    CHECK(c, kept[1].after[1].contact.id == before.after[0].contact.id);
    CHECK(c, kept[1].after[1].contact.updated_at_us == now_us);
    CHECK(c, kept[2].outcomes[0] == BB_UPDATED && kept[2].before[0].present);
    CHECK(c, is_same_contact(&kept[2].before[0].contact, &before.after[2].contact));
    CHECK(c, kept[2].after[0].contact.updated_at_us == now_us);
    kept_write_free(&before);
    kept_writes_free(kept, 3);
}

void case_group_ids(bb_case *c)
{
    bb_record records[4] = {record_of("a"), record_of("b"), record_of("c"), record_of("d")};
    group_member members[3];
    kept_write kept[3], first, last;

    if (!open_for_groups(c))
        return;
    if (c->options->differences & BB_CONFORMANCE_IDS_HAVE_GAPS) {
        case_skip(c, "ids have gaps");
        return;
    }
    first = write_now(c, records, 3);
    CHECK_GOOD(c);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++) {
            set_name(&records[i], round == 0 ? "x" : "y"); /* the last round changes nothing */
            members[i] = ordinary(c, &records[i], 1);
        }
        write_members(c, members, 3, kept);
        CHECK_GOOD(c);
        CHECK(c, kept[1].outcomes[0] == (round < 2 ? BB_UPDATED : BB_UNCHANGED));
        kept_writes_free(kept, 3);
    }
    last = write_one(c, &records[3]);
    CHECK_GOOD(c);
    for (size_t i = 0; i < 3; i++)
        CHECK(c, last.after[0].contact.id > first.after[i].contact.id &&
                     last.after[0].contact.id <= first.after[i].contact.id + 3);
    kept_write_free(&first);
    kept_write_free(&last);
}

/* ------------------------------------------------------------------------------- the refusals */

/* A request by the holder of a key, or by a principal, and its expected answer. */
typedef struct asked {
    int64_t workspace_id;
    int64_t key_chatbot_id;
    int64_t chatbot_id;
    int32_t code;
    uint8_t key; /* 0: a principal of the workspace, limited to the chatbot or not */
} asked;

enum { ARCHIVED = 125 };

static const asked all_kinds[] = {
    {0, 0, CHATBOT, BB_ERR_UNKNOWN_KEY, 5}, /* never added */
    {0, 0, CHATBOT, BB_OK, 1},
    {0, 0, SECOND_CHATBOT, BB_ERR_NOT_FOUND, 2}, /* not the key's own */
    {0, 0, CHATBOT, BB_OK, 2},
    {0, 0, CHATBOT, BB_ERR_UNKNOWN_KEY, 3}, /* expired */
    {0, 0, CHATBOT, BB_ERR_UNKNOWN_KEY, 4}, /* revoked */
    {0, 0, SECOND_CHATBOT, BB_OK, 1},
    {0, 0, ARCHIVED, BB_ERR_NOT_FOUND, 1},
    {0, 0, FOREIGN_CHATBOT, BB_ERR_NOT_FOUND, 1},
    {OTHER_WORKSPACE, 0, CHATBOT, BB_ERR_NOT_FOUND, 0},
    {WORKSPACE, 0, CHATBOT, BB_OK, 0},
    {WORKSPACE, CHATBOT, SECOND_CHATBOT, BB_ERR_NOT_FOUND, 0},
    {WORKSPACE, SECOND_CHATBOT, SECOND_CHATBOT, BB_OK, 0},
    {OTHER_WORKSPACE, 0, FOREIGN_CHATBOT, BB_OK, 0},
    {0, 0, INT64_MAX, BB_ERR_NOT_FOUND, 1},
};

enum { KINDS = sizeof all_kinds / sizeof all_kinds[0] };

static void add_kinds(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, CHATBOT, 0));
    CHECK_CODE(c, BB_OK, add_key(c, 3, WORKSPACE, 0, c->now_us + 1));
    CHECK_CODE(c, BB_OK, add_key(c, 4, WORKSPACE, 0, 0));
    CHECK_CODE(c, BB_OK, c->vtable->key_revoke(c->session, key_hash(4), c->now_us, soon(), &error));
    CHECK_CODE(c, BB_OK, add_chatbot(c, ARCHIVED, WORKSPACE));
    CHECK_CODE(c, BB_OK,
               c->vtable->chatbot_archive(c->session, ARCHIVED, 1, c->now_us, soon(), &error));
    c->now_us += 1;
}

static bb_access access_of(const bb_case *c, const asked *a)
{
    return a->key != 0 ? key_access(c, a->key, a->chatbot_id)
                       : principal_access(c, a->workspace_id, a->key_chatbot_id, a->chatbot_id);
}

/* Writes these kinds of requests in one group, each with a contact of its own, and checks what was
 * stored. */
static void check_kinds(bb_case *c, const asked *kinds, size_t count, const char *prefix)
{
    char keys[2 * KINDS][40];
    bb_record records[2 * KINDS];
    group_member members[2 * KINDS] = {{{0}, NULL, 0, 0}};
    kept_write kept[2 * KINDS];

    for (size_t i = 0; i < count; i++) {
        snprintf(keys[i], sizeof keys[i], "%s %d", prefix, (int)i);
        records[i] = record_of(keys[i]);
        members[i] = member_of(access_of(c, &kinds[i]), &records[i], 1);
    }
    write_members(c, members, count, kept);
    CHECK_GOOD(c);
    for (size_t i = 0; i < count; i++) {
        bb_access owner = principal_access(
            c, kinds[i].chatbot_id == FOREIGN_CHATBOT ? OTHER_WORKSPACE : WORKSPACE, 0,
            kinds[i].chatbot_id);
        CHECK_CODE(c, kinds[i].code, kept[i].code);
        if (kinds[i].code == BB_OK)
            CHECK(c, kept[i].outcomes[0] == BB_CREATED);
        if (kinds[i].chatbot_id != ARCHIVED && kinds[i].chatbot_id != INT64_MAX)
            CHECK(c, outcome_now(c, &owner, &records[i]) ==
                         (kinds[i].code == BB_OK ? BB_UNCHANGED : BB_CREATED));
    }
    kept_writes_free(kept, count);
}

void case_group_refusals(bb_case *c)
{
    asked twice[2 * KINDS];
    asked refused[KINDS];
    size_t refused_count = 0;

    if (!open_for_groups(c))
        return;
    add_kinds(c);
    CHECK_GOOD(c);
    for (size_t i = 0; i < KINDS; i++) {
        twice[i] = all_kinds[i];
        twice[2 * KINDS - 1 - i] = all_kinds[i];
        if (all_kinds[i].code != BB_OK)
            refused[refused_count++] = all_kinds[i];
    }
    check_kinds(c, all_kinds, KINDS, "each once");
    CHECK_GOOD(c);
    check_kinds(c, twice, (size_t)2 * KINDS, "there and back");
    CHECK_GOOD(c);
    check_kinds(c, refused, refused_count, "all refused");
    CHECK_GOOD(c);
    for (size_t i = 0; i + 1 < KINDS; i++) {
        char prefix[20];
        snprintf(prefix, sizeof prefix, "pair %d", (int)i);
        check_kinds(c, &all_kinds[i], 2, prefix);
        CHECK_GOOD(c);
    }
}

/* One key in three chatbots, and two names that ask for one of them. */
void case_group_chatbots(bb_case *c)
{
    bb_record same = record_of("same"), other = record_of("other");
    group_member members[4];
    kept_write kept[4];

    if (!open_for_groups(c))
        return;
    set_name(&same, "x");
    set_name(&other, "y");
    for (int round = 0; round < 2; round++) {
        members[0] = member_of(principal_access(c, OTHER_WORKSPACE, 0, FOREIGN_CHATBOT), &same, 1);
        members[1] = ordinary(c, &same, 1);
        members[2] = member_of(principal_access(c, WORKSPACE, 0, SECOND_CHATBOT), &same, 1);
        members[3] = member_of(key_access(c, 1, CHATBOT), &other, 1);
        write_members(c, members, 4, kept);
        CHECK_GOOD(c);
        for (size_t i = 0; i < 4; i++) {
            CHECK_CODE(c, BB_OK, kept[i].code);
            CHECK(c, kept[i].outcomes[0] == (round == 0 ? BB_CREATED : BB_UNCHANGED));
            CHECK(c, is_text(kept[i].after[0].contact.external_id, i < 3 ? "same" : "other"));
            CHECK(c, is_text(kept[i].after[0].contact.name, i < 3 ? "x" : "y"));
            for (size_t k = 0; k < i; k++)
                CHECK(c, kept[i].after[0].contact.id != kept[k].after[0].contact.id);
        }
        kept_writes_free(kept, 4);
    }
}

/* ------------------------------------------------------------------------------------- many */

/* MANY requests of `each` records with names of their own, in no order of keys; every second
 * request's records are known. */
static void check_many(bb_case *c, size_t each)
{
    size_t total = MANY * each;
    char(*keys)[32] = calloc(total, sizeof *keys);
    bb_record *records = calloc(total, sizeof *records);
    group_member *members = calloc(MANY, sizeof *members);
    kept_write *kept = calloc(MANY, sizeof *kept);
    int good = keys != NULL && records != NULL && members != NULL && kept != NULL;

    for (size_t i = 0; good && i < total; i++) {
        snprintf(keys[i], sizeof keys[i], "%d of %d", (int)(i * 7919 % total), (int)total);
        records[i] = record_of(keys[i]);
        set_name(&records[i], keys[i]);
    }
    for (size_t i = 0; good && i < MANY; i += 2) {
        kept[0] = write_now(c, &records[i * each], each);
        kept_write_free(&kept[0]);
    }
    for (size_t i = 0; good && i < MANY; i++)
        members[i] = ordinary(c, &records[i * each], each);
    if (good)
        write_members(c, members, MANY, kept);
    for (size_t i = 0; good && i < MANY && c->outcome != BB_CONFORMANCE_FAILED; i++) {
        good = kept[i].code == BB_OK;
        for (size_t r = 0; good && r < each; r++)
            good = kept[i].outcomes[r] == (i % 2 == 0 ? BB_UNCHANGED : BB_CREATED) &&
                   is_text(kept[i].after[r].contact.external_id, keys[i * each + r]) &&
                   is_text(kept[i].after[r].contact.name, keys[i * each + r]);
    }
    if (!good)
        case_fail(c, __FILE__, __LINE__, "each request's own contacts");
    if (kept != NULL)
        kept_writes_free(kept, MANY);
    free(kept);
    free(members);
    free(records);
    free(keys);
}

void case_group_many(bb_case *c)
{
    if (!open_for_groups(c))
        return;
    check_many(c, 1);
    CHECK_GOOD(c);
    check_many(c, 20);
}

/* --------------------------------------------------------------------------- one after another */

void case_group_ordered(bb_case *c)
{
    static const char *const names[] = {"one", "two", "two", "three"};
    static const int32_t outcomes[] = {BB_CREATED, BB_UPDATED, BB_UNCHANGED, BB_UPDATED};
    bb_record records[4];
    group_member members[4];
    kept_write kept[4];
    int64_t now_us;

    if (!open_for_groups(c))
        return;
    if (!(c->vtable->flags & BB_STORAGE_ORDERED_GROUPS)) {
        case_skip(c, "a group of this store names each contact once");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        records[i] = record_of("same");
        records[i].flags = BB_RECORD_WANT_BEFORE;
        set_name(&records[i], names[i]);
        members[i] = ordinary(c, &records[i], 1);
    }
    now_us = c->now_us;
    write_members(c, members, 4, kept);
    CHECK_GOOD(c);
    for (size_t i = 0; i < 4; i++) {
        CHECK_CODE(c, BB_OK, kept[i].code);
        CHECK(c, kept[i].outcomes[0] == outcomes[i]);
        CHECK(c, is_text(kept[i].after[0].contact.name, names[i]));
        CHECK(c, kept[i].after[0].contact.updated_at_us == now_us);
        CHECK(c, kept[i].before[0].present == (i > 0));
        if (i > 0)
            CHECK(c, is_same_contact(&kept[i].before[0].contact, &kept[i - 1].after[0].contact));
    }
    kept_writes_free(kept, 4);
}

/* ----------------------------------------------------------------------------- what goes wrong */

/* Three requests of two contacts each; the second request can't take its answer. */
void case_group_failed_put(bb_case *c)
{
    bb_record records[6] = {record_of("a1"), record_of("a2"), record_of("b1"),
                            record_of("b2"), record_of("c1"), record_of("c2")};
    int undone = !(c->options->differences & BB_CONFORMANCE_PUT_AFTER_COMMIT);

    if (!open_for_groups(c))
        return;
    for (size_t fail_at = 0; fail_at < 2; fail_at++) {
        group_member members[3];
        kept_write kept[3];
        bb_error error;
        bb_access access = principal_access(c, WORKSPACE, 0, CHATBOT);
        int32_t answer;
        for (size_t i = 0; i < 6; i++)
            set_name(&records[i], fail_at == 0 ? "first" : "second");
        for (size_t i = 0; i < 3; i++)
            members[i] = ordinary(c, &records[2 * i], 2);
        members[1].fail_at = fail_at;
        answer = write_group_as(c->session, c->vtable, members, 3, kept, &error);
        CHECK(c, answer == BB_OK || undone); /* what is committed must be answered */
        CHECK_CODE(c, BB_ERR_NOMEM, kept[1].code);
        for (size_t i = 0; i < 6; i++) {
            int is_stored = kept[i / 2].code == BB_OK;
            int32_t outcome = outcome_now(c, &access, &records[i]);
            if (i / 2 != 1)
                CHECK_CODE(c, answer, kept[i / 2].code);
            if (is_stored || undone)
                CHECK(c, (outcome == BB_UNCHANGED) == is_stored);
        }
        kept_writes_free(kept, 3);
    }
}

void case_group_deadline(bb_case *c)
{
    bb_record records[2] = {record_of("late"), record_of("later")};
    bb_access access = principal_access(c, WORKSPACE, 0, CHATBOT);
    group_member members[2];
    kept_write kept[2];
    bb_error error;
    int64_t start = milliseconds_now();
    int32_t code;

    if (!open_for_groups(c))
        return;
    for (size_t i = 0; i < 2; i++) {
        members[i] = ordinary(c, &records[i], 1);
        members[i].access.deadline = start - 1;
    }
    start = milliseconds_now();
    code = write_group_as(c->session, c->vtable, members, 2, kept, &error);
    kept_writes_free(kept, 2);
    CHECK(c, code == BB_OK || code == BB_ERR_BUSY);
    CHECK(c, milliseconds_now() - start < c->options->late_ms);
    for (size_t i = 0; i < 2; i++)
        CHECK(c,
              outcome_now(c, &access, &records[i]) == (code == BB_OK ? BB_UNCHANGED : BB_CREATED));
}

/* --------------------------------------------------------------------------------- concurrency */

void case_group_serial(bb_case *c)
{
    history_plan plan = {.prefix = "groups ",
                         .threads = c->options->threads,
                         .writes = c->options->writes / 2 + 1,
                         .keys = 60,
                         .batch_min = 2,
                         .batch_max = 30,
                         .values = 1000,
                         .groups = 1,
                         .seed = c->options->seed};

    if (open_for_groups(c))
        history_run(c, &plan);
}

void case_group_serial_skew(bb_case *c)
{
    history_plan plan = {.prefix = "group skew ",
                         .threads = c->options->threads,
                         .writes = c->options->writes,
                         .keys = 4,
                         .batch_min = 2,
                         .batch_max = 4,
                         .values = 2,
                         .groups = 1,
                         .seed = c->options->seed};

    if (open_for_groups(c))
        history_run(c, &plan);
}

/* Many more records than a backend may lock one by one. */
void case_group_serial_large(bb_case *c)
{
    history_plan plan = {.prefix = "large groups ",
                         .threads = c->options->threads,
                         .writes = c->options->writes / 8 + 1,
                         .keys = 300,
                         .batch_min = 10,
                         .batch_max = 250,
                         .values = 1000,
                         .groups = 1,
                         .seed = c->options->seed};

    if (open_for_groups(c))
        history_run(c, &plan);
}
