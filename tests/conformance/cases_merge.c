/*
 * cases_merge.c: custom_attributes that are merged into what is stored (D2, D3).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

/* Opens a store as fixture_open() does; skips the case if the backend does not merge. */
static int open_for_merging(bb_case *c)
{
    fixture_open(c);
    if (c->outcome == BB_CONFORMANCE_FAILED)
        return 0;
    if (c->vtable->flags & BB_STORAGE_MERGES)
        return 1;
    case_skip(c, "the table does not have BB_STORAGE_MERGES");
    return 0;
}

/* A record that merges: `set` is an object, `removed` an array of names. */
static bb_record merge_of(const char *external_id, const char *set, const char *removed)
{
    bb_record record = record_of(external_id);

    set_custom_attributes(&record, set);
    record.flags |= BB_RECORD_MERGE;
    record.removed_attributes = text(removed);
    return record;
}

/* Writes a record, which must have this outcome and leave these attributes. */
static void expect(bb_case *c, const bb_record *record, int32_t outcome, const char *attributes)
{
    kept_write kept = write_one(c, record);

    if (c->outcome == BB_CONFORMANCE_FAILED)
        return;
    if (kept.outcomes[0] != outcome)
        case_fail(c, __FILE__, __LINE__, "another outcome");
    else if (!is_json(kept.after[0].contact.custom_attributes, attributes))
        case_fail(c, __FILE__, __LINE__, attributes);
    kept_write_free(&kept);
}

void case_merge(bb_case *c)
{
    static const struct {
        const char *set;
        const char *removed;
        int32_t outcome;
        const char *then;
    } steps[] = {
        {"{\"a\":1,\"b\":{\"x\":1},\"n\":null}", "[\"z\"]", BB_CREATED,
         "{\"a\":1,\"b\":{\"x\":1},\"n\":null}"},
        {"{\"c\":3}", "[\"a\",\"never\"]", BB_UPDATED, "{\"b\":{\"x\":1},\"c\":3,\"n\":null}"},
        {"{\"b\":{\"y\":2}}", "[]", BB_UPDATED, "{\"b\":{\"y\":2},\"c\":3,\"n\":null}"},
        {"{\"c\":3.0,\"b\":{\"y\":2}}", "[\"a\"]", BB_UNCHANGED,
         "{\"b\":{\"y\":2},\"c\":3,\"n\":null}"},
        {"{}", "[\"n\",\"b\",\"c\"]", BB_UPDATED, "{}"},
        {"{}", "[\"n\"]", BB_UNCHANGED, "{}"},
        {"{\"\":1,\"a b\":2,\"\\u00e9\\\\\\\"{,}\":3}", "[]", BB_UPDATED,
         "{\"\":1,\"a b\":2,\"\xc3\xa9\\\\\\\"{,}\":3}"},
        {"{\"last\":1}", "[\"\",\"a\\u0020b\",\"\xc3\xa9\\\\\\u0022{,}\"]", BB_UPDATED,
         "{\"last\":1}"},
    };

    if (!open_for_merging(c))
        return;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        bb_record record = merge_of("merged", steps[i].set, steps[i].removed);
        expect(c, &record, steps[i].outcome, steps[i].then);
        CHECK_GOOD(c);
    }
}

void case_merge_among_others(bb_case *c)
{
    bb_record records[3] = {record_of("a"), record_of("b"), record_of("c")};
    kept_write kept;

    if (!open_for_merging(c))
        return;
    for (size_t i = 0; i < 3; i++)
        set_custom_attributes(&records[i], "{\"old\":1}");
    kept = write_now(c, records, 3);
    kept_write_free(&kept);
    CHECK_GOOD(c);
    records[0] = merge_of("a", "{\"new\":2}", "[]");
    set_name(&records[0], "named");
    set_custom_attributes(&records[1], "{\"new\":2}");
    records[2] = merge_of("d", "{\"new\":2}", "[\"old\"]");
    records[0].flags |= BB_RECORD_WANT_BEFORE;
    kept = write_now(c, records, 3);
    CHECK_GOOD(c);
    CHECK(c, is_text(kept.after[0].contact.name, "named"));
    CHECK(c, is_json(kept.after[0].contact.custom_attributes, "{\"old\":1,\"new\":2}"));
    CHECK(c, kept.before[0].present);
    CHECK(c, is_json(kept.before[0].contact.custom_attributes, "{\"old\":1}"));
    CHECK(c, is_json(kept.after[1].contact.custom_attributes, "{\"new\":2}"));
    CHECK(c, is_json(kept.after[2].contact.custom_attributes, "{\"new\":2}"));
    kept_write_free(&kept);
}

void case_merge_numbers(bb_case *c)
{
    bb_record record = merge_of("numbers", "{\"i\":12345678901234567890}", "[]");

    if (!open_for_merging(c))
        return;
    expect(c, &record, BB_CREATED, "{\"i\":12345678901234567890}");
    CHECK_GOOD(c);
    record = merge_of("numbers", "{\"f\":0.1000000000000000055511151231257827}", "[]");
    expect(c, &record, BB_UPDATED,
           "{\"i\":12345678901234567890,\"f\":0.1000000000000000055511151231257827}");
    CHECK_GOOD(c);
    record = merge_of("numbers", "{\"i\":1234567890123456789e1}", "[]");
    expect(c, &record, BB_UNCHANGED,
           "{\"i\":12345678901234567890,\"f\":0.1000000000000000055511151231257827}");
}

/* A merge that sets `len` characters under a name. */
static bb_record large_merge(const char *external_id, const char *name, size_t len, char *room,
                             size_t size)
{
    snprintf(room, size, "{\"%s\":\"%0*d\"}", name, (int)len, 0);
    return merge_of(external_id, room, "[]");
}

void case_merge_oversized(bb_case *c)
{
    enum { HALF = KEPT_MAX_ATTRIBUTES / 2 };
    char rooms[3][KEPT_MAX_ATTRIBUTES + 100];
    bb_record records[3];
    bb_access access;
    kept_write kept;

    if (!open_for_merging(c))
        return;
    for (size_t i = 0; i < 3; i++)
        records[i] = large_merge(i == 0   ? "a"
                                 : i == 1 ? "b"
                                          : "c",
                                 "one", HALF, rooms[i], sizeof rooms[i]);
    kept = write_now(c, records, 3);
    kept_write_free(&kept);
    CHECK_GOOD(c);
    records[0] = large_merge("a", "two", HALF, rooms[0], sizeof rooms[0]);
    records[1] = large_merge("b", "two", HALF - 100, rooms[1], sizeof rooms[1]);
    records[2] = large_merge("c", "two", HALF, rooms[2], sizeof rooms[2]);
    access = principal_access(c, WORKSPACE, 0, CHATBOT);
    kept = write_as(c->session, c->vtable, &access, records, 3, SIZE_MAX);
    CHECK_CODE(c, BB_ERR_OVERSIZED, kept.code);
    CHECK(c, kept.outcomes[0] == BB_PUT_OVERSIZED && kept.outcomes[2] == BB_PUT_OVERSIZED);
    CHECK(c, kept.outcomes[1] != BB_PUT_OVERSIZED);
    kept_write_free(&kept);
    records[1] = merge_of("b", "{}", "[\"two\"]"); /* nothing was stored of it */
    kept = write_one(c, &records[1]);
    CHECK_GOOD(c);
    CHECK(c, kept.outcomes[0] == BB_UNCHANGED);
    kept_write_free(&kept);
    records[0] = large_merge("a", "one", HALF + 200, rooms[0], sizeof rooms[0]);
    kept = write_one(c, &records[0]); /* what is replaced does not count */
    CHECK_GOOD(c);
    kept_write_free(&kept);
    set_custom_attributes(&records[0], "{\"not\":\"limited\"}");
    records[0].flags = 0;
    kept = write_one(c, &records[0]);
    kept_write_free(&kept);
}

/* ---------------------------------------------------------------------------- at the same time */

enum { MERGES = 200 };

typedef struct merger {
    bb_case *c;
    pthread_t thread;
    size_t first; /* it sets the members from this one on, every so many */
    size_t step;
    int32_t code;
} merger;

static int32_t merge_member(const merger *m, void *session, size_t number)
{
    bb_access access = principal_access(m->c, WORKSPACE, 0, CHATBOT);
    char set[40];
    bb_record record;
    kept_write kept;
    int32_t code;

    snprintf(set, sizeof set, "{\"m%zu\":%zu}", number, number);
    record = merge_of("shared", set, "[]");
    kept = write_as(session, m->c->vtable, &access, &record, 1, SIZE_MAX);
    code = kept.code;
    kept_write_free(&kept);
    return code;
}

static void *merge_members(void *ctx)
{
    merger *m = ctx;
    const bb_storage_vtable *vtable = m->c->vtable;
    void *session = NULL;
    bb_error error;

    bb_error_init(&error);
    m->code = vtable->session_open(m->c->store.store, soon(), &session, &error);
    if (m->code != BB_OK)
        return NULL;
    for (size_t i = m->first; i < MERGES && m->code == BB_OK; i += m->step)
        m->code = merge_member(m, session, i);
    vtable->session_close(session);
    return NULL;
}

void case_merge_concurrently(bb_case *c)
{
    size_t threads = c->options->threads;
    merger *mergers = calloc(threads, sizeof *mergers);
    char all[MERGES * 16] = "{";
    bb_record look = record_of("shared");
    kept_write kept;

    CHECK(c, mergers != NULL);
    if (!open_for_merging(c)) {
        free(mergers);
        return;
    }
    for (size_t i = 0; i < threads; i++) {
        mergers[i] = (merger){.c = c, .first = i, .step = threads, .code = BB_ERR_INTERNAL};
        if (pthread_create(&mergers[i].thread, NULL, merge_members, &mergers[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(mergers[i].thread, NULL);
    for (size_t i = 0; i < threads; i++) {
        if (mergers[i].code != BB_OK)
            case_fail_code(c, __FILE__, __LINE__, "a merge", mergers[i].code, BB_OK);
    }
    free(mergers);
    CHECK_GOOD(c);
    for (size_t i = 0; i < MERGES; i++) {
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s\"m%zu\":%zu%s", i > 0 ? "," : "", i, i,
                 i + 1 == MERGES ? "}" : "");
    }
    kept = write_one(c, &look);
    CHECK_GOOD(c);
    CHECK(c, is_json(kept.after[0].contact.custom_attributes, all));
    kept_write_free(&kept);
}

void case_merge_group(bb_case *c)
{
    bb_record records[3] = {merge_of("g1", "{\"x\":1}", "[]"), record_of("g2"),
                            merge_of("g3", "{\"x\":1}", "[\"y\"]")};
    group_member members[3];
    kept_write kept[3];
    bb_error error;
    int32_t code;

    if (!open_for_merging(c))
        return;
    if (c->vtable->size < sizeof *c->vtable || c->vtable->write_group == NULL) {
        case_skip(c, "the table has no write_group()");
        return;
    }
    set_custom_attributes(&records[1], "{\"y\":1}");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3; i++)
            members[i] = (group_member){principal_access(c, WORKSPACE, 0, CHATBOT), &records[i], 1,
                                        SIZE_MAX};
        code = write_group_as(c->session, c->vtable, members, 3, kept, &error);
        if (code == BB_ERR_UNSUPPORTED) {
            kept_writes_free(kept, 3);
            case_skip(c, "this store writes no groups");
            return;
        }
        CHECK_CODE(c, BB_OK, code);
        for (size_t i = 0; i < 3; i++) {
            CHECK_CODE(c, BB_OK, kept[i].code);
            CHECK(c, kept[i].outcomes[0] == (round == 0 ? BB_CREATED : BB_UPDATED));
        }
        CHECK(c, round == 0 ||
                     is_json(kept[0].after[0].contact.custom_attributes, "{\"x\":1,\"z\":2}"));
        CHECK(c, round == 0 || is_json(kept[1].after[0].contact.custom_attributes, "{\"w\":1}"));
        CHECK(c, round == 0 || is_json(kept[2].after[0].contact.custom_attributes, "{}"));
        kept_writes_free(kept, 3);
        records[0] = merge_of("g1", "{\"z\":2}", "[]");
        set_custom_attributes(&records[1], "{\"w\":1}");
        records[2] = merge_of("g3", "{}", "[\"x\"]");
    }
}
