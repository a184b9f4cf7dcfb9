/*
 * odd.c: hosts that ask for odd things: times, sizes, clocks, randomness, idempotency keys. Each
 * answer is one that the contract lists, and the handle goes on.
 *
 *     test_hostile_odd BACKEND
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/wait.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int64_t now_us = INT64_C(1700000000000000);
static int random_fails;
static unsigned char random_byte = 1;

static int64_t set_clock(void *ctx)
{
    (void)ctx;
    return now_us;
}

/* The same bytes every time, though the host says that nobody can guess them. */
static int32_t set_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, random_byte, len);
    return random_fails ? -1 : 0;
}

static bb_result *send(bb_contacts *contacts, const char *body, int64_t timeout_ms,
                       const char *idempotency_key, size_t key_len)
{
    bb_request request = test_request(body, strlen(body));

    request.timeout_ms = timeout_ms;
    request.idempotency_key = idempotency_key;
    request.idempotency_key_len = key_len;
    return bb_contacts_upsert(contacts, &request);
}

static int32_t status_of(bb_contacts *contacts, const char *body)
{
    bb_result *result = send(contacts, body, 0, NULL, 0);
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

/* ----------------------------------------------------------------------------------- times */

/* The shortest may pass before the work is done. None is an error, and none waits for ever. */
static void test_E11_timeouts(bb_contacts *contacts)
{
    static const int64_t timeouts[] = {
        INT64_MIN,     -1,       0, 1, TEST_PATIENCE_MS, INT32_MAX, (int64_t)INT32_MAX + 1,
        INT64_MAX - 1, INT64_MAX};

    for (size_t i = 0; i < COUNT(timeouts); i++) {
        bb_result *result =
            send(contacts, "{\"users\":[{\"external_id\":\"t\"}]}", timeouts[i], NULL, 0);
        int32_t status = bb_result_http_status(result);
        CHECK_MSG(status == 200 || (timeouts[i] == 1 && status == 503), "timeout %lld: %d",
                  (long long)timeouts[i], status);
        bb_result_free(result);
    }
}

/* Someone else holds a lock: the request's deadline is kept, not the handle's. */
static void test_E11_deadlines_while_locked(const test_store *store, bb_contacts *contacts)
{
    void *lock = test_store_lock(store);
    int64_t start = test_now_ms();
    bb_result *result;

    if (lock == NULL) /* memory */
        return;
    result = send(contacts, "{\"users\":[{\"external_id\":\"t\",\"name\":\"n\"}]}", 300, NULL, 0);
    CHECK_MSG(bb_result_http_status(result) == 503, "%d", bb_result_http_status(result));
    CHECK_MSG(test_now_ms() - start < TEST_PATIENCE_MS / 2, "%lld ms",
              (long long)(test_now_ms() - start));
    bb_result_free(result);
    test_store_unlock(store, lock);
    CHECK_MSG(status_of(contacts, "{\"users\":[{\"external_id\":\"t\"}]}") == 200, "afterwards");
}

/* ---------------------------------------------------------------------------------- clocks */

static void check_times(bb_contacts *contacts, const char *name, int64_t created, int64_t updated)
{
    char body[100];
    bb_result *result;
    const json *contact;
    json *tree;

    snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"clock\",\"name\":\"%s\"}]}", name);
    result = send(contacts, body, 0, NULL, 0);
    contact = json_at(test_data(result, &tree), 0);
    CHECK_MSG(json_integer(contact, "created_at", -2) == created, "%lld at clock %lld",
              (long long)json_integer(contact, "created_at", -2), (long long)now_us);
    CHECK_MSG(json_integer(contact, "updated_at", -2) == updated, "%lld at clock %lld",
              (long long)json_integer(contact, "updated_at", -2), (long long)now_us);
    json_free(tree);
    bb_result_free(result);
}

/* A clock that goes back is believed; one that says no time since 1970 is not. */
static void test_E3_clocks(bb_contacts *contacts)
{
    static const int64_t wrong[] = {0, -1, -1700000000000000, INT64_MIN};

    now_us = INT64_C(1700000000999999);
    check_times(contacts, "a", 1700000000, 1700000000);
    now_us = INT64_C(1600000000000000);
    check_times(contacts, "b", 1700000000, 1600000000);
    now_us = 1;
    check_times(contacts, "c", 1700000000, 0);
    now_us = INT64_C(4102444800000000); /* 2100 */
    check_times(contacts, "d", 1700000000, 4102444800);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        now_us = wrong[i];
        CHECK_MSG(status_of(contacts, "{\"users\":[{\"external_id\":\"clock\"}]}") == 500, "%lld",
                  (long long)now_us);
    }
    now_us = INT64_MAX;
    check_times(contacts, "f", 1700000000, INT64_MAX / 1000000);
    now_us = INT64_C(1700000000000000);
    check_times(contacts, "g", 1700000000, 1700000000);
}

/* ------------------------------------------------------------------------------ randomness */

static void test_D_randomness(bb_contacts *contacts)
{
    bb_result *result;

    random_fails = 1;
    CHECK_MSG(status_of(contacts, "{\"users\":[{}]}") == 500, "an id was made without randomness");
    CHECK_MSG(status_of(contacts, "{\"users\":[{\"external_id\":\"r\"}]}") == 200,
              "none is needed");
    result = send(contacts, "{\"users\":[{}]}", 0, "key", 3);
    CHECK_MSG(bb_result_http_status(result) == 200, "none is needed with an idempotency key");
    bb_result_free(result);
    random_fails = 0;
    random_byte = 0; /* as if nothing had been written */
    CHECK_MSG(status_of(contacts, "{\"users\":[{}]}") == 500, "an id of zeros was made");
    random_byte = 1;
    CHECK_MSG(status_of(contacts, "{\"users\":[{}]}") == 200, "afterwards");
    random_byte = 0xFF;
    CHECK_MSG(status_of(contacts, "{\"users\":[{}]}") == 200, "afterwards");
}

/* ------------------------------------------------------------------------- idempotency keys */

/* Sends one entry without external_id; its id is written to `id`. */
static void made_by(bb_contacts *contacts, const char *key, size_t len, char id[40])
{
    bb_result *result = send(contacts, "{\"users\":[{\"name\":\"i\"}]}", 0, key, len);
    json *tree;
    const json *contact = json_at(test_data(result, &tree), 0);

    snprintf(id, 40, "%s", json_text(contact, "external_id", ""));
    CHECK_MSG(strlen(id) == 36, "an idempotency key of %zu bytes: %s", len, id);
    json_free(tree);
    bb_result_free(result);
}

/* E9: every byte is part of the key, NUL and broken UTF-8 included; keys differ if a byte does. */
static void test_E9_keys_of_any_bytes(bb_contacts *contacts)
{
    static char ids[256][40];
    char key[256];
    char again[40];

    for (int byte = 0; byte < 256; byte++) {
        key[0] = 'k';
        key[1] = (char)byte;
        key[2] = '\0';
        made_by(contacts, key, 3, ids[byte]);
        for (int other = 0; other < byte; other++)
            CHECK_MSG(strcmp(ids[byte], ids[other]) != 0, "bytes %d and %d", byte, other);
    }
    made_by(contacts, key, 3, again);
    CHECK_MSG(strcmp(again, ids[255]) == 0, "a key again: %s", again);
    made_by(contacts, key, 2, again);
    CHECK_MSG(strcmp(again, ids[255]) != 0, "a shorter key: %s", again);
    memset(key, 0, sizeof key);
    made_by(contacts, key, 255, again);
    CHECK_MSG(bb_result_http_status(send(contacts, "{\"users\":[{}]}", 0, key, 256)) == 400,
              "256 bytes");
    CHECK_MSG(bb_result_http_status(send(contacts, "{\"users\":[{}]}", 0, key, SIZE_MAX)) == 400,
              "SIZE_MAX bytes");
}

/* --------------------------------------------------------------------------- sizes and limits */

static int32_t open_with(bb_storage *storage, const bb_config *config, bb_contacts **contacts)
{
    *contacts = NULL;
    return bb_contacts_open(storage, config, contacts, NULL);
}

/* The smallest and the largest limits; none overflows anything. */
static void test_C7_odd_limits(bb_storage *storage)
{
    static const char body[] =
        "{\"users\":[{\"external_id\":\"l\",\"custom_attributes\":{\"a\":[]}}]}";
    bb_contacts *contacts;
    bb_config config;

    bb_config_init(&config);
    config.max_body_bytes = 1;
    config.max_entry_bytes = 1;
    config.max_depth = 1;
    config.max_sessions = 1;
    config.timeout_ms = INT64_MAX;
    CHECK_MSG(open_with(storage, &config, &contacts) == BB_OK, "the smallest");
    CHECK_MSG(status_of(contacts, body) == 413, "a byte");
    CHECK_MSG(status_of(contacts, "") == 400, "no byte");
    bb_contacts_close(contacts);
    config.max_body_bytes = 1 << 30;
    CHECK_MSG(open_with(storage, &config, &contacts) == BB_OK, "a large body");
    CHECK_MSG(status_of(contacts, body) == 400, "a small entry");
    bb_contacts_close(contacts);
    config.max_entry_bytes = 1 << 30;
    config.max_depth = 2;
    CHECK_MSG(open_with(storage, &config, &contacts) == BB_OK, "a large entry");
    CHECK_MSG(status_of(contacts, body) == 200, "two levels");
    bb_contacts_close(contacts);
}

/* Structs whose size is that of no version: they are refused, and nothing but the size is read. */
static void test_abi_odd_sizes(bb_storage *storage, bb_contacts *contacts)
{
    static const size_t odd[] = {0, 1, 8, offsetof(bb_request, timeout_ms), SIZE_MAX / 2, SIZE_MAX};
    bb_contacts *other;
    bb_request request;
    bb_principal principal;
    bb_config config;

    bb_principal_init(&principal);
    principal.workspace_id = 1;
    for (size_t i = 0; i < COUNT(odd); i++) {
        bb_request_init(&request);
        request.size = odd[i];
        CHECK_MSG(bb_result_http_status(bb_contacts_upsert(contacts, &request)) == 500, "%zu",
                  odd[i]);
        CHECK_MSG(bb_result_http_status(bb_contacts_authorize(contacts, &request)) == 500, "%zu",
                  odd[i]);
        bb_config_init(&config);
        config.size = odd[i] != sizeof config ? odd[i] : 0;
        CHECK_MSG(open_with(storage, &config, &other) == BB_ERR_ARGUMENT, "%zu", odd[i]);
    }
    bb_request_init(&request);
    request.principal = &principal;
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    CHECK_MSG(bb_result_http_status(bb_contacts_upsert(contacts, &request)) == 400, "no body");
    principal.size = 1;
    CHECK_MSG(bb_result_http_status(bb_contacts_upsert(contacts, &request)) == 500,
              "a principal of 1");
    principal.size = SIZE_MAX;
    CHECK_MSG(bb_result_http_status(bb_contacts_upsert(contacts, &request)) == 500, "SIZE_MAX");
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    request.body = NULL;
    request.body_len = SIZE_MAX;
    CHECK_MSG(bb_result_http_status(bb_contacts_upsert(contacts, &request)) == 413,
              "SIZE_MAX bytes");
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    test_endpoint endpoint;
    bb_config config;
    int status;

    bb_config_init(&config);
    config.clock = set_clock;
    config.random = set_random;
    status = test_endpoint_open(&endpoint, backend, &config); /* log is NULL */
    if (status != 0)
        return status;
    CHECK_TEST(test_E11_timeouts(endpoint.contacts));
    CHECK_TEST(test_E11_deadlines_while_locked(&endpoint.store, endpoint.contacts));
    CHECK_TEST(test_E3_clocks(endpoint.contacts));
    CHECK_TEST(test_D_randomness(endpoint.contacts));
    CHECK_TEST(test_E9_keys_of_any_bytes(endpoint.contacts));
    CHECK_TEST(test_C7_odd_limits(endpoint.store.storage));
    CHECK_TEST(test_abi_odd_sizes(endpoint.store.storage, endpoint.contacts));
    test_endpoint_close(&endpoint);
    return check_status();
}
