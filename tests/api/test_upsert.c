/*
 * test_upsert.c: large and random requests through the public API, over one backend.
 *
 *     test_upsert BACKEND
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"
#include "support/way.h"

static const char *backend;

static int open_endpoint(void **state)
{
    test_endpoint *endpoint = calloc(1, sizeof *endpoint);

    *state = endpoint;
    return endpoint != NULL ? test_endpoint_open(endpoint, backend, NULL) : -1;
}

static int close_endpoint(void **state)
{
    test_endpoint_close(*state);
    free(*state);
    return 0;
}

/* Sends a body that must be answered 200; freed with bb_result_free() and json_free(). */
static const json *send_body(const test_endpoint *endpoint, const test_text *body,
                             bb_result **result, json **answer)
{
    const json *data;

    *result = test_send(endpoint, body->data, body->len);
    data = test_data(*result, answer);
    assert_non_null(data);
    return data;
}

/* ------------------------------------------------------------- a thousand contacts and a model */

enum { FIELDS = 5, KNOWN = 500, NEW = 400, ENTRIES = 1000, VALUES = 4 };

static const char *const field_names[FIELDS] = {"name", "email", "phonenumber", "stripe_accounts",
                                                "custom_attributes"};

/* Value n of a field as JSON; 0 is what null makes of it. */
static const char *value_of(int field, uint32_t n)
{
    static const char *const texts[VALUES] = {"null", "\"one\"", "\"two\"", "\"\""};
    static const char *const arrays[VALUES] = {"[]", "[{\"id\":\"cus_1\"}]", "[{},{}]", "[{}]"};
    static const char *const objects[VALUES] = {"{}", "{\"plan\":\"pro\"}", "{\"n\":1.10}",
                                                "{\"a\":{\"b\":[]}}"};

    return (field < 3 ? texts : field == 3 ? arrays : objects)[n];
}

/* A contact as the contract says it must be. */
typedef struct model {
    int exists;
    uint32_t values[FIELDS];
    int64_t number; /* of its id, once that is known */
} model;

typedef struct model_entry {
    uint32_t key;
    uint32_t sent[FIELDS]; /* 0: omitted; 1: null; n: value n - 1 */
    int32_t outcome;
} model_entry;

static model models[KNOWN + NEW];
static model_entry entries[ENTRIES];

static void append_entry(test_text *body, const model_entry *entry)
{
    test_append(body, "%s{\"external_id\":\"key %u\"", body->len > 10 ? "," : "", entry->key);
    for (int i = 0; i < FIELDS; i++) {
        if (entry->sent[i] != 0)
            test_append(body, ",\"%s\":%s", field_names[i],
                        entry->sent[i] == 1 ? "null" : value_of(i, entry->sent[i] - 1));
    }
    test_append(body, "}");
}

/* Applies an entry to its contact and notes what becomes of it (E1, E6). */
static void apply_entry(model_entry *entry)
{
    model *contact = &models[entry->key];

    entry->outcome = contact->exists ? BB_UNCHANGED : BB_CREATED;
    contact->exists = 1;
    for (int i = 0; i < FIELDS; i++) {
        uint32_t value = entry->sent[i] == 0 ? contact->values[i] : entry->sent[i] - 1;
        if (value != contact->values[i] && entry->outcome == BB_UNCHANGED)
            entry->outcome = BB_UPDATED;
        contact->values[i] = value;
    }
}

static void check_contact(const json *contact, model_entry *entry)
{
    model *expected = &models[entry->key];
    char key[32];

    snprintf(key, sizeof key, "key %u", entry->key);
    assert_true(json_is_text(json_member(contact, "external_id"), key));
    for (int i = 0; i < FIELDS; i++) {
        const char *text = value_of(i, expected->values[i]);
        json *value = json_parse(text, strlen(text), NULL);
        assert_true(json_is_same(json_member(contact, field_names[i]), value));
        json_free(value);
    }
    if (expected->number == 0)
        expected->number = test_contact_number(contact);
    assert_int_equal(test_contact_number(contact), expected->number);
}

/* Sends `count` entries and compares the answer with the model. */
static void send_entries(const test_endpoint *endpoint, size_t count)
{
    test_text body = {0};
    bb_result *result;
    json *answer;
    const json *contact;

    test_append(&body, "{\"users\":[");
    for (size_t i = 0; i < count; i++) {
        append_entry(&body, &entries[i]);
        apply_entry(&entries[i]);
    }
    test_append(&body, "]}");
    contact = send_body(endpoint, &body, &result, &answer)->child;
    assert_int_equal(bb_result_entries(result), count);
    for (size_t i = 0; i < count; i++, contact = contact->next) {
        assert_non_null(contact);
        assert_int_equal(bb_result_outcome(result, i), entries[i].outcome);
        check_contact(contact, &entries[i]);
    }
    assert_null(contact);
    bb_result_free(result);
    json_free(answer);
    free(body.data);
}

static void choose_fields(model_entry *entry, uint64_t *random)
{
    for (int i = 0; i < FIELDS; i++)
        entry->sent[i] = test_random(random, VALUES + 1);
}

/* Half of the entries are of known contacts, half of new ones, some twice or more. */
static void choose_entries(uint64_t *random)
{
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t known = test_random(random, KNOWN);
        entries[i].key = i % 2 == 0 ? known : KNOWN + i / 2 % NEW;
        choose_fields(&entries[i], random);
    }
    for (uint32_t i = ENTRIES - 1; i > 0; i--) {
        uint32_t other = test_random(random, i + 1);
        model_entry swapped = entries[i];
        entries[i] = entries[other];
        entries[other] = swapped;
    }
}

/* On a fresh store, n contacts have the numbers 1 to n if only inserts draw them (E4). */
static void check_numbers(void)
{
    static char seen[KNOWN + NEW + 1];
    size_t count = 0;

    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < KNOWN + NEW; i++)
        count += models[i].exists != 0;
    for (size_t i = 0; i < KNOWN + NEW; i++) {
        if (!models[i].exists)
            continue;
        assert_in_range(models[i].number, 1, count);
        assert_int_equal(seen[models[i].number], 0);
        seen[models[i].number] = 1;
    }
}

static void test_E1_E2_E4_E6_thousand_contacts_half_known_with_duplicates(void **state)
{
    uint64_t random = test_seed();

    memset(models, 0, sizeof models);
    for (uint32_t i = 0; i < KNOWN; i++) {
        entries[i].key = i;
        choose_fields(&entries[i], &random);
    }
    send_entries(*state, KNOWN);
    for (int round = 0; round < 3; round++) {
        choose_entries(&random);
        send_entries(*state, ENTRIES);
        check_numbers();
    }
}

/* ------------------------------------------------------------------------------- random values */

static void append_number(test_text *text, uint64_t *random)
{
    uint32_t whole = 1 + test_random(random, 30), fraction = test_random(random, 30);

    if (test_random(random, 2))
        test_append(text, "-");
    test_append(text, "%u", whole == 1 ? 0 : 1 + test_random(random, 9));
    for (uint32_t i = 1; whole > 1 && i < whole; i++)
        test_append(text, "%u", test_random(random, 10));
    for (uint32_t i = 0; i < fraction; i++)
        test_append(text, "%s%u", i == 0 ? "." : "", test_random(random, 10));
    if (test_random(random, 3) == 0)
        test_append(text, "%c%d", test_random(random, 2) ? 'e' : 'E',
                    (int)test_random(random, 800) - 400);
}

static void test_C6_random_numbers_keep_their_value(void **state)
{
    uint64_t random = test_seed() + 1;

    for (uint32_t round = 0; round < test_times(50); round++) {
        test_text numbers = {0}, body = {0};
        bb_result *result;
        json *answer, *sent;
        const json *data;
        for (int i = 0; i < 100; i++) {
            test_append(&numbers, "%s", i == 0 ? "[" : ",");
            append_number(&numbers, &random);
        }
        test_append(&numbers, "]");
        test_append(&body, "{\"users\":[{\"external_id\":\"a\",\"custom_attributes\":{\"n\":%s}}]}",
                    numbers.data);
        data = send_body(*state, &body, &result, &answer);
        sent = json_parse(numbers.data, numbers.len, NULL);
        assert_non_null(sent);
        assert_true(json_is_same(
            json_member(json_member(json_at(data, 0), "custom_attributes"), "n"), sent));
        json_free(sent);
        json_free(answer);
        bb_result_free(result);
        free(numbers.data);
        free(body.data);
    }
}

/* A random character, raw or escaped, to a string in JSON. */
static void append_character(test_text *text, uint64_t *random)
{
    static const uint32_t ends[] = {0x7f, 0x7ff, 0xffff, 0x10ffff};
    uint32_t point = 1 + test_random(random, ends[test_random(random, 4)]);

    if (point >= 0xd800 && point <= 0xdfff)
        point = 0xfffd;
    if (point > 0xffff)
        test_append(text, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
                    0xdc00 + (point & 0x3ff));
    else if (point >= 0x80 && point < 0x800 && test_random(random, 2))
        test_append(text, "%c%c", (int)(0xc0 | point >> 6), (int)(0x80 | (point & 0x3f)));
    else if (point >= 0x20 && point < 0x80 && point != '"' && point != '\\')
        test_append(text, "%c", (int)point);
    else
        test_append(text, "\\u%04X", point);
}

static void test_C5_random_strings_come_back_byte_for_byte(void **state)
{
    uint64_t random = test_seed() + 2;

    for (uint32_t round = 0; round < test_times(50); round++) {
        test_text string = {0}, body = {0};
        bb_result *result;
        json *answer, *sent;
        const json *contact;
        test_append(&string, "\"");
        for (int i = 0; i < 200; i++)
            append_character(&string, &random);
        test_append(&string, "\"");
        test_append(&body, "{\"users\":[{\"external_id\":%s,\"name\":%s,\"email\":%s,", string.data,
                    string.data, string.data);
        test_append(&body, "\"custom_attributes\":{%s:%s}}]}", string.data, string.data);
        contact = json_at(send_body(*state, &body, &result, &answer), 0);
        sent = json_parse(string.data, string.len, NULL);
        assert_non_null(sent);
        assert_true(json_is_same(json_member(contact, "external_id"), sent));
        assert_true(json_is_same(json_member(contact, "name"), sent));
        assert_true(json_is_same(json_member(contact, "email"), sent));
        assert_true(json_is_same(json_member(contact, "custom_attributes")->child, sent));
        assert_string_equal(json_member(contact, "custom_attributes")->child->name, sent->text);
        json_free(sent);
        json_free(answer);
        bb_result_free(result);
        free(string.data);
        free(body.data);
    }
}

/* ----------------------------------------------------------------------------------- the store */

static void test_E5_repeat_writes_no_row(void **state)
{
    const test_endpoint *endpoint = *state;
    test_text body = {0};
    char before[128] = "", after[128] = "";
    bb_result *result;
    json *answer;

    test_append(&body, "{\"users\":[");
    for (int i = 0; i < 100; i++)
        test_append(&body,
                    "%s{\"external_id\":\"%d\",\"name\":\"n\",\"custom_attributes\":{\"n\":1.10}}",
                    i > 0 ? "," : "", i);
    test_append(&body, "]}");
    for (int round = 0; round < 3; round++) {
        send_body(endpoint, &body, &result, &answer);
        assert_int_equal(bb_result_count(result, round == 0 ? BB_CREATED : BB_UNCHANGED), 100);
        json_free(answer);
        bb_result_free(result);
        assert_int_equal(test_store_versions(&endpoint->store, after, sizeof after), 0);
        if (round > 0)
            assert_string_equal(after, before);
        memcpy(before, after, sizeof before);
    }
    free(body.data);
}

static void test_B2_only_the_hash_of_a_key_is_stored(void **state)
{
    const test_endpoint *endpoint = *state;
    const test_store *store = &endpoint->store;
    unsigned char hash[crypto_hash_sha256_BYTES];
    char key[BB_KEY_SIZE];
    const char *random_part;
    bb_key_options options;

    if (strcmp(backend, "memory") == 0)
        skip();
    bb_key_options_init(&options);
    options.workspace_id = 1;
    assert_int_equal(
        bb_storage_key_add(store->storage, &options, key, sizeof key, TEST_PATIENCE_MS, NULL),
        BB_OK);
    random_part = strrchr(key, '_') + 1;
    crypto_hash_sha256(hash, (const unsigned char *)key, strlen(key));
    assert_int_equal(test_store_holds(store, hash, sizeof hash), 1);
    assert_int_equal(test_store_holds(store, key, strlen(key)), 0);
    assert_int_equal(test_store_holds(store, random_part, strlen(random_part)), 0);
    assert_int_equal(test_store_holds(store, "oc_live", 7), 0);
}

/* Sends a request while the store is locked. Returns how long the answer takes, which must not be
 * less than until the deadline. */
static int64_t wait_in_vain(const test_endpoint *endpoint, const bb_request *request)
{
    int64_t start = test_now_ms();
    bb_result *result = test_upsert(endpoint->contacts, request);
    int64_t took = test_now_ms() - start;

    assert_int_equal(bb_result_http_status(result), 503);
    assert_string_equal(bb_result_body(result, NULL), "{\"message\":\"Service unavailable\"}");
    assert_in_range(took, 300, TEST_PATIENCE_MS / 2); /* which is not the handle's deadline */
    bb_result_free(result);
    return took;
}

static void test_E11_busy_past_the_deadline_is_503(void **state)
{
    enum { SOON_MS = 3000, TRIES = 10 };
    static const char body[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    const test_endpoint *endpoint = *state;
    bb_request request = test_request(body, sizeof body - 1);
    int64_t took = INT64_MAX;
    bb_result *result;
    void *lock;

    if (strcmp(backend, "memory") == 0)
        skip();
    request.timeout_ms = 500;
    lock = test_store_lock(&endpoint->store);
    assert_non_null(lock);
    for (int i = 0; i < TRIES && took > SOON_MS; i++) /* a busy machine may be late */
        took = wait_in_vain(endpoint, &request);
    assert_in_range(took, 300, SOON_MS);
    test_store_unlock(&endpoint->store, lock);
    request.timeout_ms = 0;
    result = test_upsert(endpoint->contacts, &request);
    assert_int_equal(bb_result_http_status(result), 200);
    /* A server that gives up later than its client has stored what came last (E9). */
    assert_int_not_equal(bb_result_outcome(result, 0), BB_UPDATED);
    bb_result_free(result);
}

static void test_E11_store_that_cannot_be_reached_is_503(void **state)
{
    static const char nowhere[] = "/nonexistent/folder";
    test_endpoint endpoint = {0};
    char place[64];
    bb_result *result;
    bb_config config;
    int32_t code;

    (void)state;
    if (strcmp(backend, "memory") == 0)
        skip();
    bb_config_init(&config);
    config.timeout_ms = 2000; /* it may use that up */
    if (strcmp(backend, "sqlite") == 0) {
        snprintf(place, sizeof place, "%s/contacts.db", nowhere);
        code = bb_storage_open_sqlite(place, strlen(place), NULL, &endpoint.store.storage, NULL);
    } else {
        snprintf(place, sizeof place, "host=%s user=x dbname=x", nowhere);
        code = bb_storage_open_postgres(place, strlen(place), NULL, &endpoint.store.storage, NULL);
    }
    assert_int_equal(code, BB_OK);
    assert_int_equal(test_open_contacts(endpoint.store.storage, &config, &endpoint.contacts, NULL),
                     BB_OK);
    result = test_send(&endpoint, "{\"users\":[{}]}", 14);
    assert_int_equal(bb_result_http_status(result), 503);
    assert_string_equal(bb_result_body(result, NULL), "{\"message\":\"Service unavailable\"}");
    bb_result_free(result);
    bb_contacts_close(endpoint.contacts);
    bb_storage_close(endpoint.store.storage);
}

/* ------------------------------------------------------------------------- a process that dies */

/* Upserts contact after contact, and reports each once it has been answered 200. */
static void write_until_killed(const test_endpoint *endpoint, int to)
{
    for (uint32_t i = 0;; i++) {
        char body[64];
        int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%u\"}]}", i);
        bb_result *result = test_send(endpoint, body, (size_t)len);
        int ok = bb_result_http_status(result) == 200;
        bb_result_free(result);
        if (!ok || write(to, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

/* Another storage in the same place, as another process would open it. */
static int32_t open_again(const test_store *store, bb_storage **storage)
{
    char path[256];

    if (strcmp(backend, "postgres") == 0)
        return bb_storage_open_postgres(store->place, strlen(store->place), NULL, storage, NULL);
    snprintf(path, sizeof path, "%s/contacts.db", store->place);
    return bb_storage_open_sqlite(path, strlen(path), NULL, storage, NULL);
}

static void run_child(const test_endpoint *parent, int to)
{
    test_endpoint endpoint = {0};

    if (open_again(&parent->store, &endpoint.store.storage) != BB_OK ||
        test_open_contacts(endpoint.store.storage, NULL, &endpoint.contacts, NULL) != BB_OK)
        _exit(1);
    write_until_killed(&endpoint, to);
}

/* What the child has said so far. */
typedef struct answers {
    int from;
    size_t count;
    uint32_t last;
} answers;

/* Takes the next report; 0 if the child has ended, or says nothing for very long. */
static int take_answer(answers *a)
{
    struct pollfd ready = {.fd = a->from, .events = POLLIN};

    if (poll(&ready, 1, TEST_PATIENCE_MS) != 1 ||
        read(a->from, &a->last, sizeof a->last) != sizeof a->last)
        return 0;
    a->count++;
    return 1;
}

/* Lets the child write, and kills it in the middle: some time after a few answers, as nobody knows
 * how soon these come. */
static void kill_while_it_writes(pid_t child, answers *a)
{
    enum { FIRST_ANSWERS = 5, MORE_MS = 100 };
    int status;

    while (a->count < FIRST_ANSWERS && take_answer(a))
        ;
    test_pause_ms(MORE_MS);
    kill(child, SIGKILL);
    while (take_answer(a))
        ;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void test_E8_what_was_answered_outlives_the_process(void **state)
{
    const test_endpoint *endpoint = *state;
    answers answered = {0};
    test_text body = {0};
    bb_result *result;
    json *answer;
    int ends[2];
    pid_t child;

    if (strcmp(backend, "memory") == 0)
        skip();
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_child(endpoint, ends[1]);
    close(ends[1]);
    answered.from = ends[0];
    kill_while_it_writes(child, &answered);
    close(ends[0]);
    assert_true(answered.count > 0 && answered.count == answered.last + 1);
    test_append(&body, "{\"users\":[");
    for (uint32_t i = answered.last < 999 ? 0 : answered.last - 999; i <= answered.last; i++)
        test_append(&body, "%s{\"external_id\":\"%u\"}", body.len > 10 ? "," : "", i);
    test_append(&body, "]}");
    send_body(endpoint, &body, &result, &answer);
    assert_int_equal(bb_result_count(result, BB_UNCHANGED), bb_result_entries(result));
    bb_result_free(result);
    json_free(answer);
    free(body.data);
}

/* ------------------------------------------------------------------------------------- closing */

/* The handle keeps it, whichever backend it is. */
static void test_E8_a_storage_may_be_closed_before_its_handle(void **state)
{
    test_endpoint *endpoint = *state;
    static const char body[] = "{\"users\":[{\"external_id\":\"a\"}]}";

    bb_storage_close(endpoint->store.storage);
    endpoint->store.storage = NULL;
    for (int i = 0; i < 2; i++) {
        bb_result *result = test_send(endpoint, body, sizeof body - 1);
        assert_int_equal(bb_result_outcome(result, 0), i == 0 ? BB_CREATED : BB_UNCHANGED);
        bb_result_free(result);
    }
}

/* ------------------------------------------------------------------------------- no arguments */

static void test_A3_without_arguments_there_is_a_500(void **state)
{
    bb_request request;
    bb_result *result = bb_contacts_upsert(NULL, NULL);

    (void)state;
    assert_int_equal(bb_result_http_status(result), 500);
    assert_string_equal(bb_result_body(result, NULL), "{\"message\":\"Internal server error\"}");
    bb_result_free(result);
    bb_request_init(&request);
    result = bb_contacts_upsert(NULL, &request);
    assert_int_equal(bb_result_http_status(result), 500);
    bb_result_free(result);
    assert_int_equal(bb_result_http_status(NULL), 500);
    assert_int_equal(bb_result_outcome(NULL, 0), -1);
    assert_int_equal(bb_result_entries(NULL), 0);
    bb_result_free(NULL);
    bb_contacts_close(NULL);
    bb_storage_close(NULL);
}

int main(int argc, char **argv)
{
#define ON_FRESH_STORE(test) cmocka_unit_test_setup_teardown(test, open_endpoint, close_endpoint)
    const struct CMUnitTest tests[] = {
        ON_FRESH_STORE(test_E1_E2_E4_E6_thousand_contacts_half_known_with_duplicates),
        ON_FRESH_STORE(test_C6_random_numbers_keep_their_value),
        ON_FRESH_STORE(test_C5_random_strings_come_back_byte_for_byte),
        ON_FRESH_STORE(test_E5_repeat_writes_no_row),
        ON_FRESH_STORE(test_B2_only_the_hash_of_a_key_is_stored),
        ON_FRESH_STORE(test_E11_busy_past_the_deadline_is_503),
        cmocka_unit_test(test_E11_store_that_cannot_be_reached_is_503),
        ON_FRESH_STORE(test_E8_what_was_answered_outlives_the_process),
        ON_FRESH_STORE(test_E8_a_storage_may_be_closed_before_its_handle),
        cmocka_unit_test(test_A3_without_arguments_there_is_a_500),
    };
    test_store store;
    int status;

    backend = argc > 1 ? argv[1] : "memory";
    status = test_store_open(&store, backend);
    if (status != 0)
        return status;
    test_store_close(&store);
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}
