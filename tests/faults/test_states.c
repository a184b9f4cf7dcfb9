/*
 * test_states.c: a PostgreSQL server that is there but cannot do what it is asked: read-only, a
 * standby, its disk full, out of connections, in deadlock or in serialization failure with others
 * (E7, E11).
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
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

enum {
    WRITERS = 8,
    TIMEOUT_MS = TEST_PATIENCE_MS,
    LONG_TIMEOUT_MS = 2 * TEST_PATIENCE_MS, /* where requests wait for others' transactions */
    DISK_LEFT = 3 << 20,
    ENOUGH_TRIES = 12 /* of foreign sessions, for them to get in the way */
};

static int fail(const char *what, long long got)
{
    fprintf(stderr, "%s: %lld\n", what, got);
    return 1;
}

static int sql(const pg_server *server, const char *text)
{
    return pg_server_sql(server, text, NULL, 0);
}

/* A question and the answer that is to come; each time on a connection of its own. */
typedef struct question {
    const char *conninfo;
    const char *sql;
    const char *wanted;
} question;

static int is_answered_so(void *ctx)
{
    const question *q = ctx;
    PGconn *connection = PQconnectdb(q->conninfo);
    PGresult *rows = PQexec(connection, q->sql);
    int is_so = PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 0), q->wanted) == 0;

    PQclear(rows);
    PQfinish(connection);
    return is_so;
}

static int wait_for(const char *conninfo, const char *text, const char *wanted)
{
    question q = {conninfo, text, wanted};

    return test_wait_until(is_answered_so, &q) ? 0 : fail(text, 0);
}

/* A fresh database's conninfo. */
static int make_database(const pg_server *server, const char *name, const char *rest,
                         char *conninfo, size_t size)
{
    char text[200];

    snprintf(text, sizeof text, "CREATE DATABASE %s %s", name, rest);
    snprintf(conninfo, size, "host=%s port=5432 user=bb_test dbname=%s", server->folder, name);
    return sql(server, text);
}

/* ----------------------------------------------------------------------------- read-only */

/* Expects `wanted` of so many requests, each of them soon. */
static int expect(const load_target *target, const char *what, int32_t wanted, int times)
{
    for (int i = 0; i < times; i++) {
        int64_t took;
        int32_t status = load_target_send_one(target, "state", what, &took);
        if (status != wanted) {
            fprintf(stderr, "E11: %s: %d instead of %d\n", what, (int)status, (int)wanted);
            return 1;
        }
    }
    return 0;
}

/* Sets whether transactions are read-only by default. New connections see it once the server's
 * first process has told the older ones, which read it before they do anything else. */
static int set_read_only(const pg_server *server, const char *conninfo, const char *wanted)
{
    char text[100];

    snprintf(text, sizeof text, "ALTER SYSTEM SET default_transaction_read_only = %s", wanted);
    return sql(server, text) || sql(server, "SELECT pg_reload_conf()") ||
           wait_for(conninfo, "SHOW default_transaction_read_only", wanted);
}

static int test_E11_read_only(pg_server *server)
{
    load_target target;
    char conninfo[200];
    int bad = make_database(server, "read_only", "", conninfo, sizeof conninfo) ||
              load_target_open(&target, conninfo, TIMEOUT_MS, 0);

    if (bad)
        return bad;
    bad = expect(&target, "before", 200, 1) || set_read_only(server, conninfo, "on") ||
          expect(&target, "read-only", 503, 5) || set_read_only(server, conninfo, "off") ||
          expect(&target, "after", 200, 5);
    load_target_close(&target);
    return bad;
}

/* ----------------------------------------------------------------------------- a hot standby */

static int32_t status_of(const load_target *target, const char *body)
{
    bb_result *result = load_target_send(target, body, strlen(body));
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    return status;
}

/* A key and a body are judged as by the primary (A1), and only then it is read-only. */
static int check_reader(load_target *reader)
{
    static const char good[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    static const char faulty[] = "{\"users\":[{\"name\":1}]}";
    int32_t statuses[4] = {status_of(reader, good), status_of(reader, faulty), 0, 0};

    reader->key[strlen(reader->key) - 1] ^= 1; /* another one */
    statuses[2] = status_of(reader, good);
    statuses[3] = status_of(reader, faulty);
    if (statuses[0] == 503 && statuses[1] == 400 && statuses[2] == 401 && statuses[3] == 401)
        return 0;
    fprintf(stderr, "A1: %d instead of 503, %d of 400, %d and %d of 401\n", (int)statuses[0],
            (int)statuses[1], (int)statuses[2], (int)statuses[3]);
    return 1;
}

static int read_from(const pg_server *standby, const load_target *primary)
{
    load_target reader = *primary;
    char own[500]; /* the test's own way in, which does not leave it to the default */
    bb_error error;
    int bad;

    bb_error_init(&error);
    reader.storage = NULL;
    reader.contacts = NULL;
    snprintf(reader.conninfo, sizeof reader.conninfo, "host=%s port=5432 user=bb_test dbname=hot",
             standby->folder);
    snprintf(own, sizeof own, "%s options='-c default_transaction_isolation=repeatable\\\\ read'",
             reader.conninfo);
    bad = wait_for(own, "SELECT count(*) FROM bb_contacts.api_keys", "1") ||
          bb_storage_open_postgres(reader.conninfo, strlen(reader.conninfo), NULL, &reader.storage,
                                   &error) != BB_OK ||
          test_open_contacts(reader.storage, NULL, &reader.contacts, &error) != BB_OK ||
          check_reader(&reader);
    load_target_close(&reader);
    return bad;
}

/* A standby knows no serializable transactions, so that it must not be left to its default. */
static int test_A1_hot_standby(pg_server *server)
{
    load_target target;
    char conninfo[200];
    pg_server standby;
    int bad = make_database(server, "hot", "", conninfo, sizeof conninfo) ||
              load_target_open(&target, conninfo, TIMEOUT_MS, 0);

    if (bad)
        return bad;
    bad = pg_server_create_standby(&standby, server);
    if (!bad) {
        standby.options[0] = "default_transaction_isolation=serializable";
        bad = pg_server_start(&standby) || read_from(&standby, &target);
        pg_server_remove(&standby);
    }
    load_target_close(&target);
    return bad;
}

/* ----------------------------------------------------------------------------- disk full */

/* Fills a file system up but for `left` bytes; writes the file's name to `path`. */
static int fill(const char *folder, off_t left, char *path, size_t size)
{
    static const char zeros[65536];
    int failed;
    int fd;

    snprintf(path, size, "%s/ballast", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return 1;
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    failed = ftruncate(fd, lseek(fd, 0, SEEK_CUR) - left);
    close(fd);
    return failed;
}

/* New contacts until one is refused; how many requests there were, or -1. */
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

/* Requests are stored in whole or not at all (A2). */
static int count_whole(const char *conninfo, int requests)
{
    PGconn *connection = PQconnectdb(conninfo);
    PGresult *rows = PQexec(connection, "SELECT count(*) FROM bb_contacts.contacts"
                                        " WHERE external_id LIKE 'full.%'");
    long count = PQntuples(rows) == 1 ? strtol(PQgetvalue(rows, 0, 0), NULL, 10) : -1;

    PQclear(rows);
    PQfinish(connection);
    return count == 200L * requests ? 0 : fail("A2: contacts stored", count);
}

static int run_disk_full(pg_server *server, const char *folder)
{
    load_target target;
    char conninfo[200];
    char ballast[200];
    char text[200];
    int requests;
    int bad;

    snprintf(text, sizeof text, "CREATE TABLESPACE small LOCATION '%s/space'", folder);
    bad = sql(server, text) ||
          make_database(server, "disk_full", "TABLESPACE small", conninfo, sizeof conninfo) ||
          load_target_open(&target, conninfo, TIMEOUT_MS, 0);
    if (bad)
        return bad;
    bad = expect(&target, "before", 200, 1) || fill(folder, DISK_LEFT, ballast, sizeof ballast);
    requests = bad ? -1 : write_until_refused(&target);
    printf("    disk full at request %d\n", requests);
    if (!bad && requests < 1)
        bad = fail("E11: not 503 with a full disk", requests);
    if (!bad)
        bad = count_whole(conninfo, requests - 1) || unlink(ballast) != 0 ||
              expect(&target, "after", 200, 5);
    load_target_close(&target);
    bad |=
        sql(server, "DROP DATABASE disk_full WITH (FORCE)") || sql(server, "DROP TABLESPACE small");
    return bad;
}

/* The database's tables are on a small file system of their own; only root can make one. */
static int test_E11_disk_full(pg_server *server)
{
    char folder[PG_SERVER_PATH + 16];
    char space[PG_SERVER_PATH + 32];
    int bad;

    snprintf(folder, sizeof folder, "%s/small", server->folder);
    snprintf(space, sizeof space, "%s/space", folder);
    if (pg_server_make_folder(server, folder) != 0)
        return fail("no folder", 0);
    if (mount("bb_test", folder, "tmpfs", 0, "size=24m") != 0) {
        puts("    SKIPPED: no file system can be mounted here");
        return 0;
    }
    bad = pg_server_make_folder(server, folder) || pg_server_make_folder(server, space) ||
          run_disk_full(server, folder);
    if (umount(folder) != 0)
        bad = fail("not unmounted", 0);
    return bad;
}

/* --------------------------------------------------------------------- too few connections */

/* A server's process ends a moment after its connection, on a busy machine a longer one: waits
 * until all are gone but the one that looks. */
static int wait_for_places(const char *conninfo)
{
    return wait_for(conninfo,
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
                    "1");
}

/* Others hold connections until few or none are left. */
static int run_max_connections(const pg_server *server, load *l, int others)
{
    char conninfo[200];
    PGconn *held[8] = {NULL};
    int bad;

    pg_server_conninfo(server, conninfo, sizeof conninfo);
    bad = load_start(l) != 0;
    for (int i = 0; i < others && !bad; i++) {
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
            break; /* the writers have them all, which is as good */
    }
    if (!bad)
        bad = load_wait_for_success(l) < 0;
    if (!bad)
        test_pause_ms(500);
    load_stop(l);
    for (int i = 0; i < others; i++)
        PQfinish(held[i]);
    return bad;
}

static int test_E11_max_connections(pg_server *server)
{
    load_target target;
    char conninfo[200];
    load *l = NULL;
    int bad = make_database(server, "few", "", conninfo, sizeof conninfo);

    server->options[0] = "max_connections=5";
    server->options[1] = "superuser_reserved_connections=0";
    bad |= pg_server_stop(server) || pg_server_start(server) ||
           load_target_open(&target, conninfo, TIMEOUT_MS, WRITERS);
    if (bad)
        return bad;
    l = load_new(&target, WRITERS);
    /* the handle has a session to wait for: without one a refusal is a 503 at once, which the
     * writers might all find who begin together while places are taken */
    bad = l == NULL || wait_for_places(conninfo) || expect(&target, "first", 200, 1) ||
          run_max_connections(server, l, 2);
    if (l != NULL) {
        load_print(l, "    E11, 5 connections for 10");
        bad |= load_check_answers(l);
        if (load_count(l, 503) > 0)
            bad = fail("E11: there were sessions to wait for", (long long)load_count(l, 503));
    }
    load_target_close(&target);
    bad |= wait_for_places(conninfo);
    if (l != NULL)
        bad |= load_check_tables(l, conninfo, LOAD_ORDERED, 1);
    load_free(l);
    server->options[0] = NULL;
    bad |= pg_server_stop(server) || pg_server_start(server);
    return bad;
}

/* Takes a connection, which has to wait until one that was closed is free. */
static int take_connection(void *held)
{
    PGconn **connection = held;

    PQreset(*connection);
    return PQstatus(*connection) == CONNECTION_OK;
}

/* All connections are in others' hands: 503 at once, and 200 when one is free. */
static int test_E11_no_connection_left(pg_server *server)
{
    load_target target;
    char conninfo[200];
    PGconn *held[5];
    int bad = make_database(server, "none", "", conninfo, sizeof conninfo);

    server->options[0] = "max_connections=5";
    server->options[1] = "superuser_reserved_connections=0";
    bad |= pg_server_stop(server) || pg_server_start(server) ||
           load_target_open(&target, conninfo, TIMEOUT_MS, WRITERS);
    if (bad)
        return bad;
    for (int i = 0; i < 5; i++) {
        held[i] = PQconnectdb(conninfo);
        if (PQstatus(held[i]) != CONNECTION_OK && !test_wait_until(take_connection, &held[i]))
            bad = fail("not all connections can be had", i);
    }
    bad |= expect(&target, "no connection", 503, 3);
    for (int i = 0; i < 5; i++)
        PQfinish(held[i]);
    bad |= wait_for_places(conninfo) || expect(&target, "after", 200, 3);
    load_target_close(&target);
    server->options[0] = NULL;
    server->options[1] = NULL;
    bad |= pg_server_stop(server) || pg_server_start(server);
    return bad;
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

/* Runs writers and foreigners for a while, and longer where a busy machine has not let them do
 * much, or the server does not say yet what `question` asks for, if that is there; every request
 * must be 200. */
static int run_disturbed(const char *conninfo, const char *setup, const char *text, int64_t ms,
                         question *until)
{
    atomic_int is_stopping = 0;
    foreigner others[FOREIGNERS];
    load_target target;
    load *l;
    int bad = load_target_open(&target, conninfo, LONG_TIMEOUT_MS, 0);

    if (bad)
        return bad;
    l = load_new(&target, WRITERS);
    bad = l == NULL || load_start(l) != 0 || load_wait_for_success(l) < 0;
    for (size_t i = 0; i < FOREIGNERS; i++) {
        others[i] = (foreigner){conninfo, setup, text, &is_stopping, 0, 0, 0};
        if (pthread_create(&others[i].thread, NULL, disturb, &others[i]) != 0)
            abort();
    }
    test_pause_ms(ms);
    test_wait_until(have_done_enough, others);
    if (until != NULL && !test_wait_until(is_answered_so, until))
        bad = fail(until->sql, 0);
    atomic_store(&is_stopping, 1);
    for (size_t i = 0; i < FOREIGNERS; i++) {
        pthread_join(others[i].thread, NULL);
        printf("    another session: %u done, %u refused\n", atomic_load(&others[i].done),
               atomic_load(&others[i].failures));
    }
    if (l != NULL) {
        load_stop(l);
        load_print(l, "    E7, among others");
        bad |= load_check_answers(l) || load_check_tables(l, conninfo, LOAD_ORDERED, 1);
        if (load_count(l, 503) > 0)
            bad = fail("E7: requests failed", (long long)load_count(l, 503));
    }
    load_free(l);
    load_target_close(&target);
    return bad;
}

/* Foreign transactions lock contacts in the opposite order. Whoever has waited for deadlock_timeout
 * looks for a deadlock, once, and is the one to be ended: mostly the library, which waits less. */
static int test_E7_deadlocks(pg_server *server)
{
    char conninfo[200];
    /* the server counts some time after it has happened */
    question happened = {
        conninfo, "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = 'deadlocks'", "t"};

    return make_database(server, "deadlocks", "", conninfo, sizeof conninfo) ||
           sql(server, "ALTER DATABASE deadlocks SET deadlock_timeout = '10ms'") ||
           run_disturbed(conninfo, "SET deadlock_timeout = '150ms'",
                         "DO $$ DECLARE k text; BEGIN"
                         " FOR k IN SELECT external_id FROM bb_contacts.contacts"
                         " WHERE external_id ~ '^[os][.]' ORDER BY external_id DESC LOOP"
                         " PERFORM FROM bb_contacts.contacts WHERE external_id = k FOR UPDATE;"
                         " END LOOP; END $$",
                         test_times(1500), &happened);
}

/* The database's default is serializable, and others read and write so. */
static int test_E7_serializable(pg_server *server)
{
    char conninfo[200];

    return make_database(server, "serializable", "", conninfo, sizeof conninfo) ||
           sql(server, "ALTER DATABASE serializable"
                       " SET default_transaction_isolation = 'serializable'") ||
           run_disturbed(conninfo, "SET default_transaction_isolation = 'serializable'",
                         "BEGIN; SELECT count(*), pg_sleep(0.005) FROM bb_contacts.contacts;"
                         "UPDATE bb_contacts.contacts SET phonenumber = random()::text"
                         " WHERE external_id LIKE 'o.1.1.%'; COMMIT",
                         test_times(1500), NULL);
}

/* A trigger of the host's own that fails as a serialization failure does, every few times. */
static int test_E7_serialization_failures(pg_server *server)
{
    load_target target;
    char conninfo[200];
    char failures[24] = "0";
    load *l = NULL;
    int bad = make_database(server, "failures", "", conninfo, sizeof conninfo) ||
              load_target_open(&target, conninfo, TIMEOUT_MS, 0);
    PGconn *connection = bad ? NULL : PQconnectdb(conninfo);

    if (bad)
        return bad;
    PQclear(PQexec(connection, "CREATE SEQUENCE failures;"
                               "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                               " IF random() < 0.3 THEN PERFORM nextval('public.failures');"
                               " RAISE EXCEPTION 'on purpose' USING ERRCODE = '40001';"
                               " END IF; RETURN NULL; END $$;"
                               "CREATE TRIGGER fail AFTER INSERT OR UPDATE ON bb_contacts.contacts"
                               " FOR EACH STATEMENT EXECUTE FUNCTION fail()"));
    l = load_new(&target, WRITERS);
    bad = l == NULL || load_start(l) != 0 || load_wait_for_success(l) < 0;
    test_pause_ms(test_times(1000));
    if (l != NULL) {
        load_stop(l);
        load_print(l, "    E7, serialization failures");
        bad |= load_check_answers(l) || load_check_tables(l, conninfo, LOAD_ORDERED, 1);
        if (load_count(l, 503) > 0)
            bad = fail("E7: requests failed", (long long)load_count(l, 503));
    }
    PQfinish(connection);
    load_free(l);
    load_target_close(&target);
    bad |= test_postgres_sql(conninfo, "SELECT last_value FROM public.failures", failures,
                             sizeof failures);
    printf("    serialization failures: %s\n", failures);
    return bad;
}

/* ------------------------------------------------------------------------------------- all */

static const struct {
    const char *name;
    int (*run)(pg_server *server);
} tests[] = {
    {"E11: default_transaction_read_only", test_E11_read_only},
    {"A1: a hot standby", test_A1_hot_standby},
    {"E11: disk full", test_E11_disk_full},
    {"E7: deadlocks with others", test_E7_deadlocks},
    {"E7: serializable by default", test_E7_serializable},
    {"E7: serialization failures", test_E7_serialization_failures},
    {"E11: max_connections reached", test_E11_max_connections},
    {"E11: no connection left", test_E11_no_connection_left},
};

int main(void)
{
    pg_server server;
    int status = pg_server_create(&server);

    if (status != 0)
        return status;
    if (pg_server_start(&server) != 0) {
        pg_server_remove(&server);
        return 1;
    }
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        int64_t begin = test_now_ms();
        int bad = tests[i].run(&server);
        printf("%s: %s, %lld ms\n", tests[i].name, bad ? "FAILED" : "ok",
               (long long)(test_now_ms() - begin));
        fflush(stdout);
        status |= bad;
    }
    pg_server_remove(&server);
    return status;
}
