/*
 * cases_reopen.c: a store before it has a schema, and one that is opened again (E8, E11).
 */
#include "cases.h"

/* What a store without a schema says: that it has none, or is not there itself; or, if it needs
 * none, what an empty one does. */
static int is_answer_without_schema(int32_t code, int32_t of_an_empty_one)
{
    return code == BB_ERR_SCHEMA || code == BB_ERR_UNAVAILABLE || code == of_an_empty_one;
}

static void check_reads_without_schema(bb_case *c)
{
    bb_record record = record_of("too early");
    bb_access with_key = key_access(c, 1, CHATBOT);
    bb_access principal = principal_access(c, WORKSPACE, 0, CHATBOT);
    bb_error error;
    kept_write kept;

    bb_error_init(&error);
    CHECK(c, is_answer_without_schema(c->vtable->authorize(c->session, &with_key, &error),
                                      BB_ERR_UNKNOWN_KEY));
    CHECK(c, is_answer_without_schema(c->vtable->authorize(c->session, &principal, &error),
                                      BB_ERR_NOT_FOUND));
    kept = write_as(c->session, c->vtable, &principal, &record, 1, SIZE_MAX);
    CHECK(c, is_answer_without_schema(kept.code, BB_ERR_NOT_FOUND));
    kept_write_free(&kept);
}

static void check_changes_without_schema(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    CHECK(c, is_answer_without_schema(
                 c->vtable->chatbot_archive(c->session, CHATBOT, 1, c->now_us, soon(), &error),
                 BB_ERR_NOT_FOUND));
    CHECK(c, is_answer_without_schema(
                 c->vtable->key_revoke(c->session, key_hash(1), c->now_us, soon(), &error),
                 BB_ERR_NOT_FOUND));
    CHECK(c, is_answer_without_schema(add_chatbot(c, CHATBOT, WORKSPACE), BB_OK));
    CHECK(c, is_answer_without_schema(add_key(c, 1, WORKSPACE, 0, 0), BB_OK));
}

void case_no_schema(bb_case *c)
{
    bb_record record = record_of("in time");
    bb_error error;
    kept_write kept;

    bb_error_init(&error);
    fixture_open_bare(c);
    CHECK_GOOD(c);
    check_reads_without_schema(c);
    CHECK_GOOD(c);
    check_changes_without_schema(c);
    CHECK_GOOD(c);
    /* the session that was turned down makes the schema, and goes on */
    CHECK_CODE(c, BB_OK, c->vtable->migrate(c->session, soon(), &error));
    CHECK_CODE(c, BB_OK, add_chatbot(c, CHATBOT, WORKSPACE));
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_CREATED);
    kept_write_free(&kept);
}

/* -------------------------------------------------------------------------------- opened again */

enum { CONTACTS = 3 };

static void make_records(bb_record records[CONTACTS])
{
    static const char *const keys[CONTACTS] = {"a", "b", "c"};

    for (size_t i = 0; i < CONTACTS; i++) {
        records[i] = record_of(keys[i]);
        set_name(&records[i], keys[i]);
        set_custom_attributes(&records[i], "{\"ltv\":540}");
    }
}

/* What there is besides contacts: a chatbot that is archived, a key that is revoked. */
static void administer(bb_case *c)
{
    bb_error error;

    bb_error_init(&error);
    CHECK_CODE(c, BB_OK, add_key(c, 2, WORKSPACE, 0, 0));
    CHECK_CODE(c, BB_OK, c->vtable->key_revoke(c->session, key_hash(2), c->now_us, soon(), &error));
    CHECK_CODE(
        c, BB_OK,
        c->vtable->chatbot_archive(c->session, SECOND_CHATBOT, 1, c->now_us, soon(), &error));
}

static void check_access(bb_case *c)
{
    bb_access live = key_access(c, 1, CHATBOT);
    bb_access revoked = key_access(c, 2, CHATBOT);
    bb_access archived = key_access(c, 1, SECOND_CHATBOT);
    bb_error error;

    bb_error_init(&error);
    CHECK_CODE(c, BB_OK, c->vtable->authorize(c->session, &live, &error));
    CHECK_CODE(c, BB_ERR_UNKNOWN_KEY, c->vtable->authorize(c->session, &revoked, &error));
    CHECK_CODE(c, BB_ERR_NOT_FOUND, c->vtable->authorize(c->session, &archived, &error));
}

void case_reopened(bb_case *c)
{
    bb_record records[CONTACTS];
    kept_write first, kept;

    fixture_open(c);
    CHECK_GOOD(c);
    administer(c);
    CHECK_GOOD(c);
    make_records(records);
    first = write_now(c, records, CONTACTS);
    CHECK_GOOD(c);
    fixture_reopen(c);
    if (c->outcome == BB_CONFORMANCE_PASSED)
        check_access(c);
    if (c->outcome != BB_CONFORMANCE_PASSED) {
        kept_write_free(&first);
        return;
    }
    kept = write_now(c, records, CONTACTS);
    CHECK_GOOD(c);
    for (size_t i = 0; i < CONTACTS; i++) {
        CHECK(c, kept.outcomes[i] == BB_UNCHANGED);
        CHECK(c, is_same_contact(&kept.after[i].contact, &first.after[i].contact));
    }
    kept_write_free(&kept);
    kept_write_free(&first);
}

void case_ids_after_reopen(bb_case *c)
{
    bb_record records[CONTACTS];
    bb_record later = record_of("later");
    int64_t ids[CONTACTS];
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    make_records(records);
    kept = write_now(c, records, CONTACTS);
    CHECK_GOOD(c);
    for (size_t i = 0; i < CONTACTS; i++)
        ids[i] = kept.after[i].contact.id;
    kept_write_free(&kept);
    fixture_reopen(c);
    if (c->outcome != BB_CONFORMANCE_PASSED)
        return;
    kept = write_one(c, &later);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_CREATED);
    for (size_t i = 0; i < CONTACTS; i++)
        CHECK(c, kept.after[0].contact.id != ids[i]);
    kept_write_free(&kept);
}
