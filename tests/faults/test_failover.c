/*
 * test_failover.c: a primary server dies, or can no longer be reached, and its standby is promoted
 * while 8 threads write: with synchronous replication nothing that was answered 200 is lost (E8),
 * and writes go on within 5 seconds (E11), in one of a few tries, as a busy machine takes longer.
 */
#include <stdio.h>

#include "faults/load.h"
#include "faults/pg_server.h"
#include "faults/proxy.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum {
    WRITERS = 8,
    TIMEOUT_MS = 30000,
    SHORT_TIMEOUT_MS = 3000,
    GO_ON_MS = 5000,
    TRIES = 4,
    MOST_PROMOTIONS = 20
};

/* Two servers, each behind a proxy. */
typedef struct pair {
    pg_server primary;
    pg_server standby;
    proxy *to_primary;
    proxy *to_standby;
    char conninfo[300];
} pair;

static proxy *proxy_to(const pg_server *server)
{
    char path[PG_SERVER_PATH + 20];

    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", server->folder);
    return proxy_open(path);
}

/* The primary waits for the standby at every commit. Once promoted, the standby waits for
 * nobody. */
static int open_pair(pair *p)
{
    int status = pg_server_create(&p->primary);

    if (status != 0)
        return status;
    status = pg_server_start(&p->primary);
    if (status == 0)
        status = pg_server_create_standby(&p->standby, &p->primary);
    if (status == 0)
        status = pg_server_stop(&p->primary);
    p->primary.options[0] = "synchronous_standby_names=*";
    p->standby.options[0] = "wal_retrieve_retry_interval=100ms"; /* so that it is promoted sooner */
    if (status == 0)
        status = pg_server_start(&p->primary) || pg_server_start(&p->standby);
    if (status != 0)
        return 1;
    p->to_primary = proxy_to(&p->primary);
    p->to_standby = proxy_to(&p->standby);
    if (p->to_primary == NULL || p->to_standby == NULL)
        return 1;
    snprintf(p->conninfo, sizeof p->conninfo,
             "host=127.0.0.1,127.0.0.1 port=%u,%u user=bb_test dbname=postgres"
             " target_session_attrs=read-write",
             proxy_port(p->to_primary), proxy_port(p->to_standby));
    return 0;
}

static void close_pair(pair *p)
{
    proxy_close(p->to_primary);
    proxy_close(p->to_standby);
    if (p->standby.folder[0] != '\0')
        pg_server_remove(&p->standby);
    if (p->primary.folder[0] != '\0')
        pg_server_remove(&p->primary);
}

/* What is replayed meanwhile may cancel the query that waits for the promotion. */
static int promote(const pair *p)
{
    int status = -1;

    for (int i = 0; i < MOST_PROMOTIONS && status != 0; i++) {
        status = pg_server_sql(&p->standby, "SELECT pg_promote()", NULL, 0);
        if (status != 0) /* it may have been promoted all the same; otherwise this fails */
            status =
                pg_server_sql(&p->standby, "SELECT 1 / (NOT pg_is_in_recovery())::int", NULL, 0);
    }
    return status;
}

/* The primary dies at once, under load. Returns how long after the promotion all are served, or
 * -1. */
static int64_t kill_and_promote(pair *p, load *l, uint64_t *random)
{
    int64_t killed;
    int64_t promoted;
    int64_t served;

    test_pause_ms(test_random(random, 300));
    pg_server_kill(&p->primary, 1);
    killed = test_now_ms();
    test_pause_ms(test_random(random, 500));
    if (!CHECK(promote(p) == 0))
        return -1;
    promoted = test_now_ms();
    served = load_wait_for_success(l);
    printf("    promoted %lld ms after the death, all writers served %lld ms later\n",
           (long long)(promoted - killed), (long long)served);
    return served;
}

/* The primary's machine disappears in silence: nothing comes back from it, not even a refusal. */
static int64_t silence_and_promote(pair *p, load *l, uint64_t *random)
{
    int64_t silent;
    int64_t promoted;
    int64_t served;

    test_pause_ms(test_random(random, 300));
    silent = test_now_ms();
    proxy_set_silent(p->to_primary, 1);
    pg_server_kill(&p->primary, 1);
    if (!CHECK(promote(p) == 0))
        return -1;
    promoted = test_now_ms();
    served = load_wait_for_success(l);
    printf("    promoted %lld ms after the silence, all writers served %lld ms later\n",
           (long long)(promoted - silent), (long long)served);
    return served;
}

/* Fails over under load. Returns how long after the promotion all are served, or -1. */
static int64_t run(int64_t timeout_ms, int64_t (*fail_over)(pair *p, load *l, uint64_t *random))
{
    uint64_t random = test_seed();
    pair p = {.conninfo = ""};
    load_target target;
    char survivor[200];
    int64_t served = -1;
    load *l;

    if (!CHECK(open_pair(&p) == 0) ||
        !CHECK(load_target_open(&target, p.conninfo, timeout_ms, 0) == 0)) {
        close_pair(&p);
        return -1;
    }
    l = load_new(&target, WRITERS);
    if (CHECK(l != NULL) && CHECK(load_start(l) == 0) && CHECK(load_wait_for_success(l) >= 0))
        served = fail_over(&p, l, &random);
    CHECK(served >= 0);
    if (l != NULL) {
        test_pause_ms(300);
        load_stop(l);
        load_print(l, "    failover");
        pg_server_conninfo(&p.standby, survivor, sizeof survivor);
        CHECK(load_check_answers(l) == 0);
        CHECK(load_check_tables(l, survivor, LOAD_ORDERED, 1) == 0);
    }
    load_free(l);
    load_target_close(&target);
    close_pair(&p);
    return served;
}

/* Fails over until writes go on in time. */
static void run_in_time(int64_t timeout_ms,
                        int64_t (*fail_over)(pair *p, load *l, uint64_t *random))
{
    int64_t served = INT64_MAX;

    for (int i = 0; i < TRIES && served > GO_ON_MS; i++)
        served = run(timeout_ms, fail_over);
    CHECK_MSG(served <= GO_ON_MS, "E11: writes went on after %lld ms", (long long)served);
}

static void test_E8_primary_killed(void)
{
    run_in_time(TIMEOUT_MS, kill_and_promote);
}

static void test_E8_primary_silent(void)
{
    run_in_time(SHORT_TIMEOUT_MS, silence_and_promote);
}

int main(void)
{
    int status = pg_server_can_run();

    if (status != 0)
        return status;
    for (uint32_t i = 0; i < test_times(1); i++) {
        CHECK_TEST(test_E8_primary_killed());
        CHECK_TEST(test_E8_primary_silent());
    }
    return check_status();
}
