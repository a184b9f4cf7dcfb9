/*
 * test_connection.c: connections to PostgreSQL that break or fall silent: ended by the server, cut
 * at any byte, cut around COMMIT; each request is answered 200 or 503 within its deadline, and the
 * same handle goes on (A2, E8, E9, E11).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/load.h"
#include "faults/pg_server.h"
#include "faults/proxy.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

/* The time of a request that must succeed, of one under load, and of one that cannot succeed. */
enum { TIMEOUT_MS = TEST_PATIENCE_MS, LOAD_TIMEOUT_MS = 30000, SHORT_TIMEOUT_MS = 600 };

enum { WRITERS = 8, FROZEN_TIMEOUT_MS = 2000 };

/* How late the most punctual of several answers may be, and how many are tried. */
enum { LATE_MS = 1000, MOST_TRIES = 20 };

/* A server, the proxy before it, and how to reach it through the proxy. */
typedef struct site {
    pg_server server;
    proxy *proxy;
    char direct[200];
    char through[200];
    uint64_t random;
} site;

/* Whether the database has so many contacts whose external_id is like `pattern`. */
static int has_contacts(const site *s, const char *pattern, long wanted)
{
    char sql[200];
    char count[24] = "";

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM bb_contacts.contacts WHERE external_id LIKE '%s'", pattern);
    return pg_server_sql(&s->server, sql, count, sizeof count) == 0 &&
           strtol(count, NULL, 10) == wanted;
}

/* A query to the server, and the expected answer. */
typedef struct question {
    const site *site;
    const char *sql;
    const char *wanted;
} question;

static int is_answered_so(void *ctx)
{
    const question *q = ctx;
    char found[24] = "";

    return pg_server_sql(&q->site->server, q->sql, found, sizeof found) == 0 &&
           strcmp(found, q->wanted) == 0;
}

static int wait_for(const site *s, const char *sql, const char *wanted)
{
    question q = {s, sql, wanted};

    return test_wait_until(is_answered_so, &q);
}

static int is_at_rest(void *p)
{
    return proxy_busy_connections(p) == 0;
}

/* A fault that must have happened in the proxy. */
typedef struct awaited_fault {
    proxy *proxy;
    uint32_t before;
} awaited_fault;

static int has_come(void *ctx)
{
    const awaited_fault *a = ctx;

    return proxy_faults(a->proxy) != a->before;
}

/* --------------------------------------------------------------------------- one request */

/* A server process whose connection was cut may still store what it was sent, a while later. Waits
 * until the handle's one session is the only one. */
static int wait_for_orphans(const site *s)
{
    return wait_for(s,
                    "SELECT count(*) <= 1 FROM pg_stat_activity"
                    " WHERE application_name = 'bb_contacts'",
                    "t");
}

static int delete_contacts(const site *s)
{
    return pg_server_sql(&s->server, "DELETE FROM bb_contacts.contacts", NULL, 0) == 0;
}

/* A request of two contacts without external_id, whose attempts are cut around COMMIT `cuts` times:
 * it is answered 200, and there are two contacts. */
static int cut_around_commit(site *s, const load_target *target, proxy_fault_kind kind)
{
    static const char body[] = "{\"users\":[{\"name\":\"cut\"},{\"name\":\"cut\"}]}";
    proxy_fault fault = {.kind = kind, .is_reset = (int)test_random(&s->random, 2)};
    uint32_t before = proxy_faults(s->proxy);
    int good = 1;

    for (uint32_t i = 0; i < test_times(10) && good; i++) {
        bb_result *result;
        if (!CHECK(wait_for_orphans(s)) || !CHECK(delete_contacts(s)))
            return 0;
        proxy_set_fault(s->proxy, fault);
        result = load_target_send(target, body, strlen(body));
        good = CHECK_MSG(bb_result_http_status(result) == 200, "E9: %d",
                         (int)bb_result_http_status(result)) &&
               CHECK_MSG(proxy_faults(s->proxy) == before + i + 1, "cut %u did not come", i) &&
               CHECK_MSG(has_contacts(s, "%", 2), "E9: the retry made other contacts");
        bb_result_free(result);
    }
    return good;
}

/* Each attempt is cut: a 503 at the deadline, with all or nothing stored; then a 200. */
static int cut_each_time(site *s, const load_target *target, proxy_fault_kind kind, int is_kept)
{
    const proxy_fault fault = {.kind = kind, .is_lasting = 1};
    const proxy_fault none = {.kind = PROXY_NO_FAULT};
    uint32_t before = proxy_faults(s->proxy);
    int64_t timeout_ms = SHORT_TIMEOUT_MS;
    int is_quiet;
    int32_t status;
    int64_t took;

    proxy_set_fault(s->proxy, fault);
    status = load_target_send_within(target, "each", "cut", timeout_ms, &took);
    /* longer after each run in which a slow machine did not reach COMMIT */
    while (status == 503 && proxy_faults(s->proxy) == before && timeout_ms < TIMEOUT_MS) {
        timeout_ms *= 4;
        status = load_target_send_within(target, "each", "cut", timeout_ms, &took);
    }
    is_quiet = test_wait_until(is_at_rest, s->proxy); /* otherwise a COMMIT might slip through */
    proxy_set_fault(s->proxy, none);
    if (!CHECK_MSG(is_quiet, "something stays on its way") ||
        !CHECK_MSG(status == 503, "E11: %d", (int)status) ||
        !CHECK_MSG(took >= timeout_ms - 50, "E9: given up after %lld ms", (long long)took) ||
        !CHECK(wait_for_orphans(s)) || !CHECK_MSG(has_contacts(s, "each", is_kept), "A2"))
        return 0;
    status = load_target_send_one(target, "each", "again", NULL);
    return CHECK_MSG(status == 200 && has_contacts(s, "each", 1), "E11: %d", (int)status) &&
           CHECK(delete_contacts(s));
}

static void test_E9_cut_around_commit(site *s)
{
    static const proxy_fault_kind kinds[] = {PROXY_CUT_BEFORE_COMMIT, PROXY_CUT_IN_COMMIT,
                                             PROXY_CUT_BEFORE_ANSWER, PROXY_CUT_AFTER_COMMIT};
    load_target target;
    int good = 1;

    if (!CHECK(load_target_open(&target, s->through, TIMEOUT_MS, 0) == 0))
        return;
    for (size_t i = 0; i < 4 && good; i++)
        good = cut_around_commit(s, &target, kinds[i]);
    if (good && cut_each_time(s, &target, PROXY_CUT_BEFORE_COMMIT, 0) &&
        cut_each_time(s, &target, PROXY_CUT_BEFORE_ANSWER, 1))
        cut_each_time(s, &target, PROXY_CUT_AFTER_COMMIT, 1);
    load_target_close(&target);
}

/* ------------------------------------------------------------------------------- silence */

/* Requests that the server does not answer are 503 at the deadline: none before it, and the most
 * punctual one soon after it; others may be late on a busy machine. */
static void check_unheard(const load_target *target)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 3 || (least > SHORT_TIMEOUT_MS + LATE_MS && i < MOST_TRIES); i++) {
        int64_t took;
        int32_t status =
            load_target_send_within(target, "silent", "unheard", SHORT_TIMEOUT_MS, &took);
        if (!CHECK_MSG(status == 503 && took >= SHORT_TIMEOUT_MS - 50, "E11: %d after %lld ms",
                       (int)status, (long long)took))
            return;
        least = took < least ? took : least;
    }
    CHECK_MSG(least <= SHORT_TIMEOUT_MS + LATE_MS, "E11: 503 after %lld ms", (long long)least);
}

/* A server that accepts and never answers: the first request finds it so on an open session, the
 * others on new ones. */
static void test_E11_silent_server(site *s)
{
    load_target target;

    if (!CHECK(load_target_open(&target, s->through, TIMEOUT_MS, 0) == 0))
        return;
    CHECK(load_target_send_one(&target, "silent", "before", NULL) == 200);
    proxy_set_silent(s->proxy, 1);
    check_unheard(&target);
    proxy_set_silent(s->proxy, 0);
    CHECK_MSG(load_target_send_one(&target, "silent", "after", NULL) == 200, "E11: not 200 again");
    load_target_close(&target);
}

/* All processes of the server are stopped under load, and go on later: the requests that they then
 * finish were answered 503 long ago. */
static int freeze(site *s, load *l)
{
    int good;

    pg_server_signal(&s->server, SIGSTOP);
    good = CHECK(load_wait_for_failure(l));
    pg_server_signal(&s->server, SIGCONT);
    return CHECK(load_wait_for_success(l) >= 0) && good;
}

/* ------------------------------------------------------------------------------ under load */

/* Harms the server or the connections while writers write. Returns whether it could. */
typedef int (*harm)(site *s, load *l);

/* Runs a load with repeated harm, then lets it recover and compares. */
static void run_harmed(site *s, const char *conninfo, int64_t timeout_ms, harm do_harm,
                       uint32_t times, load_order order)
{
    load_target target;
    load *l;
    int good;

    if (!CHECK(load_target_open(&target, conninfo, timeout_ms, 0) == 0))
        return;
    l = load_new(&target, WRITERS);
    good = CHECK(l != NULL) && CHECK(load_start(l) == 0) && CHECK(load_wait_for_success(l) >= 0);
    for (uint32_t i = 0; i < times && good; i++)
        good = do_harm(s, l);
    if (l != NULL) {
        CHECK(!good || load_wait_for_success(l) >= 0);
        load_stop(l);
        load_print(l, "   ");
        CHECK(load_check_answers(l) == 0);
        CHECK(load_check_tables(l, s->direct, order, 1) == 0);
    }
    load_free(l);
    load_target_close(&target);
}

static void test_E11_frozen_server(site *s)
{
    run_harmed(s, s->direct, FROZEN_TIMEOUT_MS, freeze, 2, LOAD_LATE_WRITES);
}

static int terminate_some(site *s, load *l)
{
    char sql[200];

    (void)l;
    test_pause_ms(test_random(&s->random, 30));
    snprintf(sql, sizeof sql,
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
             " WHERE application_name = 'bb_contacts' AND hashint4(pid) %% 3 = %u - 1",
             test_random(&s->random, 3));
    return CHECK(pg_server_sql(&s->server, sql, NULL, 0) == 0);
}

static void test_E8_terminated_sessions(site *s)
{
    run_harmed(s, s->direct, LOAD_TIMEOUT_MS, terminate_some, test_times(60), LOAD_ORDERED);
}

static int is_ready(void *server)
{
    return pg_server_is_ready(server);
}

/* One process of the server dies, which ends all sessions and makes it recover by itself. */
static int kill_session_process(site *s, load *l)
{
    pid_t pid = pg_server_session_process(&s->server, test_random(&s->random, 1000));

    (void)l;
    if (pid > 0)
        kill(pid, SIGKILL);
    test_pause_ms(50);
    return CHECK_MSG(test_wait_until(is_ready, &s->server), "the server did not recover");
}

static void test_E8_killed_session_process(site *s)
{
    run_harmed(s, s->direct, LOAD_TIMEOUT_MS, kill_session_process, test_times(3), LOAD_ORDERED);
}

/* Cuts one direction or the other, after numbers of bytes that leave out no part of a request. */
static int cut_anywhere(site *s, load *l)
{
    const proxy_fault fault = {.kind = test_random(&s->random, 2) ? PROXY_CUT_TO_SERVER
                                                                  : PROXY_CUT_TO_CLIENT,
                               .bytes = test_random(&s->random, 6000),
                               .is_reset = (int)test_random(&s->random, 2)};
    awaited_fault awaited = {s->proxy, proxy_faults(s->proxy)};

    (void)l;
    proxy_set_fault(s->proxy, fault);
    return CHECK_MSG(test_wait_until(has_come, &awaited), "fault %d did not come", (int)fault.kind);
}

static void test_E8_cut_at_any_byte(site *s)
{
    run_harmed(s, s->through, LOAD_TIMEOUT_MS, cut_anywhere, test_times(150), LOAD_LATE_WRITES);
}

static int cut_commit(site *s, load *l)
{
    const proxy_fault fault = {
        .kind = (proxy_fault_kind)(PROXY_CUT_BEFORE_COMMIT + test_random(&s->random, 4)),
        .is_reset = (int)test_random(&s->random, 2)};
    awaited_fault awaited = {s->proxy, proxy_faults(s->proxy)};

    (void)l;
    proxy_set_fault(s->proxy, fault);
    return CHECK_MSG(test_wait_until(has_come, &awaited), "fault %d did not come", (int)fault.kind);
}

static void test_E8_cut_around_commit(site *s)
{
    run_harmed(s, s->through, LOAD_TIMEOUT_MS, cut_commit, test_times(60), LOAD_LATE_WRITES);
}

/* ------------------------------------------------------------------------------------- all */

/* Ends what the last test left behind: a session for which nobody waits any more may still commit,
 * and each test knows only the contacts of its own requests. */
static site *empty(site *s)
{
    CHECK(wait_for(s,
                   "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                   " WHERE application_name = 'bb_contacts'",
                   "0"));
    CHECK(pg_server_sql(&s->server,
                        "DO $$ BEGIN IF to_regclass('bb_contacts.contacts') IS NOT NULL THEN"
                        " DELETE FROM bb_contacts.contacts; END IF; END $$",
                        NULL, 0) == 0);
    return s;
}

int main(void)
{
    char path[PG_SERVER_PATH + 20];
    site s = {.random = test_seed()};
    int status = pg_server_create(&s.server);

    if (status != 0)
        return status;
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", s.server.folder);
    s.server.options[0] = "restart_after_crash=on";
    if (pg_server_start(&s.server) == 0)
        s.proxy = proxy_open(path);
    if (s.proxy == NULL) {
        pg_server_remove(&s.server);
        return 1;
    }
    pg_server_conninfo(&s.server, s.direct, sizeof s.direct);
    snprintf(s.through, sizeof s.through, "host=127.0.0.1 port=%u user=bb_test dbname=postgres",
             proxy_port(s.proxy));
    CHECK_TEST(test_E9_cut_around_commit(empty(&s)));
    CHECK_TEST(test_E11_silent_server(empty(&s)));
    CHECK_TEST(test_E11_frozen_server(empty(&s)));
    CHECK_TEST(test_E8_terminated_sessions(empty(&s)));
    CHECK_TEST(test_E8_killed_session_process(empty(&s)));
    CHECK_TEST(test_E8_cut_at_any_byte(empty(&s)));
    CHECK_TEST(test_E8_cut_around_commit(empty(&s)));
    proxy_close(s.proxy);
    pg_server_remove(&s.server);
    return check_status();
}
