/*
 * test_hosts.c: the hosts of a connection string are tried in turn, each for its share of the time
 * (E11).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/postgres/wire/hosts.h"
#include "bb_contacts/storage.h"

typedef struct expectation {
    const char *conninfo;
    size_t count;
    const char *host; /* of the last one */
    const char *port;
} expectation;

static void test_E11_hosts_of_a_connection_string(void **state)
{
    static const expectation expectations[] = {
        {"", 1, NULL, NULL},
        {"host=/one", 1, "/one", NULL},
        {"host=/one,/two", 2, "/two", NULL},
        {"host=/one,/two port=1,2", 2, "/two", "2"},
        {"host=/one,/two,/three port=7", 3, "/three", "7"},
        {"postgresql://%2Fone:1,%2Ftwo:2/db", 2, "/two", "2"},
        {"hostaddr=127.0.0.1,127.0.0.2 host=a,b port=1,2", 2, "b", "2"},
        /* libpq refuses this itself */
        {"host=/one,/two port=1,2,3", 1, NULL, NULL},
        {"host=/one hostaddr=127.0.0.1,127.0.0.2", 1, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const expectation *e = &expectations[i];
        bb_pg_hosts hosts;
        PGconn *conn;
        assert_int_equal(bb_pg_hosts_read(&hosts, e->conninfo), 1);
        assert_int_equal(hosts.count, e->count);
        conn = bb_pg_hosts_start(&hosts, hosts.count - 1);
        assert_non_null(conn);
        if (e->host != NULL)
            assert_string_equal(PQhost(conn), e->host);
        if (e->port != NULL)
            assert_string_equal(PQport(conn), e->port);
        PQfinish(conn);
        bb_pg_hosts_free(&hosts);
    }
}

/* How many milliseconds of 12 seconds the next host gets. Asks again if a slow machine took so long
 * that the answer says little. */
static int64_t share(const char *conninfo, size_t left)
{
    bb_pg_hosts hosts;
    int64_t whole;
    int64_t ms;

    assert_int_equal(bb_pg_hosts_read(&hosts, conninfo), 1);
    do {
        whole = bb_deadline_in(12000);
        ms = bb_deadline_left(bb_pg_hosts_deadline(&hosts, left, whole));
    } while (bb_deadline_left(whole) < 11900);
    bb_pg_hosts_free(&hosts);
    return ms;
}

static void test_E11_no_host_takes_the_time_of_the_others(void **state)
{
    (void)state;
    assert_in_range(share("host=/one", 1), 11000, 12000);
    assert_in_range(share("host=/one,/two", 2), 3500, 4000);
    assert_in_range(share("host=/one,/two", 1), 5500, 6000);
    assert_in_range(share("host=/one,/two,/three", 3), 2500, 3000);
    assert_in_range(share("host=/one,/two connect_timeout=3", 2), 2500, 3000);
    assert_in_range(share("host=/one,/two connect_timeout=60", 2), 3500, 4000);
    assert_in_range(share("host=/one connect_timeout=1", 1), 1500, 2000);
    assert_in_range(share("host=/one connect_timeout=60", 1), 11000, 12000);
    assert_in_range(share("host=/one connect_timeout=0", 1), 11000, 12000);
    assert_in_range(share("host=/one connect_timeout=-1", 1), 11000, 12000);
    assert_in_range(share("host=/one connect_timeout=99999999999999999999", 1), 11000, 12000);
    assert_in_range(share("host=/one connect_timeout=18446744073709552", 1), 11000, 12000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E11_hosts_of_a_connection_string),
        cmocka_unit_test(test_E11_no_host_takes_the_time_of_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
