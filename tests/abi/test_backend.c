/*
 * test_backend.c: an author's backend of one version, under a library of another.
 *
 * It keeps one contact. With any version it gets each request's record and hands back the contact;
 * CMakeLists.txt lists the versions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "bb_contacts/storage.h"

/* Structs that a backend is given reach at least to the end of version 0.1. */
enum { RECORD_0_1 = 112, ACCESS_0_1 = 56, WRITE_0_1 = 48, GROUP_0_1 = 48, KEY_0_1 = 48 };

typedef struct store {
    char name[50]; /* of the one contact; "" if there is none */
    int key_is_known;
    size_t groups;
} store;

static int32_t session_open(void *ctx, int64_t deadline, void **session, bb_error *error)
{
    (void)deadline;
    (void)error;
    *session = ctx;
    return BB_OK;
}

static void session_close(void *session)
{
    (void)session;
}

static int32_t authorize(void *session, const bb_access *access, bb_error *error)
{
    const store *s = session;

    assert_true(access->size >= ACCESS_0_1);
    assert_int_equal(access->workspace_id, 7);
    if (access->chatbot_id == 2)
        return bb_error_set(error, BB_ERR_INTERNAL, "chatbot %d", 2);
    return s->key_is_known ? BB_OK : BB_ERR_UNKNOWN_KEY;
}

static bb_contact contact_of(const store *s)
{
    bb_contact contact = {.size = sizeof contact,
                          .id = 1,
                          .created_at_us = 1000000,
                          .updated_at_us = 2000000,
                          .external_id = {"one", 3},
                          .name = {s->name, strlen(s->name)},
                          .stripe_accounts = {"[]", 2},
                          .custom_attributes = {"{}", 2}};

#ifdef BB_TEST_OF_A_VERSION_TO_COME
    contact.of_a_version_to_come = 1; /* the library does without this */
#endif
    return contact;
}

static int32_t write_one(void *session, const bb_write *write, bb_error *error)
{
    store *s = session;
    const bb_record *record = write->records[0];
    bb_contact before = contact_of(s);
    bb_contact after;
    char name[sizeof s->name];
    int existed = s->name[0] != '\0';
    int32_t code = authorize(session, write->access, error);

    if (code != BB_OK)
        return code;
    assert_true(write->size >= WRITE_0_1 && record->size >= RECORD_0_1);
    assert_int_equal(write->record_count, 1);
    snprintf(name, sizeof name, "%s", s->name);
    before.name.data = name;
    snprintf(s->name, sizeof s->name, "%.*s", (int)record->name.len, record->name.data);
    after = contact_of(s);
    return write->put(write->put_ctx, 0, existed ? BB_UPDATED : BB_CREATED, &after,
                      existed && (record->flags & BB_RECORD_WANT_BEFORE) != 0 ? &before : NULL);
}

static int32_t write_group(void *session, const bb_write_group *group, bb_error *error)
{
    store *s = session;

    assert_true(group->size >= GROUP_0_1);
    for (size_t i = 0; i < group->write_count; i++)
        group->codes[i] = write_one(session, group->writes[i], error);
    s->groups++;
    return BB_OK;
}

static int32_t key_add(void *session, const bb_key_record *key, int64_t deadline, bb_error *error)
{
    store *s = session;

    (void)deadline;
    (void)error;
    assert_true(key->size >= KEY_0_1);
    assert_int_equal(key->workspace_id, 7);
    s->key_is_known = 1;
    return BB_OK;
}

static const bb_storage_vtable table = {.size = sizeof table,
                                        .version = BB_STORAGE_VERSION,
                                        .flags = BB_STORAGE_ORDERED_GROUPS,
                                        .name = "of another version",
                                        .session_open = session_open,
                                        .session_close = session_close,
                                        .authorize = authorize,
                                        .write = write_one,
                                        .key_add = key_add,
                                        .write_group = write_group};

static bb_result *send(bb_contacts *contacts, const char *chatbot, const char *body)
{
    bb_principal principal;
    bb_request request;

    bb_principal_init(&principal);
    principal.workspace_id = 7;
    bb_request_init(&request);
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
    request.principal = &principal;
    request.body = body;
    request.body_len = strlen(body);
    return bb_contacts_upsert(contacts, &request);
}

static void expect(bb_contacts *contacts, const char *chatbot, const char *body, int32_t status,
                   const char *part)
{
    bb_result *result = send(contacts, chatbot, body);

    assert_int_equal(bb_result_http_status(result), status);
    assert_non_null(strstr(bb_result_body(result, NULL), part));
    bb_result_free(result);
}

static void add_key(bb_storage *storage)
{
    bb_key_options options;
    char key[BB_KEY_SIZE];

    bb_key_options_init(&options);
    options.workspace_id = 7;
    assert_int_equal(bb_storage_key_add(storage, &options, key, sizeof key, 0, NULL), BB_OK);
}

static void test_abi_a_backend_of_another_version(void **state)
{
    store s = {.groups = 0};
    bb_storage *storage;
    bb_contacts *contacts;
    bb_error error;
    bb_stats stats;

    (void)state;
    bb_error_init(&error);
    bb_stats_init(&stats);
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, &error), BB_OK);
    assert_int_equal(bb_storage_migrate(storage, 0, &error), BB_OK);
    assert_int_equal(bb_storage_chatbot_add(storage, 1, 7, 0, &error), BB_ERR_UNSUPPORTED);
    assert_int_equal(error.code, BB_ERR_UNSUPPORTED);
    assert_true(error.message[0] != '\0');
    assert_int_equal(bb_contacts_open(storage, NULL, &contacts, &error), BB_OK);
    expect(contacts, "1", "{\"users\":[{\"external_id\":\"one\"}]}", 401, "Invalid API key.");
    add_key(storage);
    expect(contacts, "1", "{\"users\":[{\"external_id\":\"one\",\"name\":\"Ann\"}]}", 200,
           "\"name\":\"Ann\"");
    /* twice, so that the library asks for the contact as it was */
    expect(contacts, "1",
           "{\"users\":[{\"external_id\":\"one\",\"name\":\"Eve\"},"
           "{\"external_id\":\"one\",\"name\":\"Bea\"}]}",
           200, "\"name\":\"Bea\"");
    expect(contacts, "2", "{\"users\":[{\"external_id\":\"one\"}]}", 500, "Internal server error");
    assert_int_equal(bb_contacts_stats(contacts, &stats), BB_OK);
    assert_int_equal(stats.requests[BB_STATUS_SUCCESS], 2);
    assert_int_equal(stats.contacts[BB_CREATED], 1);
    assert_int_equal(stats.contacts[BB_UPDATED], 2);
    assert_int_equal(stats.size, sizeof stats);
    bb_contacts_close(contacts);
    bb_storage_close(storage);
}

/* ------------------------------------------------------------------------------------- groups */

enum { SUBMITTED = 20 };

static void count_answer(void *ctx, bb_result *result)
{
    size_t *stored = ctx;

    *stored += bb_result_http_status(result) == 200; /* one worker: one at a time */
    bb_result_free(result);
}

static void test_abi_groups_of_a_backend_of_another_version(void **state)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"one\",\"name\":\"Ann\"}]}";
    store s = {.key_is_known = 1};
    size_t stored = 0;
    bb_principal principal;
    bb_storage *storage;
    bb_contacts *contacts;
    bb_request request;
    bb_config config;

    (void)state;
    bb_principal_init(&principal);
    principal.workspace_id = 7;
    bb_request_init(&request);
    request.chatbot_id = "1";
    request.chatbot_id_len = 1;
    request.principal = &principal;
    request.body = body;
    request.body_len = sizeof body - 1;
    bb_config_init(&config);
    config.workers = 1;
    config.timeout_ms = 60000;
    assert_int_equal(bb_storage_new(&table, &s, NULL, &storage, NULL), BB_OK);
    assert_int_equal(bb_contacts_open(storage, &config, &contacts, NULL), BB_OK);
    for (int i = 0; i < SUBMITTED; i++)
        assert_null(bb_contacts_submit(contacts, &request, count_answer, &stored, NULL));
    bb_contacts_close(contacts); /* once all have been answered */
    assert_int_equal(stored, SUBMITTED);
    printf("%zu groups\n", s.groups);
    bb_storage_close(storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abi_a_backend_of_another_version),
        cmocka_unit_test(test_abi_groups_of_a_backend_of_another_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
