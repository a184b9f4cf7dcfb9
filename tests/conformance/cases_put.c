/*
 * cases_put.c: a put() that fails, whichever it is, undoes the write (A2).
 */
#include "cases.h"

enum { RECORDS = 5 };

static void make_records(bb_record records[RECORDS])
{
    static const char *const keys[RECORDS] = {"a", "b", "c", "d", "e"};

    for (size_t i = 0; i < RECORDS; i++)
        records[i] = record_of(keys[i]);
}

void case_failed_put_undoes(bb_case *c)
{
    bb_record records[RECORDS];
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    if (c->options->differences & BB_CONFORMANCE_PUT_AFTER_COMMIT) {
        case_skip(c, "put() comes after the commit");
        return;
    }
    make_records(records);
    kept = write_now(c, records, 2); /* a and b are known, c to e are not */
    kept_write_free(&kept);
    CHECK_GOOD(c);
    for (size_t fail_at = 0; fail_at < RECORDS; fail_at++) {
        bb_access access = principal_access(c, WORKSPACE, 0, CHATBOT);
        for (size_t i = 0; i < RECORDS; i++)
            set_name(&records[i], "half done");
        kept = write_as(c->session, c->vtable, &access, records, RECORDS, fail_at);
        CHECK_CODE(c, BB_ERR_NOMEM, kept.code);
        kept_write_free(&kept);
    }
    make_records(records);
    kept = write_now(c, records, RECORDS);
    CHECK_GOOD(c);
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(c, kept.outcomes[i] == (i < 2 ? BB_UNCHANGED : BB_CREATED));
        CHECK(c, is_text(kept.after[i].contact.name, NULL));
    }
    kept_write_free(&kept);
}
