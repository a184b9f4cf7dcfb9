/*
 * test_mutations.c: whether the conformance kit finds what authors of backends get wrong.
 *
 * Each mutation is the memory backend with one fault. The kit must find it by the case that is
 * named here, whose name says what is wrong; other cases may fail with it only if they hold one of
 * the rules that the fault breaks, too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bb_contacts/backends.h"
#include "bb_contacts/conformance.h"
#include "execute/storage.h"
#include "support/check.h"

/* Where burnt ids go. */
#define HIDDEN 999999

typedef struct mutant mutant;

/* One record on its way into the store, with room for a key of its own. */
typedef struct changed_record {
    bb_record record;
    const bb_record *original;
    char key[BB_EXTERNAL_ID_MAX];
} changed_record;

/* What put() is told about one. */
typedef struct told {
    int32_t outcome;
    bb_contact contact;
    const bb_contact *before;
} told;

/* The rules of cases that look at outcomes. */
#define OF_OUTCOMES                                                           \
    " A2 C6 C7 D external_id D name D email D phonenumber D stripe_accounts " \
    "D custom_attributes E1 E2 E3 E4 E5 E6 E7 E8 E11 "

typedef struct mutation {
    const char *what;
    const char *caught_by; /* the case, by the beginning of its name */
    const char *rules; /* that other cases may find broken, too; a space around each; NULL: none */
    void (*change_record)(changed_record *changed);
    void (*change_told)(told *t);
    int burns_ids;
    int writes_one_by_one;
    int ignores_archived;
    int compares_half_of_a_hash;
    int ignores_deadlines;
    int keeps_nothing;
} mutation;

/* The store of a mutation, which is its sessions as well, as that of memory is. */
struct mutant {
    const mutation *mutation;
    bb_storage *storage;
    const bb_storage_vtable *inner;
    void *session;
};

/* -------------------------------------------------------------------------------- the mutations */

static void lose_phonenumber(changed_record *changed)
{
    changed->record.fields &= ~BB_FIELD_PHONENUMBER;
    changed->record.phonenumber = (bb_slice){0};
}

static void write_unchanged(changed_record *changed)
{
    changed->record.flags |= BB_RECORD_TOUCH;
}

static void fold_case(changed_record *changed)
{
    bb_slice key = changed->record.external_id;

    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        changed->key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    changed->record.external_id.data = changed->key;
}

static void cut_key(changed_record *changed)
{
    if (changed->record.external_id.len > 480)
        changed->record.external_id.len = 480;
}

static void forget_before(told *t)
{
    t->before = NULL;
}

static void swap_outcomes(told *t)
{
    if (t->outcome != BB_UNCHANGED)
        t->outcome = t->outcome == BB_CREATED ? BB_UPDATED : BB_CREATED;
}

static void reuse_ids(told *t)
{
    t->contact.id = (t->contact.id - 1) % 20 + 1;
}

static const mutation mutations[] = {
    {.what = "nothing is wrong"},
    {.what = "loses a field",
     .caught_by = "D phonenumber: ",
     .rules = " C5 E6 ",
     .change_record = lose_phonenumber},
    {.what = "writes what is unchanged",
     .caught_by = "E5: an unchanged contact keeps its time",
     .rules = OF_OUTCOMES,
     .change_record = write_unchanged},
    {.what = "compares keys without case",
     .caught_by = "D external_id: compared byte by byte",
     .change_record = fold_case},
    {.what = "compares the first 480 bytes of a key",
     .caught_by = "D external_id: ids that agree in their first 480 bytes are different",
     .change_record = cut_key},
    {.what = "forgets what was there before",
     .caught_by = "E1: before is given where wanted",
     .rules = " E7 ",
     .change_told = forget_before},
    {.what = "swaps created and updated",
     .caught_by = "E6: created, updated and unchanged are told apart",
     .rules = OF_OUTCOMES,
     .change_told = swap_outcomes},
    {.what = "gives ids out again",
     .caught_by = "E3: ids are positive, unique across chatbots, and never reused",
     .change_told = reuse_ids},
    {.what = "uses up an id for each record",
     .caught_by = "E4: neither updates nor unchanged records use up an id",
     .burns_ids = 1},
    {.what = "commits each record by itself",
     .caught_by = "A2: a put() that fails undoes the whole write",
     .rules = " E7 ",
     .writes_one_by_one = 1},
    {.what = "ignores that a chatbot is archived",
     .caught_by = "B3: chatbots unknown, of another workspace, archived",
     .rules = " B3 B4 ",
     .ignores_archived = 1},
    {.what = "compares half of a key's hash",
     .caught_by = "B2: a key is found by all 32 bytes of its hash",
     .compares_half_of_a_hash = 1},
    {.what = "ignores deadlines",
     .caught_by = "E11: a deadline that has passed is BB_ERR_BUSY at once",
     .rules = " E11 ",
     .ignores_deadlines = 1},
    {.what = "keeps nothing once it is closed",
     .caught_by = "E8: what was stored is there when the store is opened again",
     .rules = " E3 ",
     .keeps_nothing = 1},
};

/* ----------------------------------------------------------------------------------- the writes */

typedef struct changed_write {
    const mutant *m;
    const bb_write *original;
    changed_record *records;
    size_t from;  /* the first record of the part that is being written */
    size_t known; /* records that were there before */
} changed_write;

static int32_t put_changed(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                           const bb_contact *before)
{
    changed_write *w = ctx;
    const bb_write *original = w->original;
    told t = {outcome, *contact, before};
    bb_contact shown;

    index += w->from;
    w->known += outcome != BB_CREATED;
    t.contact.external_id = w->records[index].original->external_id;
    if (before != NULL) {
        shown = *before;
        shown.external_id = t.contact.external_id;
        t.before = &shown;
    }
    if (w->m->mutation->change_told != NULL)
        w->m->mutation->change_told(&t);
    return original->put(original->put_ctx, index, t.outcome, &t.contact, t.before);
}

static bb_access change_access(const mutant *m, const bb_access *access, uint8_t *hash)
{
    bb_access changed = *access;

    if (m->mutation->compares_half_of_a_hash && access->key_hash != NULL) {
        memcpy(hash, access->key_hash, BB_KEY_HASH_SIZE / 2);
        memset(hash + BB_KEY_HASH_SIZE / 2, 0, BB_KEY_HASH_SIZE / 2);
        changed.key_hash = hash;
    }
    return changed;
}

/* Writes records [from, from + count) of a write, changed. */
static int32_t write_part(changed_write *w, size_t from, size_t count, bb_error *error)
{
    const bb_record **pointers = calloc(count, sizeof *pointers);
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_access access = change_access(w->m, w->original->access, hash);
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = pointers,
                      .record_count = count,
                      .put = put_changed,
                      .put_ctx = w};
    int32_t code = BB_ERR_NOMEM;

    w->from = from;
    for (size_t i = 0; pointers != NULL && i < count; i++)
        pointers[i] = &w->records[from + i].record;
    if (pointers != NULL)
        code = w->m->inner->write(w->m->session, &write, error);
    free(pointers);
    return code;
}

/* Creates a contact that nobody asked for. */
static int32_t put_nothing(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                           const bb_contact *before)
{
    (void)ctx;
    (void)index;
    (void)outcome;
    (void)contact;
    (void)before;
    return BB_OK;
}

static int32_t burn_id(const mutant *m, int64_t now_us, size_t number, bb_error *error)
{
    char key[64];
    bb_record record = {.size = sizeof record, .external_id.data = key};
    const bb_record *records[1] = {&record};
    bb_access access = {.size = sizeof access, .workspace_id = HIDDEN, .chatbot_id = HIDDEN};
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = records,
                      .record_count = 1,
                      .put = put_nothing};

    record.external_id.len =
        (size_t)snprintf(key, sizeof key, "%lld %zu", (long long)now_us, number);
    record.stripe_accounts = (bb_slice){"[]", 2};
    record.custom_attributes = (bb_slice){"{}", 2};
    return m->inner->write(m->session, &write, error);
}

static int32_t write_changed(changed_write *w, bb_error *error)
{
    size_t count = w->original->record_count;
    size_t step = w->m->mutation->writes_one_by_one ? 1 : count;
    int32_t code = BB_OK;

    for (size_t i = 0; i < count; i++) {
        changed_record *changed = &w->records[i];
        changed->original = w->original->records[i];
        changed->record = *changed->original;
        if (w->m->mutation->change_record != NULL)
            w->m->mutation->change_record(changed);
    }
    for (size_t i = 0; i < count && code == BB_OK; i += step)
        code = write_part(w, i, step, error);
    for (size_t i = 0; w->m->mutation->burns_ids && i < w->known && code == BB_OK; i++)
        code = burn_id(w->m, w->original->access->now_us, i, error);
    return code;
}

static int32_t mutant_write(void *session, const bb_write *write, bb_error *error)
{
    changed_write w = {.m = session, .original = write};
    int32_t code = BB_ERR_NOMEM;

    w.records = calloc(write->record_count, sizeof *w.records);
    if (w.records != NULL)
        code = write_changed(&w, error);
    free(w.records);
    return code;
}

/* ---------------------------------------------------------------------- the rest of the backend */

static int32_t mutant_session_open(void *store, int64_t deadline, void **session, bb_error *error)
{
    (void)deadline;
    (void)error;
    *session = store;
    return BB_OK;
}

static void mutant_session_close(void *session)
{
    (void)session;
}

static int32_t mutant_migrate(void *session, int64_t deadline, bb_error *error)
{
    const mutant *m = session;

    return m->inner->chatbot_add(m->session, HIDDEN, HIDDEN, 0, deadline, error);
}

static int32_t mutant_authorize(void *session, const bb_access *access, bb_error *error)
{
    const mutant *m = session;
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_access changed = change_access(m, access, hash);

    return m->inner->authorize(m->session, &changed, error);
}

static int32_t mutant_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id,
                                  int64_t now_us, int64_t deadline, bb_error *error)
{
    const mutant *m = session;

    return m->inner->chatbot_add(m->session, chatbot_id, workspace_id, now_us, deadline, error);
}

static int32_t mutant_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived,
                                      int64_t now_us, int64_t deadline, bb_error *error)
{
    const mutant *m = session;

    return m->inner->chatbot_archive(m->session, chatbot_id,
                                     m->mutation->ignores_archived ? 0 : archived, now_us, deadline,
                                     error);
}

static int32_t mutant_key_add(void *session, const bb_key_record *key, int64_t deadline,
                              bb_error *error)
{
    const mutant *m = session;
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_access access = {.key_hash = key->key_hash};
    bb_key_record changed = *key;

    access = change_access(m, &access, hash);
    changed.key_hash = access.key_hash;
    return m->inner->key_add(m->session, &changed, deadline, error);
}

static int32_t mutant_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us,
                                 int64_t deadline, bb_error *error)
{
    const mutant *m = session;
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_access access = {.key_hash = key_hash};

    access = change_access(m, &access, hash);
    return m->inner->key_revoke(m->session, access.key_hash, now_us, deadline, error);
}

static const bb_storage_vtable mutant_vtable = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .name = "mutant",
    .session_open = mutant_session_open,
    .session_close = mutant_session_close,
    .migrate = mutant_migrate,
    .authorize = mutant_authorize,
    .write = mutant_write,
    .chatbot_add = mutant_chatbot_add,
    .chatbot_archive = mutant_chatbot_archive,
    .key_add = mutant_key_add,
    .key_revoke = mutant_key_revoke,
};

/* -------------------------------------------------------------------------------------- the kit */

typedef struct verdict {
    const mutation *mutation;
    int is_caught; /* by the case that should */
    char others[2000];
} verdict;

static int32_t open_mutant(void *ctx, bb_conformance_store *out)
{
    const verdict *v = ctx;
    mutant *m = calloc(1, sizeof *m);

    if (m == NULL)
        return BB_ERR_NOMEM;
    if (bb_storage_open_memory(NULL, &m->storage, NULL) != BB_OK) {
        free(m);
        return BB_ERR_NOMEM;
    }
    m->mutation = v->mutation;
    m->inner = &m->storage->vtable;
    m->session = m->storage->store; /* as the memory backend has it */
    out->vtable = &mutant_vtable;
    out->store = m;
    return BB_OK;
}

static void close_mutant(void *ctx, bb_conformance_store *store)
{
    mutant *m = store->store;

    (void)ctx;
    bb_storage_close(m->storage);
    free(m);
}

static int32_t reopen_mutant(void *ctx, bb_conformance_store *store)
{
    close_mutant(ctx, store);
    return open_mutant(ctx, store);
}

/* Whether a case holds one of a mutation's other rules. */
static int is_of_rules(const char *name, const char *rules)
{
    char rule[40];

    snprintf(rule, sizeof rule, " %.*s ", (int)strcspn(name, ":"), name);
    return strstr(rules, rule) != NULL;
}

static void judge(void *ctx, const char *name, int32_t outcome, const char *detail)
{
    verdict *v = ctx;
    const mutation *m = v->mutation;
    size_t len = strlen(v->others);

    if (outcome != BB_CONFORMANCE_FAILED)
        return;
    if (m->caught_by != NULL && strncmp(name, m->caught_by, strlen(m->caught_by)) == 0) {
        printf("    %s: %s\n", name, detail);
        v->is_caught = 1;
    } else if (m->rules == NULL || !is_of_rules(name, m->rules)) {
        snprintf(v->others + len, sizeof v->others - len, "%s: %s; ", name, detail);
    }
}

static void test_kit_catches(const mutation *m, const char *requests)
{
    verdict v = {.mutation = m};
    bb_conformance_options options;
    int32_t failed;

    bb_conformance_options_init(&options);
    options.ctx = &v;
    options.open = open_mutant;
    options.reopen = m->keeps_nothing ? reopen_mutant : NULL;
    options.close = close_mutant;
    options.report = judge;
    options.requests = m->caught_by == NULL ? requests : NULL;
    options.threads = 4;
    options.writes = 20;
    options.late_ms = 1000; /* it never answers in time, so waiting longer would tell no more */
    options.differences = m->ignores_deadlines ? 0 : BB_CONFORMANCE_NO_LOCK_WAIT;
    printf("%s\n", m->what);
    fflush(stdout);
    failed = bb_conformance_run(&options);
    if (m->caught_by == NULL)
        CHECK_MSG(failed == 0, "%s: %s", m->what, v.others);
    else
        CHECK_MSG(failed > 0 && v.is_caught, "a store that %s is not caught by: %s", m->what,
                  m->caught_by);
    CHECK_MSG(v.others[0] == '\0', "a store that %s is caught by: %s", m->what, v.others);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof mutations / sizeof mutations[0]; i++)
        test_kit_catches(&mutations[i], argc > 1 ? argv[1] : NULL);
    return check_status();
}
