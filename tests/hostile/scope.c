/*
 * scope.c: nobody reads or changes a contact of a chatbot to which he may not write (B3, B4): every
 * caller with every chatbot id, and two workspaces with the same external ids at once.
 *
 *     test_hostile_scope BACKEND
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The chatbots that there are; 13 is archived. */
typedef struct chatbot {
    int64_t id;
    int64_t workspace;
    const char *segment;
    char name[32]; /* what the name of its contact must be */
} chatbot;

static chatbot chatbots[] = {
    {11, 1, "11", ""},
    {12, 1, "12", ""},
    {13, 1, "13", ""},
    {21, 2, "21", ""},
    {INT64_MAX, 2, "9223372036854775807", ""},
};

enum { ARCHIVED = 2 };

/* A caller: a key, or a principal if `key` is NULL. */
typedef struct caller {
    const char *key;
    int64_t workspace;
    int64_t only; /* chatbot, or 0 */
    int is_good;
} caller;

static const caller callers[] = {
    {"oc_test_workspace1", 1, 0, 1},
    {"oc_test_only11", 1, 11, 1},
    {"oc_test_only13", 1, 13, 1},
    {"oc_test_workspace2", 2, 0, 1},
    {"oc_test_only21", 2, 21, 1},
    {"oc_test_revoked", 1, 0, 0},
    {"oc_test_expired", 2, 0, 0},
    {"oc_test_unknown", 0, 0, 0},
    {"oc_test_workspace", 0, 0, 0},
    {"oc_test_workspace11", 0, 0, 0},
    {"OC_test_workspace1", 0, 0, 0},
    {"oc_TEST_workspace1", 0, 0, 0},
    {NULL, 1, 0, 1},
    {NULL, 2, 0, 1},
    {NULL, 1, 12, 1},
    {NULL, 2, 12, 1}, /* limited to a chatbot of another workspace */
    {NULL, 3, 0, 1},
    {NULL, 0, 0, 1},
    {NULL, -1, 0, 1},
    {NULL, INT64_MIN, INT64_MIN, 1},
    {NULL, INT64_MAX, 0, 1},
    {NULL, 1, -1, 1},
    {NULL, 1, INT64_MAX, 1},
    {NULL, 0, 11, 1},
};

/* Segments that name no chatbot, whoever asks, however close they are to one that does. */
static const char *const odd_segments[] = {
    "",
    "0",
    "-11",
    "+11",
    " 11",
    "11 ",
    "11\n",
    "1 1",
    "11.0",
    "1e1",
    "0x0b",
    "11/",
    "11/../21",
    "..",
    "11,21",
    "11;21",
    "11%00",
    "%31%31",
    "null",
    "*",
    "' OR 1=1 --",
    "9223372036854775808",
    "18446744073709551627",
    "36893488147419103243",
    "11\xC2\xA0",
    "\xD9\xA1\xD9\xA1",
    "eleven",
    "100000000000000000000000000000000000000000000000000000000000000000000000000000000011",
};

static void make_tenants(const test_store *store)
{
    for (size_t i = 0; i < COUNT(chatbots); i++)
        CHECK_MSG(bb_storage_chatbot_add(store->storage, chatbots[i].id, chatbots[i].workspace,
                                         TEST_PATIENCE_MS, NULL) == BB_OK,
                  "chatbot %s", chatbots[i].segment);
    for (size_t i = 0; i < COUNT(callers) && callers[i].key != NULL; i++) {
        bb_key_options key;
        bb_key_options_init(&key);
        key.workspace_id = callers[i].workspace;
        key.chatbot_id = callers[i].only;
        key.token = callers[i].key;
        key.token_len = strlen(callers[i].key);
        key.expires_at = strstr(callers[i].key, "expired") != NULL;
        if (key.workspace_id > 0)
            CHECK_MSG(bb_storage_key_add(store->storage, &key, NULL, 0, TEST_PATIENCE_MS, NULL) ==
                          BB_OK,
                      "%s", callers[i].key);
        if (strstr(callers[i].key, "revoked") != NULL)
            CHECK_MSG(bb_storage_key_revoke(store->storage, key.token, key.token_len,
                                            TEST_PATIENCE_MS, NULL) == BB_OK,
                      "%s", callers[i].key);
    }
}

static bb_result *send(bb_contacts *contacts, const caller *who, const char *segment,
                       const char *body)
{
    bb_principal principal;
    bb_request request;
    char header[100];

    bb_principal_init(&principal);
    principal.workspace_id = who->workspace;
    principal.chatbot_id = who->only;
    snprintf(header, sizeof header, "Bearer %s", who->key != NULL ? who->key : "");
    bb_request_init(&request);
    request.chatbot_id = segment;
    request.chatbot_id_len = strlen(segment);
    if (who->key == NULL)
        request.principal = &principal;
    request.authorization = header;
    request.authorization_len = strlen(header);
    request.body = body;
    request.body_len = strlen(body);
    return bb_contacts_upsert(contacts, &request);
}

/* The rightful owner reads every chatbot's contact, by an upsert that sets nothing. */
static void check_contacts(bb_contacts *contacts, const char *after)
{
    for (size_t i = 0; i < COUNT(chatbots); i++) {
        caller owner = {NULL, chatbots[i].workspace, 0, 1};
        bb_result *result;
        json *body;
        const char *name;
        if (i == ARCHIVED)
            continue;
        result =
            send(contacts, &owner, chatbots[i].segment, "{\"users\":[{\"external_id\":\"x\"}]}");
        name = json_text(json_at(test_data(result, &body), 0), "name", "");
        CHECK_MSG(strcmp(name, chatbots[i].name) == 0, "after %s, chatbot %s has %s instead of %s",
                  after, chatbots[i].segment, name, chatbots[i].name);
        json_free(body);
        bb_result_free(result);
    }
}

static int32_t expected_status(const caller *who, const chatbot *bot)
{
    if (!who->is_good)
        return 401;
    if (bot == NULL || bot == &chatbots[ARCHIVED] || bot->workspace != who->workspace)
        return 404;
    return who->only == 0 || who->only == bot->id ? 200 : 404;
}

/* One caller, one segment: writes a name that nobody else has written. */
static void attempt(bb_contacts *contacts, const caller *who, const char *segment, chatbot *bot)
{
    static unsigned number;
    int32_t expected = expected_status(who, bot);
    char body[200];
    char what[200];
    char name[32];
    bb_result *result;

    snprintf(name, sizeof name, "name %u", number++);
    snprintf(what, sizeof what, "%.40s of workspace %lld, only %lld, to '%s'",
             who->key != NULL ? who->key : "a principal", (long long)who->workspace,
             (long long)who->only, segment);
    snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"x\",\"name\":\"%s\"}]}", name);
    result = send(contacts, who, segment, body);
    CHECK_MSG(bb_result_http_status(result) == expected, "%s: %d instead of %d", what,
              bb_result_http_status(result), expected);
    if (expected != 200)
        CHECK_MSG(strlen(bb_result_body(result, NULL)) < 60 && bb_result_entries(result) == 0,
                  "%s: %s", what, bb_result_body(result, NULL));
    else
        snprintf(bot->name, sizeof bot->name, "%s", name);
    bb_result_free(result);
    /* a faulty body gets him the same answer: it tells nothing about how it would have been
     * judged */
    result = send(contacts, who, segment, "{\"users\":[{\"name\":1}]}");
    CHECK_MSG(bb_result_http_status(result) == (expected == 200 ? 400 : expected), "A1: %s: %d",
              what, bb_result_http_status(result));
    bb_result_free(result);
}

static void test_B3_every_caller_and_every_chatbot(bb_contacts *contacts)
{
    for (size_t i = 0; i < COUNT(chatbots); i++) {
        caller owner = {NULL, chatbots[i].workspace, 0, 1};
        attempt(contacts, &owner, chatbots[i].segment, &chatbots[i]);
    }
    for (size_t c = 0; c < COUNT(callers); c++) {
        for (size_t i = 0; i < COUNT(chatbots); i++)
            attempt(contacts, &callers[c], chatbots[i].segment, &chatbots[i]);
        for (size_t i = 0; i < COUNT(odd_segments); i++)
            attempt(contacts, &callers[c], odd_segments[i], NULL);
        check_contacts(contacts, callers[c].key != NULL ? callers[c].key : "a principal");
    }
}

/* ------------------------------------------------------------------- two workspaces at once */

enum { WRITERS = 4, REQUESTS = 50, KEYS = 20 };

typedef struct writer {
    bb_contacts *contacts;
    const chatbot *bot;
    uint32_t requests;
    uint32_t wrong;
} writer;

static int is_foreign(const writer *w, const json *contact)
{
    return strcmp(json_text(contact, "name", ""), w->bot->segment) != 0 ||
           strcmp(json_text(contact, "email", w->bot->segment), w->bot->segment) != 0;
}

static void *run_writer(void *arg)
{
    writer *w = arg;
    caller owner = {NULL, w->bot->workspace, 0, 1};
    test_text text = {0};

    for (uint32_t i = 0; i < w->requests; i++) {
        bb_result *result;
        const json *data;
        json *body;
        text.len = 0;
        test_append(&text, "{\"users\":[");
        for (uint32_t k = 0; k < KEYS; k++)
            test_append(&text, "%s{\"external_id\":\"%u\",\"name\":\"%s\"%s%s%s}", k > 0 ? "," : "",
                        (k * 7 + i) % KEYS, w->bot->segment, i % 2 ? ",\"email\":\"" : "",
                        i % 2 ? w->bot->segment : "", i % 2 ? "\"" : "");
        test_append(&text, "]}");
        result = send(w->contacts, &owner, w->bot->segment, text.data);
        data = test_data(result, &body);
        w->wrong += json_count(data) != KEYS;
        for (size_t k = 0; k < json_count(data); k++)
            w->wrong += (uint32_t)is_foreign(w, json_at(data, k));
        json_free(body);
        bb_result_free(result);
    }
    free(text.data);
    return NULL;
}

static void test_B3_two_workspaces_write_the_same_external_ids(bb_contacts *contacts)
{
    pthread_t threads[2 * WRITERS];
    writer writers[2 * WRITERS];
    int started = 0;

    for (int i = 0; i < 2 * WRITERS; i++) {
        writers[i] = (writer){contacts, &chatbots[i % 2 == 0 ? 0 : 3], test_times(REQUESTS), 0};
        if (pthread_create(&threads[started], NULL, run_writer, &writers[i]) == 0)
            started++;
    }
    CHECK_MSG(started == 2 * WRITERS, "no threads");
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2 * WRITERS; i++)
        CHECK_MSG(writers[i].wrong == 0, "chatbot %s saw %u contacts that are not its own",
                  writers[i].bot->segment, writers[i].wrong);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    bb_contacts *contacts = NULL;
    bb_config config;
    test_store store;
    int status = test_store_open_migrated(&store, backend);

    if (status != 0)
        return status;
    bb_config_init(&config);
    config.timeout_ms = 60000;
    CHECK_MSG(test_open_contacts(store.storage, &config, &contacts, NULL) == BB_OK, "opening");
    make_tenants(&store);
    CHECK_MSG(bb_storage_chatbot_archive(store.storage, chatbots[ARCHIVED].id, 1, TEST_PATIENCE_MS,
                                         NULL) == BB_OK,
              "archiving");
    CHECK_TEST(test_B3_every_caller_and_every_chatbot(contacts));
    CHECK_TEST(test_B3_two_workspaces_write_the_same_external_ids(contacts));
    bb_contacts_close(contacts);
    test_store_close(&store);
    return check_status();
}
