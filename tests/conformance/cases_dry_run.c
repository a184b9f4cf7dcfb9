/*
 * cases_dry_run.c: writes that only say what they would do (A6).
 */
#include "cases.h"

enum { RECORDS = 3 };

/* Opens a store as fixture_open() does; skips the case if the backend makes no dry runs. */
static int open_for_dry_runs(bb_case *c)
{
    fixture_open(c);
    if (c->outcome == BB_CONFORMANCE_FAILED)
        return 0;
    if (c->vtable->flags & BB_STORAGE_DRY_RUNS)
        return 1;
    case_skip(c, "the table does not have BB_STORAGE_DRY_RUNS");
    return 0;
}

/* A contact that stays, one that changes and a new one. */
static void make_records(bb_record records[RECORDS])
{
    records[0] = record_of("same");
    records[1] = record_of("changed");
    records[2] = record_of("new");
    set_name(&records[0], "same");
    set_name(&records[1], "after");
    set_custom_attributes(&records[1], "{\"n\":1.50}");
    set_email(&records[2], "new@x");
    records[1].flags = BB_RECORD_WANT_BEFORE;
}

void case_dry_run(bb_case *c)
{
    bb_record first[2] = {record_of("same"), record_of("changed")};
    bb_record records[RECORDS];
    bb_access access;
    kept_write dry;
    kept_write real;

    if (!open_for_dry_runs(c))
        return;
    set_name(&first[0], "same");
    set_name(&first[1], "before");
    real = write_now(c, first, 2);
    kept_write_free(&real);
    CHECK_GOOD(c);
    make_records(records);
    access = principal_access(c, WORKSPACE, 0, CHATBOT);
    dry = write_dry(c, &access, records, RECORDS);
    CHECK_CODE(c, BB_OK, dry.code);
    real = write_now(c, records, RECORDS); /* at the same time */
    CHECK_GOOD(c);
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(c, dry.times[i] == 1);
        CHECK(c, dry.outcomes[i] == real.outcomes[i]);
        CHECK(c, dry.before[i].present == real.before[i].present);
        CHECK(c, dry.after[i].contact.id == (i == 2 ? 0 : real.after[i].contact.id));
        dry.after[i].contact.id = real.after[i].contact.id;
        CHECK(c, is_same_contact(&dry.after[i].contact, &real.after[i].contact));
    }
    CHECK(c, is_same_contact(&dry.before[1].contact, &real.before[1].contact));
    CHECK(c, real.outcomes[1] == BB_UPDATED && real.outcomes[2] == BB_CREATED);
    kept_write_free(&dry);
    kept_write_free(&real);
}

void case_dry_run_ids(bb_case *c)
{
    bb_record record = record_of("first");
    bb_access access;
    kept_write kept;
    int64_t id;

    if (!open_for_dry_runs(c))
        return;
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    id = kept.after[0].contact.id;
    kept_write_free(&kept);
    access = principal_access(c, WORKSPACE, 0, CHATBOT);
    record = record_of("second");
    for (int i = 0; i < 5; i++) {
        kept = write_dry(c, &access, &record, 1);
        CHECK_CODE(c, BB_OK, kept.code);
        CHECK(c, kept.outcomes[0] == BB_CREATED && kept.after[0].contact.id == 0);
        kept_write_free(&kept);
    }
    kept = write_one(c, &record);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_CREATED);
    CHECK(c, kept.after[0].contact.id == id + 1);
    kept_write_free(&kept);
}

void case_dry_run_refused(bb_case *c)
{
    bb_record record = record_of("refused");
    bb_access access;
    kept_write kept;

    if (!open_for_dry_runs(c))
        return;
    access = key_access(c, 2, CHATBOT); /* never added */
    kept = write_dry(c, &access, &record, 1);
    CHECK_CODE(c, BB_ERR_UNKNOWN_KEY, kept.code);
    CHECK(c, kept.puts == 0);
    kept_write_free(&kept);
    access = principal_access(c, WORKSPACE, 0, FOREIGN_CHATBOT);
    kept = write_dry(c, &access, &record, 1);
    CHECK_CODE(c, BB_ERR_NOT_FOUND, kept.code);
    CHECK(c, kept.puts == 0);
    kept_write_free(&kept);
}
