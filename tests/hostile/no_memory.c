/*
 * no_memory.c: whole requests over a backend while memory runs out: the n-th allocation fails, once
 * or with all later ones, for every n until the request succeeds (A2, A3, E11).
 *
 *     test_hostile_no_memory BACKEND
 *
 * It reaches the allocations of the library, cJSON and SQLite. libpq takes its own from malloc,
 * which this does not reach.
 */
#include <cjson/cJSON.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef BB_WITH_SQLITE
#include <sqlite3.h>
#endif

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

/* Tries each n-th number for n = stride: every one if that is quick, or in a long run. */
static size_t stride = 1;
static size_t admin_stride = 1;

/* ------------------------------------------------------------------------ memory that runs out */

/* Each owner of allocations has an account, and all share one count. */
typedef struct account {
    atomic_size_t blocks;
} account;

static account core_account;
static account storage_account;
static account cjson_account;

static atomic_size_t calls;
static atomic_size_t fail_at; /* 0: none */
static atomic_int fails_on;   /* and all that come after it */

typedef union block {
    size_t size;
    max_align_t alignment;
} block;

static int fails(void)
{
    size_t call = ++calls;

    return fail_at != 0 && (call == fail_at || (fails_on && call > fail_at));
}

static void fail_from(size_t n, int on)
{
    calls = 0;
    fail_at = n;
    fails_on = on;
}

static void *take(void *ctx, size_t size)
{
    block *made = fails() ? NULL : malloc(sizeof *made + size);

    if (made == NULL)
        return NULL;
    made->size = size;
    ((account *)ctx)->blocks++;
    return made + 1;
}

static void give(void *ctx, void *ptr)
{
    if (ptr == NULL)
        return;
    ((account *)ctx)->blocks--;
    free((block *)ptr - 1);
}

static void *take_again(void *ctx, void *ptr, size_t old_size, size_t size)
{
    block *old = (block *)ptr - 1;
    block *made;

    (void)ctx;
    CHECK_MSG(old->size == old_size, "realloc is told %zu bytes", old_size);
    if (fails())
        return NULL;
    made = realloc(old, sizeof *made + size);
    if (made == NULL)
        return NULL;
    made->size = size;
    return made + 1;
}

static void *cjson_take(size_t size)
{
    return take(&cjson_account, size);
}

static void cjson_give(void *ptr)
{
    give(&cjson_account, ptr);
}

static size_t sqlite_failures;

#ifdef BB_WITH_SQLITE
static sqlite3_mem_methods sqlite_memory;

static int sqlite_fails(void)
{
    int is_to_fail = fails();

    sqlite_failures += is_to_fail != 0;
    return is_to_fail;
}

static void *sqlite_take(int size)
{
    return sqlite_fails() ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_take_again(void *ptr, int size)
{
    return sqlite_fails() ? NULL : sqlite_memory.xRealloc(ptr, size);
}

/* Before SQLite is used for the first time. */
static void let_sqlite_fail(void)
{
    sqlite3_mem_methods failing;

    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
    failing = sqlite_memory;
    failing.xMalloc = sqlite_take;
    failing.xRealloc = sqlite_take_again;
    CHECK_MSG(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) == SQLITE_OK, "sqlite3_config");
    /* SQLite's own pool for small allocations would keep most of them from failing */
    CHECK_MSG(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK, "sqlite3_config");
    CHECK_MSG(sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0) == SQLITE_OK, "sqlite3_config");
}
#endif

/* ------------------------------------------------------------------------------- the endpoint */

typedef struct host {
    test_store store; /* the place; its storage is closed */
    bb_storage *storage;
    bb_contacts *contacts;
} host;

static int32_t open_storage(const test_store *place, bb_storage **storage)
{
    bb_allocator allocator = {&storage_account, take, take_again, give};
    bb_storage_options options;
    char path[300];

    bb_storage_options_init(&options);
    options.allocator = &allocator;
    if (strcmp(place->backend, "memory") == 0)
        return bb_storage_open_memory(&options, storage, NULL);
    if (strcmp(place->backend, "postgres") == 0)
        return bb_storage_open_postgres(place->place, strlen(place->place), &options, storage,
                                        NULL);
    snprintf(path, sizeof path, "%s/contacts.db", place->place);
    return bb_storage_open_sqlite(path, strlen(path), &options, storage, NULL);
}

static bb_result *send(const host *h, const char *body)
{
    test_endpoint endpoint = {h->store, h->contacts};

    return test_send(&endpoint, body, strlen(body));
}

static int open_host(host *h, const char *backend)
{
    bb_allocator allocator = {&core_account, take, take_again, give};
    bb_config config;
    int status;

    memset(h, 0, sizeof *h);
    status = test_store_open_migrated(&h->store, backend);
    if (status != 0)
        return status;
    bb_storage_close(h->store.storage);
    h->store.storage = NULL;
    bb_config_init(&config);
    config.allocator = &allocator;
    CHECK_MSG(open_storage(&h->store, &h->storage) == BB_OK, "opening the storage");
    CHECK_MSG(bb_storage_chatbot_add(h->storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK,
              "adding the chatbot");
    CHECK_MSG(test_open_contacts(h->storage, &config, &h->contacts, NULL) == BB_OK, "opening");
    bb_result_free(send(h, "{}")); /* after it, the handle has what it keeps */
    return check_status();
}

static void close_host(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    test_store_close(&h->store);
    CHECK_MSG(core_account.blocks == 0, "%zu blocks of the core's leak", core_account.blocks);
    CHECK_MSG(storage_account.blocks == 0, "%zu of the storage's", storage_account.blocks);
    CHECK_MSG(cjson_account.blocks == 0, "%zu of cJSON's", cjson_account.blocks);
#ifdef BB_WITH_SQLITE
    CHECK_MSG(sqlite3_memory_used() == 0, "%lld bytes of SQLite's",
              (long long)sqlite3_memory_used());
#endif
}

/* The number of contacts whose email is like this; -1 where there is no SQL to ask by. */
static int count_contacts(const host *h, const char *email)
{
    char sql[200];
    char count[24] = "";

    if (strcmp(h->store.backend, "memory") == 0)
        return -1;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE coalesce(email, '') LIKE '%s'",
             strcmp(h->store.backend, "sqlite") == 0 ? "bb_contacts" : "bb_contacts.contacts",
             email);
    if (test_store_sql(&h->store, sql, count, sizeof count) != 0)
        return -2;
    return (int)strtol(count, NULL, 10);
}

/* ------------------------------------------------------------------------------------ the loop */

enum { MADE = 21 }; /* contacts that a body below makes, each with an email */

/* Escapes, duplicates, generated ids, many members, JSON to be compared. */
static void make_body(test_text *body, const char *domain)
{
    test_append(
        body,
        "{\"us\\u0065rs\":[{\"external_id\":\"dup\",\"email\":\"@%s\",\"custom_attributes\":"
        "{\"a\":1,\"b\":\"\\n\",\"c\":[[[[[[{}]]]]]]}},"
        "{\"external_id\":\"d\\u0075p\",\"custom_attributes\":"
        "{\"c\":[[[[[[ {} ]]]]]],\"b\":\"\\u000a\",\"a\":1.0}}",
        domain);
    for (int i = 0; i < MADE - 1; i++)
        test_append(body,
                    ",{\"external_id\":\"u%d\",\"email\":\"%d@%s\",\"stripe_accounts\":"
                    "[{\"id\":%d,\"n\\u0061me\":\"%s\"}]}",
                    i, i, domain, i, domain);
    test_append(body, "]}");
}

/* After a failure the store has nothing of the request, or, if the backend commits before it hands
 * back, all of it. */
static int is_whole(const host *h, const char *email, int *stored)
{
    int count = count_contacts(h, email);

    if (count < 0) /* the memory backend; test_upsert.c checks that through requests */
        return count == -1;
    if (count == MADE && strcmp(h->store.backend, "postgres") == 0)
        *stored = 1;
    return count == 0 || *stored;
}

/* Undoes a request that succeeded though an allocation failed, as SQLite can do without some. */
static void undo(const host *h, const char *email, const char *before)
{
    const char *table =
        strcmp(h->store.backend, "sqlite") == 0 ? "bb_contacts" : "bb_contacts.contacts";
    char sql[100];

    snprintf(sql, sizeof sql, "DELETE FROM %s", table);
    if (before != NULL)
        bb_result_free(send(h, before));
    else if (strcmp(h->store.backend, "memory") == 0 ||
             test_store_sql(&h->store, sql, NULL, 0) != 0)
        CHECK_MSG(0, "cannot undo");
    CHECK_MSG(count_contacts(h, email) <= 0, "cannot undo");
}

static int has_given_back(void *blocks)
{
    return core_account.blocks <= *(const size_t *)blocks && cjson_account.blocks == 0;
}

/* Sends a body with the n-th allocation failing, for every n until there is none. `before` is a
 * body that stores the contacts as they were; NULL: there were none. `*failures`: requests that
 * failed. */
static bb_result *fail_until(const host *h, const char *body, const char *before, const char *email,
                             int32_t expected, int on, size_t *failures)
{
    size_t blocks = core_account.blocks;
    int stored = 0;

    *failures = 0;
    for (size_t n = 1;; n += stride) {
        bb_result *result;
        int32_t status;
        int reached;
        fail_from(n, on);
        result = send(h, body);
        reached = calls >= n;
        fail_from(0, 0);
        status = bb_result_http_status(result);
        if (status == expected && !reached)
            return result;
        if (status == expected) {
            bb_result_free(result);
            if (status == 200)
                undo(h, email, before);
            continue;
        }
        ++*failures;
        CHECK_MSG(status == 500 || status == 503, "allocation %zu: %d", n, status);
        CHECK_MSG(bb_result_entries(result) == 0, "allocation %zu", n);
        bb_result_free(result);
        CHECK_MSG(test_wait_until(has_given_back, &blocks), /* a worker may be at it */
                  "allocation %zu: %zu blocks instead of %zu", n, core_account.blocks, blocks);
        CHECK_MSG(is_whole(h, email, &stored), "allocation %zu: half of it is stored", n);
        if (check_failures() > 10)
            return NULL;
    }
}

static void expect_200(const host *h, const char *body, int32_t outcome, size_t count)
{
    bb_result *result = send(h, body);

    CHECK_MSG(bb_result_http_status(result) == 200, "%.200s", bb_result_body(result, NULL));
    CHECK_MSG(bb_result_count(result, outcome) == count, "%zu", bb_result_count(result, outcome));
    bb_result_free(result);
}

/* A2: a request that creates, and one that updates, while memory runs out. */
static void test_A2_writing(const char *backend, int on)
{
    test_text first = {0};
    test_text second = {0};
    bb_result *result;
    size_t failures[2];
    host h;

    make_body(&first, "x");
    make_body(&second, "y");
    if (open_host(&h, backend) != 0)
        return;
    result = fail_until(&h, first.data, NULL, "%@x", 200, on, &failures[0]);
    bb_result_free(result);
    expect_200(&h, first.data, BB_UNCHANGED, MADE + 1);
    result = fail_until(&h, second.data, first.data, "%@y", 200, on, &failures[1]);
    bb_result_free(result);
    expect_200(&h, second.data, BB_UNCHANGED, MADE + 1);
    expect_200(&h, first.data, BB_UPDATED, MADE);
    close_host(&h);
    printf("%s, %s: %zu failures while creating, %zu while updating\n", backend,
           on ? "from then on" : "once", failures[0], failures[1]);
    CHECK_MSG(failures[0] > 0 && failures[1] > 0, "nothing failed");
    free(first.data);
    free(second.data);
}

/* A3: a refusal, which is authorized first. */
static void test_A3_refusing(const char *backend, int on)
{
    bb_result *result;
    size_t failures;
    host h;

    if (open_host(&h, backend) != 0)
        return;
    result =
        fail_until(&h, "{\"contacts\":[{\"name\":1},{\"custom_attributes\":{\"n\":\"\\u0000\"}}]}",
                   NULL, "none", 400, on, &failures);
    CHECK_MSG(result != NULL && strstr(bb_result_body(result, NULL), "U+0000") != NULL, "no issue");
    bb_result_free(result);
    close_host(&h);
    printf("%s, %s: %zu failures while refusing\n", backend, on ? "from then on" : "once",
           failures);
    CHECK_MSG(failures > 0, "nothing failed");
}

static int32_t administer(const test_store *place)
{
    bb_storage *storage = NULL;
    bb_key_options key;
    char out[BB_KEY_SIZE];
    int32_t code = open_storage(place, &storage);

    bb_key_options_init(&key);
    key.workspace_id = 1;
    if (code == BB_OK)
        code = bb_storage_migrate(storage, TEST_PATIENCE_MS, NULL);
    if (code == BB_OK)
        code = bb_storage_chatbot_add(storage, 123, 1, TEST_PATIENCE_MS, NULL);
    if (code == BB_OK)
        code = bb_storage_key_add(storage, &key, out, sizeof out, TEST_PATIENCE_MS, NULL);
    if (code == BB_OK)
        code = bb_storage_chatbot_archive(storage, 123, 1, TEST_PATIENCE_MS, NULL);
    if (code == BB_OK)
        code = bb_storage_key_revoke(storage, out, strlen(out), TEST_PATIENCE_MS, NULL);
    bb_storage_close(storage);
    return code;
}

/* The schema, chatbots and keys, while memory runs out: an error, and it works the next time. */
static void test_A3_administering(const char *backend, int on)
{
    size_t failures = 0;
    int reached = 1;

    for (size_t n = 1; reached && check_failures() < 10; n += admin_stride) {
        test_store place;
        int32_t code;
        if (test_store_open(&place, backend) != 0)
            return;
        bb_storage_close(place.storage);
        place.storage = NULL;
        fail_from(n, on);
        code = administer(&place);
        reached = calls >= n;
        fail_from(0, 0);
        failures += code != BB_OK;
        CHECK_MSG(storage_account.blocks == 0, "allocation %zu: a leak", n);
        CHECK_MSG(code == BB_OK || code == BB_ERR_NOMEM || code == BB_ERR_UNAVAILABLE,
                  "allocation %zu: %s", n, bb_code_name(code));
        code = administer(&place);
        CHECK_MSG(code == BB_OK, "after allocation %zu: %s", n, bb_code_name(code));
        test_store_close(&place);
    }
    printf("%s, %s: %zu failures while administering\n", backend, on ? "from then on" : "once",
           failures);
    CHECK_MSG(failures > 0, "nothing failed");
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    cJSON_Hooks hooks = {cjson_take, cjson_give};
    test_store probe;
    int status;

    cJSON_InitHooks(&hooks);
#ifdef BB_WITH_SQLITE
    let_sqlite_fail();
#endif
    status = test_store_open(&probe, backend);
    if (status != 0)
        return status;
    test_store_close(&probe);
    if (strcmp(backend, "memory") != 0 && test_times(100) <= 100)
        admin_stride = 23;
    if (strcmp(backend, "sqlite") == 0 && test_times(100) < 100)
        stride = 7;
    for (int on = 0; on < 2; on++) {
        CHECK_TEST(test_A2_writing(backend, on));
        CHECK_TEST(test_A3_refusing(backend, on));
        CHECK_TEST(test_A3_administering(backend, on));
    }
    CHECK_MSG((strcmp(backend, "sqlite") == 0) == (sqlite_failures > 0),
              "%zu allocations of SQLite's failed", sqlite_failures);
    return check_status();
}
