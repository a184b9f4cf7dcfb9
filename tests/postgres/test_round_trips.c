/*
 * test_round_trips.c: a request on a warm session takes one round trip to the server, whatever its
 * size; on Citus, two.
 *
 * Through a proxy that adds 20 ms each way, it must take less than 1.3 round trips more than
 * without; on Citus, 2.6. The fastest of several requests counts, or, if that was too slow, of some
 * more, since a busy machine only makes times longer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "faults/proxy.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"

#include <libpq-fe.h>

enum { DELAY_MS = 20, ROUNDS = 9, WARM_UP = 2, TRIES = 10 };

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The shortest time of requests that create, update or change nothing; negative: one failed. */
static double measure(const test_endpoint *endpoint, unsigned contacts, bb_outcome wanted,
                      const char *run)
{
    static const char *const outcomes[] = {"create", "update", "repeat"};
    static int requests; /* so far; makes contacts new, and values others */
    double shortest = 1e9;
    test_text body = {0};
    int good = 1;

    for (int round = -WARM_UP; good && round < ROUNDS; round++) {
        double start;
        bb_result *result;
        body.len = 0;
        requests++;
        test_append(&body, "{\"users\":[");
        for (unsigned i = 0; i < contacts; i++)
            test_append(&body, "%s{\"external_id\":\"%s-%u-%u-%d\",\"name\":\"%d\"}",
                        i > 0 ? "," : "", run, contacts, i, wanted == BB_CREATED ? requests : 0,
                        wanted == BB_UPDATED ? requests : 0);
        test_append(&body, "]}");
        start = now_ms();
        result = test_send(endpoint, body.data, body.len);
        if (round >= 0) {
            double took = now_ms() - start;
            shortest = took < shortest ? took : shortest;
            good = bb_result_count(result, (int32_t)wanted) == contacts;
        }
        bb_result_free(result);
    }
    free(body.data);
    return CHECK_MSG(good, "%u contacts, %s", contacts, outcomes[wanted]) ? shortest : -1;
}

static double most_trips(void)
{
    return getenv("BB_TEST_CITUS_NODES") == NULL ? 1.3 : 2.6; // NOLINT(concurrency-mt-unsafe)
}

/* Compares the two ways to the server for requests of this size. */
static void compare_ways(const test_endpoint *near, const test_endpoint *far, unsigned contacts)
{
    static const char *const names[] = {"created", "updated", "unchanged"};

    for (int outcome = BB_CREATED; outcome <= BB_UNCHANGED; outcome++) {
        double alone = measure(near, contacts, (bb_outcome)outcome, "near");
        double delayed = measure(far, contacts, (bb_outcome)outcome, "far");
        double trips = (delayed - alone) / (2 * DELAY_MS);
        int good = alone >= 0 && delayed >= 0 && trips < most_trips();
        for (int i = 1; i < TRIES && alone >= 0 && delayed >= 0 && !good; i++) {
            double again = measure(far, contacts, (bb_outcome)outcome, "far");
            delayed = again < delayed ? again : delayed;
            trips = (delayed - alone) / (2 * DELAY_MS);
            good = delayed >= 0 && trips < most_trips();
        }
        printf("%4u %-9s %7.2f ms, with the proxy %7.2f ms: %.2f round trips\n", contacts,
               names[outcome], alone, delayed, trips);
        CHECK_MSG(good, "%.2f round trips", trips);
    }
}

/* The socket of the server that BB_TEST_POSTGRES names; 0 if it has none. */
static int socket_of_server(char *path, size_t size)
{
    PGconn *connection = PQconnectdb(getenv("BB_TEST_POSTGRES")); // NOLINT(concurrency-mt-unsafe)
    const char *host = PQhost(connection);
    int found = host != NULL && host[0] == '/';

    if (found)
        snprintf(path, size, "%s/.s.PGSQL.%s", host, PQport(connection));
    PQfinish(connection);
    return found;
}

static int open_far(test_endpoint *far, const test_endpoint *near, unsigned port)
{
    char conninfo[1000];
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    snprintf(conninfo, sizeof conninfo, "%s host=127.0.0.1 port=%u sslmode=disable",
             near->store.place, port);
    code = bb_storage_open_postgres(conninfo, strlen(conninfo), NULL, &far->store.storage, &error);
    if (code == BB_OK)
        code = test_open_contacts(far->store.storage, NULL, &far->contacts, &error);
    if (code != BB_OK)
        fprintf(stderr, "cannot open: %s\n", error.message);
    return code == BB_OK ? 0 : -1;
}

static void test_one_round_trip(const test_endpoint *near, proxy *way)
{
    test_endpoint far = {0};

    if (CHECK(open_far(&far, near, proxy_port(way)) == 0)) {
        proxy_set_delay(way, DELAY_MS);
        compare_ways(near, &far, 1);
        compare_ways(near, &far, 1000);
    }
    bb_contacts_close(far.contacts);
    bb_storage_close(far.store.storage);
}

int main(void)
{
    test_endpoint near;
    char path[200];
    proxy *way;
    int status = test_endpoint_open(&near, "postgres", NULL);

    if (status != 0)
        return status;
    if (!socket_of_server(path, sizeof path)) {
        puts("SKIPPED: the server has no Unix socket");
        test_endpoint_close(&near);
        return TEST_SKIPPED;
    }
    way = proxy_open(path);
    if (CHECK(way != NULL))
        CHECK_TEST(test_one_round_trip(&near, way));
    proxy_close(way);
    test_endpoint_close(&near);
    return check_status();
}
