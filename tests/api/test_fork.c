/*
 * test_fork.c: a host that forks while requests are under way, over one backend.
 *
 *     test_fork BACKEND
 *
 * A child has its parent's handles, but not its threads, and must not use its connections. Every
 * use of the handles is answered at once, and the parent never notices.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum { THREADS = 6, CHILDREN = 24, LAST_CHILD = CHILDREN };

typedef struct host {
    test_endpoint endpoint;
    atomic_int is_over;
    atomic_uint answered; /* 200 */
    atomic_uint logged;   /* this process's lines that say that the handle is another process's */
} host;

typedef struct client {
    host *host;
    unsigned number;
    unsigned sent;
} client;

static void count_line(void *ctx, int32_t level, const char *line, size_t len)
{
    host *h = ctx;

    if (level != BB_LOG_ERROR)
        return;
    if (len > 0 && strstr(line, "another process") != NULL)
        atomic_fetch_add(&h->logged, 1);
}

/* ---------------------------------------------------------------------------------- the parent */

static void *run_client(void *arg)
{
    client *c = arg;
    host *h = c->host;

    while (!atomic_load(&h->is_over)) {
        char body[100];
        int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%u-%u\"}]}",
                           c->number, c->sent++);
        bb_result *result = test_send(&h->endpoint, body, (size_t)len);
        if (CHECK_MSG(bb_result_outcome(result, 0) == BB_CREATED, "%s: %s", body,
                      bb_result_body(result, NULL)))
            atomic_fetch_add(&h->answered, 1);
        bb_result_free(result);
    }
    return NULL;
}

/* All that was answered is there, once. */
static void check_store(host *h, const client *clients)
{
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned k = 0; k < clients[i].sent; k += 500) {
            test_text body = {0};
            bb_result *result;
            size_t unchanged;
            size_t count = clients[i].sent - k < 500 ? clients[i].sent - k : 500;
            test_append(&body, "{\"users\":[");
            for (size_t n = 0; n < count; n++)
                test_append(&body, "%s{\"external_id\":\"%u-%zu\"}", n > 0 ? "," : "", i, k + n);
            test_append(&body, "]}");
            result = test_send(&h->endpoint, body.data, body.len);
            unchanged = bb_result_count(result, BB_UNCHANGED);
            bb_result_free(result);
            free(body.data);
            CHECK_MSG(unchanged == count, "%zu of %zu contacts are there", unchanged, count);
        }
    }
}

static void check_file(const host *h)
{
    char found[100] = "";

    if (strcmp(h->endpoint.store.backend, "sqlite") != 0)
        return;
    CHECK(test_store_sql(&h->endpoint.store, "PRAGMA integrity_check", found, sizeof found) == 0);
    CHECK_MSG(strcmp(found, "ok") == 0, "%s", found);
}

/* ----------------------------------------------------------------------------------- the child */

/* A check that ends the child, so that its parent knows. */
#define EXPECT(condition)      \
    do {                       \
        if (!CHECK(condition)) \
            _exit(1);          \
    } while (0)

static void never_done(void *ctx, bb_result *result)
{
    (void)ctx;
    (void)result;
    _exit(2);
}

static void expect_500(host *h, bb_result *result)
{
    EXPECT(bb_result_http_status(result) == 500);
    EXPECT(bb_result_code(result) == BB_ERR_OTHER_PROCESS);
    EXPECT(atomic_exchange(&h->logged, 0) == 1);
    bb_result_free(result);
}

static void send_requests(host *h)
{
    bb_contacts *contacts = h->endpoint.contacts;
    static const char body[] = "{\"users\":[{\"external_id\":\"child\"}]}";
    bb_request request = test_request(body, sizeof body - 1);
    bb_stats stats;
    uint64_t ticket = 1;

    atomic_store(&h->logged, 0);
    expect_500(h, bb_contacts_upsert(contacts, &request));
    expect_500(h, bb_contacts_authorize(contacts, &request));
    expect_500(h, bb_contacts_submit(contacts, &request, never_done, NULL, &ticket));
    expect_500(h, bb_contacts_submit_authorize(contacts, &request, never_done, NULL, &ticket));
    EXPECT(bb_contacts_cancel(contacts, 1) == BB_ERR_ARGUMENT);
    bb_stats_init(&stats);
    EXPECT(bb_contacts_stats(contacts, &stats) == BB_ERR_ARGUMENT);
    EXPECT(bb_contacts_max_body(contacts) > 0);
}

static void administer(bb_storage *storage)
{
    static const char key[] = "oc_test_fork0123456789";
    bb_contacts *contacts = (bb_contacts *)storage;
    bb_key_options options;
    bb_error error;

    bb_error_init(&error);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    options.token = key;
    options.token_len = strlen(key);
    EXPECT(bb_storage_migrate(storage, 0, &error) == BB_ERR_ARGUMENT);
    EXPECT(strstr(error.message, "another process") != NULL);
    EXPECT(bb_storage_chatbot_add(storage, 9, 1, 0, NULL) == BB_ERR_ARGUMENT);
    EXPECT(bb_storage_chatbot_archive(storage, 123, 1, 0, NULL) == BB_ERR_ARGUMENT);
    EXPECT(bb_storage_key_add(storage, &options, NULL, 0, 0, NULL) == BB_ERR_ARGUMENT);
    EXPECT(bb_storage_key_revoke(storage, key, strlen(key), 0, NULL) == BB_ERR_ARGUMENT);
    EXPECT(bb_contacts_open(storage, NULL, &contacts, &error) == BB_ERR_ARGUMENT);
    EXPECT(contacts == NULL);
}

/* As it should be done: the child opens its own. Not with SQLite, whose state of open files the
 * child has inherited; see backends.h. */
static void open_its_own(const host *h)
{
    const test_store *parent = &h->endpoint.store;
    test_endpoint own = {.store = {.backend = parent->backend}};
    static const char body[] = "{\"users\":[{\"external_id\":\"child\"}]}";
    bb_result *result;

    if (strcmp(parent->backend, "postgres") != 0)
        return;
    EXPECT(bb_storage_open_postgres(parent->place, strlen(parent->place), NULL, &own.store.storage,
                                    NULL) == BB_OK);
    EXPECT(test_open_contacts(own.store.storage, NULL, &own.contacts, NULL) == BB_OK);
    result = test_send(&own, body, sizeof body - 1);
    EXPECT(bb_result_http_status(result) == 200);
    bb_result_free(result);
    bb_contacts_close(own.contacts);
    bb_storage_close(own.store.storage);
}

static void close_both(host *h, int storage_first)
{
    if (storage_first)
        bb_storage_close(h->endpoint.store.storage);
    bb_contacts_close(h->endpoint.contacts);
    if (!storage_first)
        bb_storage_close(h->endpoint.store.storage);
}

_Noreturn static void run_child(host *h, unsigned number)
{
    if (number % 4 != 3) { /* else it just ends */
        send_requests(h);
        administer(h->endpoint.store.storage);
        close_both(h, number % 8 < 4);
    }
    if (number == LAST_CHILD)
        open_its_own(h);
    if (number % 2 != 0)
        exit(0); // NOLINT(concurrency-mt-unsafe) ; a child has one thread
    _exit(0);
}

typedef struct child {
    pid_t id;
    int status;
} child;

static int has_ended(void *ctx)
{
    child *c = ctx;

    return waitpid(c->id, &c->status, WNOHANG) == c->id;
}

/* Returns 0 if the child fails or does not end. */
static int run_one(host *h, unsigned number)
{
    child c = {.status = -1};

    fflush(NULL);
    c.id = fork();
    if (!CHECK(c.id >= 0))
        return 0;
    if (c.id == 0)
        run_child(h, number);
    if (!CHECK_MSG(test_wait_until(has_ended, &c), "child %u does not end", number)) {
        kill(c.id, SIGKILL);
        waitpid(c.id, &c.status, 0);
        return 0;
    }
    return CHECK_MSG(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 0, "child %u: %d", number,
                     c.status);
}

/* -------------------------------------------------------------------------------------- both */

static int is_served(void *ctx)
{
    const host *h = ctx;

    return atomic_load(&h->answered) >= THREADS;
}

/* One child after the other, each while the parent's threads are somewhere in the library. */
static void run_children(host *h)
{
    int ok = CHECK(test_wait_until(is_served, h));

    for (unsigned i = 0; ok && i < CHILDREN; i++)
        ok = run_one(h, i);
}

static void check_parent(host *h, const client *clients)
{
    bb_stats stats;

    CHECK(atomic_load(&h->logged) == 0);
    bb_stats_init(&stats);
    CHECK(bb_contacts_stats(h->endpoint.contacts, &stats) == BB_OK);
    CHECK_MSG(stats.retries == 0, "%u requests were tried again", (unsigned)stats.retries);
    check_store(h, clients);
    check_file(h);
}

static void test_E7_E8_a_parent_does_not_notice_its_children(host *h)
{
    pthread_t threads[THREADS];
    client clients[THREADS];
    unsigned started = 0;

    for (; started < THREADS; started++) {
        clients[started] = (client){h, started, 0};
        if (pthread_create(&threads[started], NULL, run_client, &clients[started]) != 0)
            break;
    }
    if (CHECK(started == THREADS))
        run_children(h);
    atomic_store(&h->is_over, 1);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started == THREADS) {
        run_one(h, LAST_CHILD); /* now that no thread is in libpq, with a lock of its */
        check_parent(h, clients);
    }
    printf("%u requests beside %d children\n", atomic_load(&h->answered), CHILDREN);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";

    for (uint32_t workers = 0; workers <= 2; workers += 2) {
        static host h;
        bb_config config;
        int status;
        memset(&h, 0, sizeof h);
        bb_config_init(&config);
        config.log = count_line;
        config.log_ctx = &h;
        config.workers = workers;
        status = test_endpoint_open(&h.endpoint, backend, &config);
        if (status != 0)
            return status;
        CHECK_TEST(test_E7_E8_a_parent_does_not_notice_its_children(&h));
        test_endpoint_close(&h.endpoint);
    }
    return check_status();
}
