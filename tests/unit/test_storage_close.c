/*
 * test_storage_close.c: a storage that is closed before the handles on it.
 */
#include "scripted.h"

#include <semaphore.h>

enum { HANDLES = 6 };

static int32_t send(bb_contacts *contacts)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    bb_principal principal;
    bb_request request;
    bb_result *result;
    int32_t status;

    bb_principal_init(&principal);
    principal.workspace_id = 7;
    bb_request_init(&request);
    request.chatbot_id = "42";
    request.chatbot_id_len = 2;
    request.principal = &principal;
    request.body = body;
    request.body_len = sizeof body - 1;
    request.timeout_ms = 60000;
    result = bb_contacts_upsert(contacts, &request);
    status = bb_result_http_status(result);
    bb_result_free(result);
    return status;
}

static bb_contacts *open_handle(bb_storage *storage, uint32_t workers)
{
    bb_contacts *contacts;
    bb_config config;

    bb_config_init(&config);
    config.workers = workers;
    assert_int_equal(bb_contacts_open(storage, &config, &contacts, NULL), BB_OK);
    return contacts;
}

static void test_close_the_last_handle_closes_the_store(void **state)
{
    unit_memory memory;
    bb_contacts *handles[2];
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    unit_memory_init(&memory);
    assert_int_equal(bb_storage_new(&script_table, &s, &memory.allocator, &storage, NULL), BB_OK);
    handles[0] = open_handle(storage, 0);
    handles[1] = open_handle(storage, 2);
    bb_storage_close(storage);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s.store_closed, 0);
        assert_int_equal(send(handles[i]), 200);
        bb_contacts_close(handles[i]);
    }
    assert_int_equal(s.store_closed, 1);
    assert_int_equal(s.closed, s.opened); /* all of its sessions were closed before */
    unit_memory_check(&memory);
    script_destroy(&s);
}

static void test_close_a_storage_that_outlives_its_handles(void **state)
{
    bb_storage *storage;
    script s;

    (void)state;
    script_init(&s);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, &storage, NULL), BB_OK);
    for (int i = 0; i < 3; i++) {
        bb_contacts *contacts = open_handle(storage, 0);
        assert_int_equal(send(contacts), 200);
        bb_contacts_close(contacts);
        assert_int_equal(s.store_closed, 0);
    }
    bb_storage_close(storage);
    assert_int_equal(s.store_closed, 1);
    script_destroy(&s);
}

/* A handle that could not be opened keeps nothing. */
static void test_close_after_handles_that_did_not_open(void **state)
{
    unit_memory memory;
    bb_storage *storage;
    bb_config config;
    script s;
    size_t n = 0;
    int32_t code;

    (void)state;
    script_init(&s);
    unit_memory_init(&memory);
    assert_int_equal(bb_storage_new(&script_table, &s, NULL, &storage, NULL), BB_OK);
    bb_config_init(&config);
    config.allocator = &memory.allocator;
    config.workers = 1;
    do {
        bb_contacts *contacts;
        unit_memory_fail(&memory, ++n, 0);
        code = bb_contacts_open(storage, &config, &contacts, NULL);
        bb_contacts_close(contacts);
    } while (code != BB_OK);
    assert_true(n > 3);
    config.max_depth = 100000;
    assert_int_equal(bb_contacts_open(storage, &config, &(bb_contacts *){NULL}, NULL),
                     BB_ERR_ARGUMENT);
    bb_storage_close(storage);
    assert_int_equal(s.store_closed, 1);
    unit_memory_check(&memory);
    script_destroy(&s);
}

/* --------------------------------------------------------------------------- from many threads */

typedef struct closer {
    sem_t *may_close;
    bb_contacts *contacts;
    bb_storage *storage; /* closes this, if it has no handle */
    pthread_t thread;
} closer;

static void *close_when_told(void *ctx)
{
    closer *c = ctx;

    while (sem_wait(c->may_close) != 0)
        continue;
    if (c->contacts == NULL) {
        bb_storage_close(c->storage);
        return NULL;
    }
    if (send(c->contacts) != 200)
        return c;
    bb_contacts_close(c->contacts);
    return NULL;
}

static void close_in_threads(bb_storage *storage)
{
    closer closers[HANDLES + 1];
    void *failed;
    sem_t may_close;

    assert_int_equal(sem_init(&may_close, 0, 0), 0);
    for (size_t i = 0; i <= HANDLES; i++) {
        closers[i] = (closer){.may_close = &may_close, .storage = storage};
        if (i < HANDLES)
            closers[i].contacts = open_handle(storage, i % 2);
        assert_int_equal(pthread_create(&closers[i].thread, NULL, close_when_told, &closers[i]), 0);
    }
    for (size_t i = 0; i <= HANDLES; i++)
        sem_post(&may_close);
    for (size_t i = 0; i <= HANDLES; i++) {
        pthread_join(closers[i].thread, &failed);
        assert_null(failed);
    }
    sem_destroy(&may_close);
}

static void test_close_in_any_order_from_any_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        bb_storage *storage;
        script s;
        script_init(&s);
        assert_int_equal(bb_storage_new(&script_table, &s, NULL, &storage, NULL), BB_OK);
        close_in_threads(storage);
        assert_int_equal(s.store_closed, 1);
        assert_int_equal(s.closed, s.opened);
        script_destroy(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_the_last_handle_closes_the_store),
        cmocka_unit_test(test_close_a_storage_that_outlives_its_handles),
        cmocka_unit_test(test_close_after_handles_that_did_not_open),
        cmocka_unit_test(test_close_in_any_order_from_any_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
