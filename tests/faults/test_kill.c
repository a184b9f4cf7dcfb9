/*
 * test_kill.c: the PostgreSQL server is killed with -9 and started again while 8 threads write, or
 * as many as the argument says, and the tables are compared with the answers (A2, E8), again and
 * again: 50 times if BB_TEST_LONG is set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "faults/load.h"
#include "faults/pg_server.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum { WRITERS = 8, KILLS = 5, TIMEOUT_MS = 30000 };

/* Kills and starts the server under load, at a random moment. Returns whether it serves again. */
static int kill_once(pg_server *server, load *l, uint32_t number, uint64_t *random)
{
    int is_all = number % 2 == 0; /* otherwise the other processes notice by themselves */
    int64_t killed;
    int64_t started;
    int64_t served;

    if (!CHECK(load_start(l) == 0))
        return 0;
    if (!CHECK(load_wait_for_success(l) >= 0)) {
        load_stop(l);
        return 0;
    }
    test_pause_ms(test_random(random, 300));
    pg_server_kill(server, is_all);
    killed = test_now_ms();
    test_pause_ms(test_random(random, 300));
    if (!CHECK(pg_server_start(server) == 0)) {
        load_stop(l);
        return 0;
    }
    started = test_now_ms();
    served = load_wait_for_success(l);
    load_stop(l);
    printf("kill %u (%s): started after %lld ms, all writers served %lld ms later\n", number + 1,
           is_all ? "all processes" : "the first process", (long long)(started - killed),
           (long long)served);
    fflush(stdout);
    return CHECK(served >= 0);
}

static void test_E8_killed_server(pg_server *server, uint32_t writers)
{
    uint64_t random = test_seed();
    uint32_t kills = test_times(KILLS);
    load_target target;
    char conninfo[200];
    load *l;
    int good;

    pg_server_conninfo(server, conninfo, sizeof conninfo);
    if (!CHECK(load_target_open(&target, conninfo, TIMEOUT_MS, 0) == 0))
        return;
    l = load_new(&target, writers);
    good = CHECK(l != NULL);
    for (uint32_t i = 0; i < kills && good; i++)
        good = kill_once(server, l, i, &random) &&
               CHECK(load_check_tables(l, conninfo, LOAD_ORDERED, 0) == 0);
    if (good) {
        CHECK(load_check_answers(l) == 0);
        CHECK(load_check_tables(l, conninfo, LOAD_ORDERED, 1) == 0);
    }
    if (l != NULL)
        load_print(l, "E8, killed server");
    load_free(l);
    load_target_close(&target);
}

int main(int argc, char **argv)
{
    uint32_t writers = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : WRITERS;
    pg_server server;
    int status = pg_server_create(&server);

    if (status != 0)
        return status;
    /* such a server may lose what it has acknowledged, unless the library asks for more */
    server.options[0] = "synchronous_commit=off";
    if (CHECK(pg_server_start(&server) == 0))
        CHECK_TEST(test_E8_killed_server(&server, writers));
    pg_server_remove(&server);
    return check_status();
}
