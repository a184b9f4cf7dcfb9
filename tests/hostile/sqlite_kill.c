/*
 * sqlite_kill.c: a process that writes with 8 threads to an SQLite file is killed with SIGKILL,
 * again and again; every request that was answered 200 is in the file, and none is half there (A2,
 * E8).
 *
 * Each request of a thread writes its number to contacts of the thread's own and to contacts that
 * all threads share, and makes a new one. The numbers that were answered 200 are in memory that
 * outlives the child.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum { THREADS = 8, OWN = 6, SHARED = 4, KILLS = 5, MOST_MS = 150 };

/* What the children leave behind. */
typedef struct answers {
    _Atomic int64_t sent[THREADS];  /* the number of the last request */
    _Atomic int64_t acked[THREADS]; /* and of the last that was answered 200 */
    _Atomic int64_t count[THREADS]; /* how many were */
    _Atomic int refused;
} answers;

typedef struct writer {
    bb_contacts *contacts;
    answers *shared;
    int thread;
} writer;

static bb_result *send(bb_contacts *contacts, const test_text *body)
{
    bb_request request = test_request(body->data, body->len);

    return bb_contacts_upsert(contacts, &request);
}

static void make_body(test_text *body, int thread, int64_t number)
{
    body->len = 0;
    test_append(body, "{\"users\":[{\"external_id\":\"new-%d-%lld\"}", thread, (long long)number);
    for (int i = 0; i < OWN; i++)
        test_append(body, ",{\"external_id\":\"own-%d-%d\",\"name\":\"%lld\"}", thread, i,
                    (long long)number);
    for (int i = 0; i < SHARED; i++)
        test_append(body, ",{\"external_id\":\"shared-%d\",\"name\":\"%d:%lld\"}", i, thread,
                    (long long)number);
    test_append(body, "]}");
}

static void *run_writer(void *arg)
{
    const writer *w = arg;
    test_text body = {0};

    for (;;) {
        int64_t number = atomic_load(&w->shared->sent[w->thread]) + 1;
        bb_result *result;
        make_body(&body, w->thread, number);
        atomic_store(&w->shared->sent[w->thread], number);
        result = send(w->contacts, &body);
        if (bb_result_http_status(result) == 200) {
            atomic_store(&w->shared->acked[w->thread], number);
            atomic_fetch_add(&w->shared->count[w->thread], 1);
        } else {
            atomic_fetch_add(&w->shared->refused, 1);
        }
        bb_result_free(result);
    }
    return NULL;
}

/* In the child, until it is killed. */
static void write_for_ever(const char *path, answers *shared)
{
    static writer writers[THREADS];
    bb_storage *storage = NULL;
    bb_contacts *contacts = NULL;
    pthread_t thread;

    if (bb_storage_open_sqlite(path, strlen(path), NULL, &storage, NULL) != BB_OK ||
        test_open_contacts(storage, NULL, &contacts, NULL) != BB_OK)
        _exit(1);
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (writer){contacts, shared, i};
        if (pthread_create(&thread, NULL, run_writer, &writers[i]) != 0)
            _exit(1);
    }
    for (;;)
        pause();
}

/* ---------------------------------------------------------------------------------- comparing */

static int64_t ask(const test_store *store, const char *sql)
{
    char result[64] = "-1";

    CHECK_MSG(test_store_sql(store, sql, result, sizeof result) == 0, "%s", sql);
    return strtoll(result, NULL, 10);
}

static void check_thread(const test_store *store, const answers *shared, int thread)
{
    int64_t sent = atomic_load(&shared->sent[thread]);
    int64_t acked = atomic_load(&shared->acked[thread]);
    char sql[300];
    int64_t value;

    if (sent == 0)
        return;
    snprintf(sql, sizeof sql,
             "SELECT count(DISTINCT name) FROM bb_contacts WHERE external_id GLOB 'own-%d-*'",
             thread);
    CHECK_MSG(ask(store, sql) <= 1, "A2: thread %d has written a part of a request", thread);
    snprintf(sql, sizeof sql, "SELECT name FROM bb_contacts WHERE external_id = 'own-%d-0'",
             thread);
    value = ask(store, sql);
    if (acked > 0)
        CHECK_MSG(value >= acked, "E8: thread %d was answered %lld, and %lld is there", thread,
                  (long long)acked, (long long)value);
    CHECK_MSG(value <= sent, "thread %d sent %lld, and %lld is there", thread, (long long)sent,
              (long long)value);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM bb_contacts WHERE external_id = 'new-%d-%lld'",
             thread, (long long)value);
    CHECK_MSG(value <= 0 || ask(store, sql) == 1, "A2: thread %d, request %lld is half there",
              thread, (long long)value);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM bb_contacts WHERE external_id GLOB 'new-%d-*'",
             thread);
    value = ask(store, sql);
    CHECK_MSG(value >= atomic_load(&shared->count[thread]), "E8: thread %d: %lld contacts of %lld",
              thread, (long long)value, (long long)atomic_load(&shared->count[thread]));
}

static void check_file(const test_store *store, const answers *shared)
{
    char result[64] = "";

    CHECK_MSG(test_store_sql(store, "PRAGMA integrity_check", result, sizeof result) == 0 &&
                  strcmp(result, "ok") == 0,
              "the file: %s", result);
    CHECK_MSG(ask(store, "SELECT count(DISTINCT name) FROM bb_contacts"
                         " WHERE external_id GLOB 'shared-*'") <= 1,
              "A2: the shared contacts are of several requests");
    for (int thread = 0; thread < THREADS; thread++)
        check_thread(store, shared, thread);
}

static int64_t all_acked(const answers *shared)
{
    int64_t acked = 0;

    for (int thread = 0; thread < THREADS; thread++)
        acked += atomic_load(&shared->acked[thread]);
    return acked;
}

static int is_answered(void *shared)
{
    return all_acked(shared) > 0;
}

static void kill_once(const test_store *store, const char *path, answers *shared, uint64_t *random)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        write_for_ever(path, shared);
    CHECK_MSG(child > 0, "fork");
    test_pause_ms(10 + test_random(random, MOST_MS));
    /* otherwise, on a busy machine, not even the first request may be through */
    test_wait_until(is_answered, shared);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself: %d",
              status);
    check_file(store, shared);
}

static void test_E8_killed_processes(test_store *store, answers *shared)
{
    uint64_t random = test_seed();
    uint32_t kills = test_times(KILLS);
    char path[300];

    CHECK(bb_storage_chatbot_add(store->storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK);
    bb_storage_close(store->storage);
    store->storage = NULL;
    snprintf(path, sizeof path, "%s/contacts.db", store->place);
    for (uint32_t i = 0; i < kills && check_failures() == 0; i++)
        kill_once(store, path, shared, &random);
    CHECK_MSG(all_acked(shared) > 0, "nothing was written");
    CHECK_MSG(atomic_load(&shared->refused) == 0, "%d refused", atomic_load(&shared->refused));
    printf("%u kills, %lld requests answered 200\n", kills, (long long)all_acked(shared));
}

int main(void)
{
    answers *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    test_store store;

    if (shared == MAP_FAILED || test_store_open_migrated(&store, "sqlite") != 0)
        return 1;
    CHECK_TEST(test_E8_killed_processes(&store, shared));
    test_store_close(&store);
    munmap(shared, sizeof *shared);
    return check_status();
}
