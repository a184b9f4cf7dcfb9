/*
 * test_sessions.c: how the backend's sessions come and go, and what they tell the server.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bb_contacts/storage.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

enum { THREADS = 8, IDLE_MS = 300 };

static const char body[] = "{\"users\":[{\"external_id\":\"one\",\"name\":\"Ada\"}]}";

static int32_t status_of(bb_result *result)
{
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

static int32_t send_one(const test_endpoint *endpoint)
{
    return status_of(test_send(endpoint, body, sizeof body - 1));
}

static const char count_sessions[] =
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'bb_contacts'";

static void *send_many(void *endpoint)
{
    size_t failed = 0;

    for (int i = 0; i < 20; i++)
        failed += send_one(endpoint) != 200;
    return failed == 0 ? NULL : endpoint;
}

/* Eight threads at once, which need up to eight sessions. */
static void send_at_once(test_endpoint *endpoint)
{
    pthread_t threads[THREADS];
    void *failed;

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, send_many, endpoint) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
    }
}

/* Makes several sessions idle. If a slow machine lets one thread finish long after the others,
 * theirs are closed by then, so this tries again. */
static int are_several_idle(void *endpoint_)
{
    test_endpoint *endpoint = endpoint_;
    char count[20] = "";

    send_at_once(endpoint);
    return test_store_sql(&endpoint->store, count_sessions, count, sizeof count) == 0 &&
           strtol(count, NULL, 10) > 1;
}

static void test_E11_idle_sessions_are_closed(test_endpoint *endpoint)
{
    char pid[200] = "", sql[500];

    CHECK(test_wait_until(are_several_idle, endpoint));
    CHECK(test_store_sql(&endpoint->store,
                         "SELECT string_agg(pid::text, ',') FROM pg_stat_activity"
                         " WHERE datname = current_database() AND application_name = 'bb_contacts'",
                         pid, sizeof pid) == 0);
    test_pause_ms(IDLE_MS + 200);
    CHECK(send_one(endpoint) == 200);
    CHECK(test_postgres_comes_to(endpoint->store.place, count_sessions,
                                 "1")); /* a new one; the old ones had been too long */
    snprintf(sql, sizeof sql, "%s AND pid IN (%s)", count_sessions, pid);
    CHECK(test_postgres_comes_to(endpoint->store.place, sql, "0"));
}

static void test_E7_broken_sessions_are_replaced(test_endpoint *endpoint)
{
    send_at_once(endpoint);
    CHECK(test_store_sql(&endpoint->store,
                         "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                         " WHERE datname = current_database() AND application_name = 'bb_contacts'",
                         NULL, 0) == 0);
    CHECK(test_postgres_comes_to(endpoint->store.place, count_sessions, "0"));
    send_at_once(endpoint);
}

/* ----------------------------------------------------------------- through connection strings */

static int32_t open_with(test_endpoint *endpoint, const char *conninfo, const char *access_sql,
                         uint32_t max_group_requests)
{
    bb_postgres_options options;
    bb_config config;
    int32_t code;

    bb_postgres_options_init(&options);
    options.access_sql = access_sql;
    options.access_sql_len = strlen(access_sql);
    bb_config_init(&config);
    config.max_group_requests = max_group_requests;
    memset(endpoint, 0, sizeof *endpoint);
    code = bb_storage_open_postgres_with(conninfo, strlen(conninfo), NULL, &options,
                                         &endpoint->store.storage, NULL);
    if (code == BB_OK)
        code = test_open_contacts(endpoint->store.storage, &config, &endpoint->contacts, NULL);
    return code;
}

/* Checks a condition on the session during a request, as its access query. */
static void check_session_of(uint32_t max_group_requests, const char *conninfo,
                             const char *condition)
{
    test_endpoint endpoint;
    char sql[500];

    snprintf(sql, sizeof sql, "SELECT CASE WHEN %s THEN 2 ELSE 1 END", condition);
    CHECK(open_with(&endpoint, conninfo, sql, max_group_requests) == BB_OK);
    CHECK_MSG(send_one(&endpoint) == 200, "%s", condition);
    bb_contacts_close(endpoint.contacts);
    bb_storage_close(endpoint.store.storage);
}

static void check_session(const char *conninfo, const char *condition)
{
    check_session_of(0, conninfo, condition);
}

/* The deadline is TEST_PATIENCE_MS away at first, and nearer once a slow machine has opened the
 * session. Where requests may share a transaction, one waits for locks for a tenth of its time at
 * first. */
static void test_E11_timeouts_come_from_the_deadline(const char *conninfo)
{
    check_session(conninfo, "current_setting('statement_timeout')::interval"
                            " BETWEEN interval '30 s' AND interval '60.1 s'");
    check_session(conninfo, "current_setting('lock_timeout')::interval"
                            " BETWEEN interval '2.7 s' AND interval '6.1 s'");
    if (test_workers() == 0)
        check_session_of(1, conninfo,
                         "current_setting('lock_timeout')::interval"
                         " BETWEEN interval '27 s' AND interval '54.1 s'");
}

static void test_E8_a_commit_is_waited_for(const char *conninfo)
{
    char other[1000];

    check_session(conninfo, "current_setting('synchronous_commit') = 'on'");
    snprintf(other, sizeof other, "%s options='-c synchronous_commit=off'", conninfo);
    check_session(other, "current_setting('synchronous_commit') = 'local'");
}

static void test_options_of_libpq(const char *conninfo)
{
    char other[1000], path[] = "/tmp/bb_test_service.XXXXXX";
    FILE *file;
    int fd;

    check_session(conninfo, "current_setting('application_name') = 'bb_contacts'");
    snprintf(other, sizeof other, "%s application_name=mine", conninfo);
    check_session(other, "current_setting('application_name') = 'mine'");
    /* a service file that holds everything */
    fd = mkstemp(path);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    CHECK(file != NULL);
    if (file == NULL)
        return;
    fprintf(file, "[bb]\n");
    for (const char *at = conninfo; *at != '\0';) {
        const char *end = strstr(at, "' ");
        const char *quote = strstr(at, "='");
        if (end == NULL || quote == NULL)
            break;
        fprintf(file, "%.*s=%.*s\n", (int)(quote - at), at, (int)(end - quote - 2), quote + 2);
        at = end + 2;
    }
    fclose(file);
    setenv("PGSERVICEFILE", path, 1); // NOLINT(concurrency-mt-unsafe)
    check_session("service=bb", "current_database() LIKE 'bb_test_%'");
    unlink(path);
}

/* A database that cannot hold every character is refused, and not written to. */
static void test_C5_another_encoding_is_refused(void)
{
    bb_storage *storage = NULL;
    bb_error error;
    char name[64];
    char sql[300];
    char *conninfo = test_postgres_conninfo("postgres");
    char *latin;

    snprintf(name, sizeof name, "bb_test_%ld_latin1", (long)getpid());
    snprintf(sql, sizeof sql,
             "CREATE DATABASE %s ENCODING 'LATIN1' TEMPLATE template0"
             " LOCALE_PROVIDER libc LOCALE 'C'",
             name);
    CHECK(conninfo != NULL && test_postgres_sql(conninfo, sql, NULL, 0) == 0);
    latin = test_postgres_conninfo(name);
    bb_error_init(&error);
    CHECK(latin != NULL &&
          bb_storage_open_postgres(latin, strlen(latin), NULL, &storage, &error) == BB_OK);
    CHECK(bb_storage_migrate(storage, TEST_PATIENCE_MS, &error) == BB_ERR_UNSUPPORTED);
    CHECK(strstr(error.message, "LATIN1") != NULL);
    bb_storage_close(storage);
    test_postgres_drop(name);
    free(latin);
    free(conninfo);
}

int main(void)
{
    test_endpoint endpoint;
    bb_config config;
    int status;

    bb_config_init(&config);
    config.idle_timeout_ms = IDLE_MS;
    status = test_endpoint_open(&endpoint, "postgres", &config);
    if (status != 0)
        return status;
    CHECK_TEST(test_E11_idle_sessions_are_closed(&endpoint));
    CHECK_TEST(test_E7_broken_sessions_are_replaced(&endpoint));
    CHECK_TEST(test_E11_timeouts_come_from_the_deadline(endpoint.store.place));
    CHECK_TEST(test_E8_a_commit_is_waited_for(endpoint.store.place));
    CHECK_TEST(test_options_of_libpq(endpoint.store.place));
    CHECK_TEST(test_C5_another_encoding_is_refused());
    test_endpoint_close(&endpoint);
    return check_status();
}
