/*
 * test_states.c: a PostgreSQL server that runs but cannot do what it is asked: read-only, a
 * standby, its disk full, out of connections, in deadlock or serialization failure with others (E7,
 * E11).
 */
#include <fcntl.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "faults/load.h"
#include "faults/pg_server.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

enum {
    WRITERS = 8,
    TIMEOUT_MS = TEST_PATIENCE_MS,
    LONG_TIMEOUT_MS = 2 * TEST_PATIENCE_MS, /* where requests wait for others' transactions */
    DISK_LEFT = 3 << 20,
    ENOUGH_TRIES = 12 /* of foreign sessions, so that they get in the way */
};

static int sql(const pg_server *server, const char *text)
{
    return pg_server_sql(server, text, NULL, 0) == 0;
}

/* A fresh database and its conninfo. */
static int make_database(const pg_server *server, const char *name, const char *rest,
                         char *conninfo, size_t size)
{
    char text[200];

    snprintf(text, sizeof text, "CREATE DATABASE %s %s", name, rest);
    snprintf(conninfo, size, "host=%s port=5432 user=bb_test dbname=%s", server->folder, name);
    return sql(server, text);
}

/* ----------------------------------------------------------------------------- read-only */

/* Expects `wanted` from this many requests, and each answer soon. */
static void expect(const load_target *target, const char *what, int32_t wanted, int times)
{
    for (int i = 0; i < times; i++) {
        int32_t status = load_target_send_one(target, "state", what, NULL);
        if (!CHECK_MSG(status == wanted, "E11: %s: %d instead of %d", what, (int)status,
                       (int)wanted))
            return;
    }
}

/* Sets whether transactions are read-only by default. New connections see it once the server's
 * first process has told the older ones, which read the setting before anything else. */
static void set_read_only(const pg_server *server, const char *conninfo, const char *wanted)
{
    char text[100];

    snprintf(text, sizeof text, "ALTER SYSTEM SET default_transaction_read_only = %s", wanted);
    CHECK(sql(server, text) && sql(server, "SELECT pg_reload_conf()"));
    CHECK(test_postgres_comes_to(conninfo, "SHOW default_transaction_read_only", wanted));
}

/* A database of this name, and a handle on it. */
static int open_target(const pg_server *server, const char *name, uint32_t max_sessions,
                       char conninfo[200], load_target *target)
{
    return CHECK(make_database(server, name, "", conninfo, 200)) &&
           CHECK(load_target_open(target, conninfo, TIMEOUT_MS, max_sessions) == 0);
}

/* Checks that a load was answered only 200. */
static void check_load(const load *l, const char *what)
{
    load_print(l, what);
    CHECK(load_check_answers(l) == 0);
    CHECK_MSG(load_count(l, 503) == 0, "%llu times 503", (unsigned long long)load_count(l, 503));
}

static void test_E11_read_only(pg_server *server)
{
    load_target target;
    char conninfo[200];

    if (!open_target(server, "read_only", 0, conninfo, &target))
        return;
    expect(&target, "before", 200, 1);
    set_read_only(server, conninfo, "on");
    expect(&target, "read-only", 503, 5);
    set_read_only(server, conninfo, "off");
    expect(&target, "after", 200, 5);
    load_target_close(&target);
}

/* ----------------------------------------------------------------------------- a hot standby */

static int32_t status_of(const load_target *target, const char *body)
{
    bb_result *result = load_target_send(target, body, strlen(body));
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

/* It judges a key and a body as the primary does (A1), and only then refuses to write. */
static void check_reader(load_target *reader)
{
    static const char good[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    static const char faulty[] = "{\"users\":[{\"name\":1}]}";

    CHECK(status_of(reader, good) == 503);
    CHECK(status_of(reader, faulty) == 400);
    reader->key[strlen(reader->key) - 1] ^= 1; /* another key */
    CHECK(status_of(reader, good) == 401);
    CHECK(status_of(reader, faulty) == 401);
}

static void read_from(const pg_server *standby, const load_target *primary)
{
    load_target reader = *primary;
    char own[500]; /* the test's own connection, which does not use the default */

    reader.storage = NULL;
    reader.contacts = NULL;
    snprintf(reader.conninfo, sizeof reader.conninfo, "host=%s port=5432 user=bb_test dbname=hot",
             standby->folder);
    snprintf(own, sizeof own, "%s options='-c default_transaction_isolation=repeatable\\\\ read'",
             reader.conninfo);
    CHECK(test_postgres_comes_to(own, "SELECT count(*) FROM bb_contacts.api_keys", "1"));
    if (CHECK(bb_storage_open_postgres(reader.conninfo, strlen(reader.conninfo), NULL,
                                       &reader.storage, NULL) == BB_OK) &&
        CHECK(test_open_contacts(reader.storage, NULL, &reader.contacts, NULL) == BB_OK))
        check_reader(&reader);
    load_target_close(&reader);
}

/* A standby has no serializable transactions, so the library must not use its default. */
static void test_A1_hot_standby(pg_server *server)
{
    load_target target;
    char conninfo[200];
    pg_server standby;

    if (!open_target(server, "hot", 0, conninfo, &target))
        return;
    if (CHECK(pg_server_create_standby(&standby, server) == 0)) {
        standby.options[0] = "default_transaction_isolation=serializable";
        if (CHECK(pg_server_start(&standby) == 0))
            read_from(&standby, &target);
        pg_server_remove(&standby);
    }
    load_target_close(&target);
}

/* ----------------------------------------------------------------------------- disk full */

/* Fills a file system up to the last `left` bytes; writes the file's name to `path`. */
static int fill(const char *folder, off_t left, char *path, size_t size)
{
    static const char zeros[65536];
    int ok;
    int fd;

    snprintf(path, size, "%s/ballast", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    ok = ftruncate(fd, lseek(fd, 0, SEEK_CUR) - left) == 0;
    close(fd);
    return ok;
}

/* Sends new contacts until one is refused. Returns how many requests there were, or -1. */
static int write_until_refused(const load_target *target)
{
    test_text body = {0};
    int32_t status = 200;
    int requests = 0;

    for (; status == 200 && requests < 200; requests++) {
        bb_result *result;
        body.len = 0;
        test_append(&body, "{\"users\":[");
        for (int i = 0; i < 200; i++)
            test_append(&body, "%s{\"external_id\":\"full.%d.%d\",\"name\":\"%0500d\"}",
                        i > 0 ? "," : "", requests, i, i);
        test_append(&body, "]}");
        result = load_target_send(target, body.data, body.len);
        status = bb_result_http_status(result);
        bb_result_free(result);
    }
    free(body.data);
    return status == 503 ? requests : -1;
}

static void run_disk_full(const char *folder, const char *conninfo)
{
    load_target target;
    char ballast[200];
    char whole[20];
    int requests;

    if (!CHECK(load_target_open(&target, conninfo, TIMEOUT_MS, 0) == 0))
        return;
    expect(&target, "before", 200, 1);
    if (CHECK(fill(folder, DISK_LEFT, ballast, sizeof ballast))) {
        requests = write_until_refused(&target);
        printf("    disk full at request %d\n", requests);
        CHECK_MSG(requests >= 1, "E11: not 503 with a full disk");
        /* in whole or not at all (A2) */
        snprintf(whole, sizeof whole, "%d", 200 * (requests - 1));
        CHECK(test_postgres_gives(conninfo,
                                  "SELECT count(*) FROM bb_contacts.contacts"
                                  " WHERE external_id LIKE 'full.%'",
                                  whole));
        CHECK(unlink(ballast) == 0);
        expect(&target, "after", 200, 5);
    }
    load_target_close(&target);
}

/* The database's tables are on a small file system of their own; only root can make one. */
static void test_E11_disk_full(pg_server *server)
{
    char folder[PG_SERVER_PATH + 16];
    char space[PG_SERVER_PATH + 32];
    char conninfo[200];
    char text[200];

    snprintf(folder, sizeof folder, "%s/small", server->folder);
    snprintf(space, sizeof space, "%s/space", folder);
    if (!CHECK(pg_server_make_folder(server, folder) == 0))
        return;
    if (mount("bb_test", folder, "tmpfs", 0, "size=24m") != 0) {
        puts("    SKIPPED: no file system can be mounted here");
        return;
    }
    snprintf(text, sizeof text, "CREATE TABLESPACE small LOCATION '%s/space'", folder);
    if (CHECK(pg_server_make_folder(server, folder) == 0) &&
        CHECK(pg_server_make_folder(server, space) == 0) && CHECK(sql(server, text))) {
        if (CHECK(
                make_database(server, "disk_full", "TABLESPACE small", conninfo, sizeof conninfo)))
            run_disk_full(folder, conninfo);
        CHECK(sql(server, "DROP DATABASE disk_full WITH (FORCE)"));
        CHECK(sql(server, "DROP TABLESPACE small"));
    }
    CHECK(umount(folder) == 0);
}

/* --------------------------------------------------------------------- too few connections */

/* A server's process ends some time after its connection. Waits until all are gone but the one that
 * asks. */
static void wait_for_places(const char *conninfo)
{
    CHECK(test_postgres_comes_to(
        conninfo, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
        "1"));
}

/* A server with room for five connections, and a handle on it. */
static int open_small(pg_server *server, const char *name, char conninfo[200], load_target *target)
{
    int ok = CHECK(make_database(server, name, "", conninfo, 200));

    server->options[0] = "max_connections=5";
    server->options[1] = "superuser_reserved_connections=0";
    ok &= CHECK(pg_server_stop(server) == 0) && CHECK(pg_server_start(server) == 0);
    return ok && CHECK(load_target_open(target, conninfo, TIMEOUT_MS, WRITERS) == 0);
}

static void grow_again(pg_server *server)
{
    server->options[0] = NULL;
    server->options[1] = NULL;
    CHECK(pg_server_stop(server) == 0 && pg_server_start(server) == 0);
}

/* Others hold connections, until few or none are left. */
static void run_max_connections(const pg_server *server, load *l, int others)
{
    char conninfo[200];
    PGconn *held[8] = {NULL};

    pg_server_conninfo(server, conninfo, sizeof conninfo);
    if (!CHECK(load_start(l) == 0))
        return;
    for (int i = 0; i < others; i++) {
        /* tries until the writers leave a place */
        for (int k = 0; k < 100 && held[i] == NULL; k++) {
            held[i] = PQconnectdb(conninfo);
            if (PQstatus(held[i]) == CONNECTION_OK)
                break;
            PQfinish(held[i]);
            held[i] = NULL;
            test_pause_ms(1);
        }
        if (held[i] == NULL)
            break; /* the writers have them all, which does as well */
    }
    if (CHECK(load_wait_for_success(l) >= 0))
        test_pause_ms(500);
    load_stop(l);
    for (int i = 0; i < others; i++)
        PQfinish(held[i]);
}

static void test_E11_max_connections(pg_server *server)
{
    load_target target;
    char conninfo[200];
    load *l;

    if (!open_small(server, "few", conninfo, &target))
        return;
    l = load_new(&target, WRITERS);
    /* the handle has a session to wait for; without one a refusal is a 503 at once, and all writers
     * might meet it if they begin while all places are taken */
    wait_for_places(conninfo);
    expect(&target, "first", 200, 1);
    if (CHECK(l != NULL)) {
        run_max_connections(server, l, 2);
        check_load(l, "    E11, 5 connections for 10");
    }
    load_target_close(&target);
    wait_for_places(conninfo);
    if (l != NULL)
        CHECK(load_check_tables(l, conninfo, LOAD_ORDERED, 1) == 0);
    load_free(l);
    grow_again(server);
}

/* Takes a connection, once the place of a closed one is free. */
static int take_connection(void *held)
{
    PGconn **connection = held;

    PQreset(*connection);
    return PQstatus(*connection) == CONNECTION_OK;
}

/* All connections are in others' hands: 503 at once, and 200 when one is free. */
static void test_E11_no_connection_left(pg_server *server)
{
    load_target target;
    char conninfo[200];
    PGconn *held[5];

    if (!open_small(server, "none", conninfo, &target))
        return;
    for (int i = 0; i < 5; i++) {
        held[i] = PQconnectdb(conninfo);
        CHECK(PQstatus(held[i]) == CONNECTION_OK || test_wait_until(take_connection, &held[i]));
    }
    expect(&target, "no connection", 503, 3);
    for (int i = 0; i < 5; i++)
        PQfinish(held[i]);
    wait_for_places(conninfo);
    expect(&target, "after", 200, 3);
    load_target_close(&target);
    grow_again(server);
}

/* --------------------------------------------------------------- deadlocks and serialization */

/* Foreign sessions that run SQL again and again. */
typedef struct foreigner {
    const char *conninfo;
    const char *setup;
    const char *text;
    atomic_int *is_stopping;
    atomic_uint done;
    atomic_uint failures;
    pthread_t thread;
} foreigner;

static void *disturb(void *arg)
{
    foreigner *f = arg;
    PGconn *connection = PQconnectdb(f->conninfo);

    PQclear(PQexec(connection, f->setup));
    while (!atomic_load(f->is_stopping)) {
        PGresult *result = PQexec(connection, f->text);
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
            atomic_fetch_add(&f->done, 1);
        else
            atomic_fetch_add(&f->failures, 1);
        PQclear(result);
        if (PQtransactionStatus(connection) != PQTRANS_IDLE)
            PQclear(PQexec(connection, "ROLLBACK"));
    }
    PQfinish(connection);
    return NULL;
}

enum { FOREIGNERS = 3 };

static int have_done_enough(void *others_)
{
    const foreigner *others = others_;
    unsigned tries = 0;

    for (size_t i = 0; i < FOREIGNERS; i++)
        tries += atomic_load(&others[i].done) + atomic_load(&others[i].failures);
    return tries >= ENOUGH_TRIES;
}

static load *start_load(const load_target *target)
{
    load *l = load_new(target, WRITERS);

    if (CHECK(l != NULL) && CHECK(load_start(l) == 0))
        CHECK(load_wait_for_success(l) >= 0);
    return l;
}

static void stop_load(load *l, const char *conninfo, const char *what)
{
    if (l == NULL)
        return;
    load_stop(l);
    check_load(l, what);
    CHECK(load_check_tables(l, conninfo, LOAD_ORDERED, 1) == 0);
    load_free(l);
}

/* Runs writers and foreigners for a while, and longer if a busy machine has let them do little, or
 * if the query `until`, which may be NULL, does not give "t" yet. Every request must be 200. */
static void run_disturbed(const char *conninfo, const char *setup, const char *text, int64_t ms,
                          const char *until)
{
    atomic_int is_stopping = 0;
    foreigner others[FOREIGNERS];
    load_target target;
    load *l;

    if (!CHECK(load_target_open(&target, conninfo, LONG_TIMEOUT_MS, 0) == 0))
        return;
    l = start_load(&target);
    for (size_t i = 0; i < FOREIGNERS; i++) {
        others[i] = (foreigner){conninfo, setup, text, &is_stopping, 0, 0, 0};
        if (pthread_create(&others[i].thread, NULL, disturb, &others[i]) != 0)
            abort();
    }
    test_pause_ms(ms);
    test_wait_until(have_done_enough, others);
    if (until != NULL)
        CHECK(test_postgres_comes_to(conninfo, until, "t"));
    atomic_store(&is_stopping, 1);
    for (size_t i = 0; i < FOREIGNERS; i++) {
        pthread_join(others[i].thread, NULL);
        printf("    another session: %u done, %u refused\n", atomic_load(&others[i].done),
               atomic_load(&others[i].failures));
    }
    stop_load(l, conninfo, "    E7, among others");
    load_target_close(&target);
}

/* Foreign transactions lock contacts in the opposite order. A session that has waited for
 * deadlock_timeout looks for a deadlock, once, and is the one that is ended: mostly the library's,
 * whose timeout is shorter. */
static void test_E7_deadlocks(pg_server *server)
{
    char conninfo[200];

    if (!CHECK(make_database(server, "deadlocks", "", conninfo, sizeof conninfo)) ||
        !CHECK(sql(server, "ALTER DATABASE deadlocks SET deadlock_timeout = '10ms'")))
        return;
    run_disturbed(conninfo, "SET deadlock_timeout = '150ms'",
                  "DO $$ DECLARE k text; BEGIN"
                  " FOR k IN SELECT external_id FROM bb_contacts.contacts"
                  " WHERE external_id ~ '^[os][.]' ORDER BY external_id DESC LOOP"
                  " PERFORM FROM bb_contacts.contacts WHERE external_id = k FOR UPDATE;"
                  " END LOOP; END $$",
                  test_times(1500),
                  /* the server counts a deadlock some time after it */
                  "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = 'deadlocks'");
}

/* The database's default is serializable, and others read and write so. */
static void test_E7_serializable(pg_server *server)
{
    char conninfo[200];

    if (!CHECK(make_database(server, "serializable", "", conninfo, sizeof conninfo)) ||
        !CHECK(sql(server, "ALTER DATABASE serializable"
                           " SET default_transaction_isolation = 'serializable'")))
        return;
    run_disturbed(conninfo, "SET default_transaction_isolation = 'serializable'",
                  "BEGIN; SELECT count(*), pg_sleep(0.005) FROM bb_contacts.contacts;"
                  "UPDATE bb_contacts.contacts SET phonenumber = random()::text"
                  " WHERE external_id LIKE 'o.1.1.%'; COMMIT",
                  test_times(1500), NULL);
}

/* A trigger of the host's that fails every few times, like a serialization failure. */
static void test_E7_serialization_failures(pg_server *server)
{
    load_target target;
    char conninfo[200];
    char failures[24] = "0";
    load *l;

    if (!open_target(server, "failures", 0, conninfo, &target))
        return;
    CHECK(test_postgres_sql(conninfo,
                            "CREATE SEQUENCE failures;"
                            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                            " IF random() < 0.3 THEN PERFORM nextval('public.failures');"
                            " RAISE EXCEPTION 'on purpose' USING ERRCODE = '40001';"
                            " END IF; RETURN NULL; END $$;"
                            "CREATE TRIGGER fail AFTER INSERT OR UPDATE ON bb_contacts.contacts"
                            " FOR EACH STATEMENT EXECUTE FUNCTION fail()",
                            NULL, 0) == 0);
    l = start_load(&target);
    test_pause_ms(test_times(1000));
    stop_load(l, conninfo, "    E7, serialization failures");
    load_target_close(&target);
    CHECK(test_postgres_sql(conninfo, "SELECT last_value FROM public.failures", failures,
                            sizeof failures) == 0);
    printf("    serialization failures: %s\n", failures);
}

int main(void)
{
    pg_server server;
    int status = pg_server_create(&server);

    if (status != 0)
        return status;
    if (CHECK(pg_server_start(&server) == 0)) {
        CHECK_TEST(test_E11_read_only(&server));
        CHECK_TEST(test_A1_hot_standby(&server));
        CHECK_TEST(test_E11_disk_full(&server));
        CHECK_TEST(test_E7_deadlocks(&server));
        CHECK_TEST(test_E7_serializable(&server));
        CHECK_TEST(test_E7_serialization_failures(&server));
        CHECK_TEST(test_E11_max_connections(&server));
        CHECK_TEST(test_E11_no_connection_left(&server));
    }
    pg_server_remove(&server);
    return check_status();
}
