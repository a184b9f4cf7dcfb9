/*
 * test_round_trips.c: a request on a warm session takes one round trip to the server, whatever its
 * size; on Citus, two.
 *
 * A client waits for no answer but that to a query, or to a whole pipeline, which the server ends
 * by ReadyForQuery. A proxy between the two counts these.
 */
#include <stdio.h>
#include <stdlib.h>

#include "faults/proxy.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"

#include <libpq-fe.h>

enum { ROUNDS = 9, WARM_UP = 2 };

static unsigned trips_of_a_request(void)
{
    return getenv("BB_TEST_CITUS_NODES") == NULL ? 1 : 2; // NOLINT(concurrency-mt-unsafe)
}

/* Sends requests that create, update or change nothing, after some that warm the session up. */
static void count_trips(const test_endpoint *far, proxy *way, unsigned contacts, bb_outcome wanted)
{
    static const char *const outcomes[] = {"create", "update", "repeat"};
    static int requests; /* so far; makes contacts new, and values others */
    uint64_t wanted_trips = (uint64_t)ROUNDS * trips_of_a_request();
    uint64_t before = 0;
    uint64_t trips;
    test_text body = {0};
    int good = 1;

    for (int round = -WARM_UP; good && round < ROUNDS; round++) {
        bb_result *result;
        body.len = 0;
        requests++;
        test_append(&body, "{\"users\":[");
        for (unsigned i = 0; i < contacts; i++)
            test_append(&body, "%s{\"external_id\":\"%u-%u-%d\",\"name\":\"%d\"}", i > 0 ? "," : "",
                        contacts, i, wanted == BB_CREATED ? requests : 0,
                        wanted == BB_UPDATED ? requests : 0);
        test_append(&body, "]}");
        if (round == 0)
            before = proxy_answers(way);
        result = test_send(far, body.data, body.len);
        good = round < 0 || bb_result_count(result, (int32_t)wanted) == contacts;
        bb_result_free(result);
    }
    free(body.data);
    trips = proxy_answers(way) - before;
    printf("%4u contacts, %s: %llu round trips for %d requests\n", contacts, outcomes[wanted],
           (unsigned long long)trips, ROUNDS);
    CHECK_MSG(good, "%u contacts, %s", contacts, outcomes[wanted]);
    CHECK_MSG(trips == wanted_trips, "%llu round trips", (unsigned long long)trips);
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
        for (int outcome = BB_CREATED; outcome <= BB_UNCHANGED; outcome++) {
            count_trips(&far, way, 1, (bb_outcome)outcome);
            count_trips(&far, way, 1000, (bb_outcome)outcome);
        }
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
