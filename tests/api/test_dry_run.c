/*
 * test_dry_run.c: random batches, each first as a dry run and then in earnest: the answer is the
 * same, but for the ids of new contacts, and the dry one has written nothing (A6).
 *
 *     test_dry_run BACKEND
 *
 * BB_TEST_BATCHES says how many; by default a few hundred.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"

enum { BATCHES = 300, MOST_ENTRIES = 8, MAX_STATE = 300 };

typedef struct trial {
    test_endpoint endpoint;
    uint64_t seed;        /* of the choices */
    uint64_t ids;         /* of the ids that the library makes, set anew for both requests */
    int64_t now;          /* seconds */
    int64_t last_id;      /* the highest so far */
    int has_wasted;       /* a request in earnest has failed since, which may use up ids */
    int is_text_the_same; /* the dry run has the text of JSON that the store would have */
} trial;

static int64_t clock_of_trial(void *ctx)
{
    return ((const trial *)ctx)->now * 1000000;
}

static int32_t random_of_trial(void *ctx, void *out, size_t len)
{
    trial *t = ctx;
    unsigned char *to = out;

    for (size_t i = 0; i < len; i++)
        to[i] = (unsigned char)test_random(&t->ids, 256);
    return 0;
}

/* ----------------------------------------------------------------------------------- a batch */

static const char *pick(trial *t, const char *const *choices, size_t count)
{
    return choices[test_random(&t->seed, count)];
}

#define PICK(t, choices) pick(t, choices, sizeof(choices) / sizeof(choices)[0])

static void append_entry(trial *t, test_text *body)
{
    static const char *const ids[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\"",      "\"e\"",
                                      "\"f\"", "\"g\"", "null",  "\"\\u00e9\""};
    static const char *const names[] = {"",           ",\"name\":null",      ",\"name\":\"x\"",
                                        ",\"name\":", ",\"name\":\"y\"",     ",\"name\":7",
                                        "",           ",\"email\":\"same\"", ""};
    static const char *const stripes[] = {"", "", ",\"stripe_accounts\":null",
                                          ",\"stripe_accounts\":[{\"id\":1.50}, {}]"};
    static const char *const attributes[] = {
        "",
        ",\"custom_attributes\":null",
        ",\"custom_attributes\":{}",
        ",\"custom_attributes\":{\"n\": 1, \"m\":null}",
        ",\"custom_attributes\":{\"n\":1.0,\"o\":{\"x\":null}}",
        ",\"custom_attributes\":{\"m\":\"\\u0061\",\"n\":null}",
        ",\"custom_attributes\":{\"long one\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
        ",\"custom_attributes\":{\"long two\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
        ",\"custom_attributes\":{\"long three\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"};
    const char *name = PICK(t, names);

    if (test_random(&t->seed, 8) != 0 && strcmp(name, ",\"name\":7") == 0)
        name = "";
    test_append(body, "{\"external_id\":%s%s%s%s}", PICK(t, ids),
                strcmp(name, ",\"name\":") == 0 ? "" : name, PICK(t, stripes), PICK(t, attributes));
}

static void append_batch(trial *t, test_text *body)
{
    uint64_t count = 1 + test_random(&t->seed, MOST_ENTRIES);

    test_append_text(body, "{\"users\":[");
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            test_append_text(body, ",");
        append_entry(t, body);
    }
    test_append_text(body, "]}");
}

/* --------------------------------------------------------------------------- what was written */

/* A text that changes when anything is written to the contacts, or an id is drawn. */
static int state_of(const trial *t, char *state)
{
    static const char sql[] =
        "SELECT concat((SELECT md5(string_agg(concat(xmin, xmax, ctid), ' ' ORDER BY id))"
        " FROM bb_contacts.contacts), (SELECT string_agg(concat(last_value), ' ')"
        " FROM pg_sequences WHERE schemaname = 'bb_contacts'),"
        " (SELECT sum(pg_relation_size(oid)) FROM pg_class"
        " WHERE relnamespace = 'bb_contacts'::regnamespace))";
    const test_store *store = &t->endpoint.store;

    if (strcmp(store->backend, "postgres") == 0)
        return CHECK(test_store_sql(store, sql, state, MAX_STATE) == 0);
    return CHECK(test_store_versions(store, state, MAX_STATE) == 0);
}

/* --------------------------------------------------------------------------------- comparing */

/* The answer in earnest as the dry run must have it: new contacts have no id. Notes their ids. */
static char *without_new_ids(trial *t, const char *body)
{
    static const char mark[] = "{\"id\":\"contact_";
    char *text = malloc(strlen(body) + 1);
    int64_t before = t->last_id;
    int64_t first = INT64_MAX;
    char *to = text;

    if (text == NULL)
        abort();
    while (*body != '\0') {
        char *end;
        int64_t id;
        if (strncmp(body, mark, sizeof mark - 1) != 0) {
            *to++ = *body++;
            continue;
        }
        id = strtoll(body + sizeof mark - 1, &end, 10);
        if (id <= before) {
            memcpy(to, body, (size_t)(end - body));
            to += end - body;
            body = end;
            continue;
        }
        memcpy(to, "{\"id\":null", sizeof "{\"id\":null" - 1);
        to += sizeof "{\"id\":null" - 1;
        body = end + 1; /* after the quote */
        first = id < first ? id : first;
        t->last_id = id > t->last_id ? id : t->last_id;
    }
    *to = '\0';
    if (first != INT64_MAX) {
        CHECK_MSG(t->has_wasted || first == before + 1, "E4: %lld after %lld", (long long)first,
                  (long long)before);
        t->has_wasted = 0;
    }
    return text;
}

static int is_same_text(const trial *t, const char *dry, const char *real)
{
    json *a;
    json *b;
    int same = strcmp(dry, real) == 0;

    if (same || t->is_text_the_same)
        return same;
    a = json_parse(dry, strlen(dry), NULL);
    b = json_parse(real, strlen(real), NULL);
    same = a != NULL && b != NULL && json_is_same(a, b) && json_is_same(b, a);
    json_free(a);
    json_free(b);
    return same;
}

static void compare(trial *t, const bb_result *dry, const bb_result *real, const char *body)
{
    char *text = without_new_ids(t, bb_result_body(real, NULL));

    CHECK_MSG(bb_result_http_status(dry) == bb_result_http_status(real), "%d, in earnest %d: %s",
              (int)bb_result_http_status(dry), (int)bb_result_http_status(real), body);
    CHECK_MSG(is_same_text(t, bb_result_body(dry, NULL), text), "%s\n%s\nin earnest %s", body,
              bb_result_body(dry, NULL), text);
    CHECK(bb_result_entries(dry) == bb_result_entries(real));
    for (size_t i = 0; i < bb_result_entries(real); i++)
        CHECK_MSG(bb_result_outcome(dry, i) == bb_result_outcome(real, i), "entry %zu: %s", i,
                  body);
    t->has_wasted |= bb_result_http_status(real) != 200;
    free(text);
}

/* ------------------------------------------------------------------------------------- a trial */

static bb_result *send(trial *t, const bb_request *request, uint64_t ids)
{
    t->ids = ids;
    return bb_contacts_upsert(t->endpoint.contacts, request);
}

static void try_batch(trial *t)
{
    char before[MAX_STATE];
    char after[MAX_STATE];
    test_text body = {0};
    bb_request request;
    bb_result *dry;
    bb_result *real;
    uint64_t ids = 1 + test_random(&t->seed, 1000000000);

    append_batch(t, &body);
    request = test_request(body.data, body.len);
    request.custom_attributes = (int32_t)(1 + test_random(&t->seed, 2));
    request.dry_run = 1;
    t->now += (int64_t)(test_random(&t->seed, 2));
    if (!state_of(t, before))
        return;
    dry = send(t, &request, ids);
    if (state_of(t, after))
        CHECK_MSG(strcmp(before, after) == 0, "%s, then %s, after %s", before, after, body.data);
    request.dry_run = 0;
    real = send(t, &request, ids);
    compare(t, dry, real, body.data);
    bb_result_free(dry);
    bb_result_free(real);
    free(body.data);
}

static uint32_t batches(void)
{
    const char *set = getenv("BB_TEST_BATCHES"); // NOLINT(concurrency-mt-unsafe): no thread yet

    return set != NULL ? (uint32_t)strtoul(set, NULL, 10) : test_times(BATCHES);
}

static int open_trial(trial *t, const char *backend)
{
    const char *way = getenv("BB_TEST_POSTGRES_WRITE"); // NOLINT(concurrency-mt-unsafe)
    bb_config config;

    memset(t, 0, sizeof *t);
    t->seed = test_seed();
    t->ids = 1; /* from 0 on the generator makes nothing but zeros */
    t->now = 1700000000;
    t->is_text_the_same = way == NULL || strcmp(way, "citus") != 0;
    bb_config_init(&config);
    config.clock = clock_of_trial;
    config.clock_ctx = t;
    config.random = random_of_trial;
    config.random_ctx = t;
    config.max_entry_bytes = 150; /* two of the long ones go beyond it */
    return test_endpoint_open(&t->endpoint, backend, &config);
}

/* So that there is a store to look at. */
static void store_first(trial *t)
{
    static const char first[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    bb_result *result = test_send(&t->endpoint, first, sizeof first - 1);
    json *body;
    const json *data = test_data(result, &body);

    if (CHECK(json_count(data) == 1))
        t->last_id = test_contact_number(json_at(data, 0));
    json_free(body);
    bb_result_free(result);
}

static void test_A6_dry_and_then_in_earnest(trial *t)
{
    uint32_t count = batches();

    store_first(t);
    for (uint32_t i = 0; i < count && check_failures() == 0; i++)
        try_batch(t);
}

int main(int argc, char **argv)
{
    static trial t;
    int status = open_trial(&t, argc > 1 ? argv[1] : "memory");

    if (status != 0)
        return status;
    CHECK_TEST(test_A6_dry_and_then_in_earnest(&t));
    test_endpoint_close(&t.endpoint);
    return check_status();
}
