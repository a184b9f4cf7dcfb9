/*
 * test_threads.c: 16 threads upsert overlapping batches through one handle (E7), over one backend.
 *
 * Every entry sets the name to its request's number, and some set the email too, so the table in
 * the end tells which request wrote each field last. All other requests that wrote the field came
 * before that; if these orders have no cycle, some serial order of the requests gives this table.
 *
 *     test_threads BACKEND [CONTACTS]
 *
 * CONTACTS is how many each request has: 50, of 200 in all, or fewer of proportionally fewer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"

enum { THREADS = 16, REQUESTS = 200, MOST_CONTACTS = 50, MOST_KEYS = 200, FIELDS = 2, NOBODY = -1 };

/* What one request has set: bit i of sets[key] stands for field i. */
typedef struct sent_request {
    unsigned char sets[MOST_KEYS];
} sent_request;

typedef struct load {
    const test_endpoint *endpoint;
    uint32_t requests; /* of each thread */
    uint32_t contacts; /* of each request */
    uint32_t keys;     /* that they are chosen from */
    sent_request *sent;
} load;

typedef struct client {
    load *shared;
    uint32_t number;
} client;

/* Chooses different keys and the fields to set, and writes the body. */
static void make_body(const load *shared, sent_request *sent, uint32_t request, uint64_t *random,
                      test_text *body)
{
    uint32_t made = 0;

    body->len = 0;
    test_append(body, "{\"users\":[");
    while (made < shared->contacts) {
        uint32_t key = test_random(random, shared->keys);
        if (sent->sets[key] != 0)
            continue;
        sent->sets[key] = (unsigned char)(1 + 2 * test_random(random, 2));
        test_append(body, "%s{\"external_id\":\"%u\",\"name\":\"%u\"", made++ > 0 ? "," : "", key,
                    request);
        if (sent->sets[key] & 2)
            test_append(body, ",\"email\":\"%u\"", request);
        test_append(body, "}");
    }
    test_append(body, "]}");
}

static void *run_client(void *arg)
{
    const client *c = arg;
    load *shared = c->shared;
    uint64_t random = test_seed() * 1000003 + c->number + 1;
    test_text body = {0};

    for (uint32_t i = 0; i < shared->requests; i++) {
        uint32_t request = c->number * shared->requests + i;
        bb_result *result;
        make_body(shared, &shared->sent[request], request, &random, &body);
        result = test_send(shared->endpoint, body.data, body.len);
        CHECK_MSG(bb_result_http_status(result) == 200 &&
                      bb_result_entries(result) == shared->contacts,
                  "request %u: %.200s", request, bb_result_body(result, NULL));
        bb_result_free(result);
    }
    free(body.data);
    return NULL;
}

static void run_clients(load *shared)
{
    pthread_t threads[THREADS];
    client clients[THREADS];
    uint32_t started = 0;

    for (; started < THREADS; started++) {
        clients[started] = (client){shared, started};
        if (pthread_create(&threads[started], NULL, run_client, &clients[started]) != 0)
            break;
    }
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    CHECK_MSG(started == THREADS, "threads can't be made");
}

/* ------------------------------------------------------------------------------- what is left */

typedef struct table {
    int32_t last[MOST_KEYS][FIELDS]; /* the request that wrote a field last, or NOBODY */
} table;

static int32_t number_in(const json *contact, const char *field)
{
    const char *text = json_text(contact, field, NULL);

    return text != NULL ? (int32_t)strtol(text, NULL, 10) : NOBODY;
}

/* Reads every contact by an upsert that sets nothing. Each must be there, with an id of its own. */
static int read_table(const load *shared, table *left)
{
    test_text body = {0};
    bb_result *result;
    json *answer;
    const json *contact;
    int64_t ids[MOST_KEYS];
    int ok = 1;

    test_append(&body, "{\"users\":[");
    for (int key = 0; key < (int)shared->keys; key++)
        test_append(&body, "%s{\"external_id\":\"%d\"}", key > 0 ? "," : "", key);
    test_append(&body, "]}");
    result = test_send(shared->endpoint, body.data, body.len);
    contact = json_at(test_data(result, &answer), 0);
    ok = contact != NULL && bb_result_count(result, BB_UNCHANGED) == shared->keys;
    for (int key = 0; ok && key < (int)shared->keys; key++, contact = contact->next) {
        left->last[key][0] = number_in(contact, "name");
        left->last[key][1] = number_in(contact, "email");
        ids[key] = test_contact_number(contact);
        for (int other = 0; other < key; other++)
            ok = ok && ids[other] != ids[key];
    }
    bb_result_free(result);
    json_free(answer);
    free(body.data);
    return ok ? 0 : -1;
}

/* Whether the field's last writer did write it, and there is one if any request did. */
static int is_explained(const load *shared, const table *left, int key, int field)
{
    int32_t last = left->last[key][field];
    int32_t total = (int32_t)(THREADS * shared->requests);

    if (last >= total)
        return 0;
    if (last != NOBODY)
        return shared->sent[last].sets[key] >> field & 1;
    for (int32_t i = 0; i < total; i++) {
        if (shared->sent[i].sets[key] >> field & 1)
            return 0;
    }
    return 1;
}

/* Whether request `a` must come before request `b`: `b` wrote last what `a` wrote too. */
static int precedes(const load *shared, const table *left, int32_t a, int32_t b)
{
    for (int key = 0; key < (int)shared->keys; key++) {
        for (int field = 0; field < FIELDS; field++) {
            if (left->last[key][field] == b && shared->sent[a].sets[key] >> field & 1)
                return 1;
        }
    }
    return 0;
}

/* The requests that wrote something last: only they have others before them. */
static size_t last_writers(const load *shared, const table *left,
                           int32_t writers[MOST_KEYS * FIELDS])
{
    size_t count = 0;

    for (int i = 0; i < (int)shared->keys * FIELDS; i++) {
        int32_t writer = left->last[i / FIELDS][i % FIELDS];
        int known = writer == NOBODY;
        for (size_t k = 0; k < count && !known; k++)
            known = writers[k] == writer;
        if (!known)
            writers[count++] = writer;
    }
    return count;
}

/* Removes, again and again, a writer that none of the others must precede. Those that can't be
 * removed are in a cycle. */
static int has_serial_order(const load *shared, const table *left)
{
    int32_t writers[MOST_KEYS * FIELDS];
    size_t count = last_writers(shared, left, writers);
    int found = 1;

    printf("%zu requests wrote last\n", count);
    while (count > 0 && found) {
        found = 0;
        for (size_t i = 0; i < count && !found; i++) {
            int is_first = 1;
            for (size_t k = 0; k < count && is_first; k++)
                is_first = k == i || !precedes(shared, left, writers[k], writers[i]);
            if (is_first) {
                writers[i] = writers[--count];
                found = 1;
            }
        }
    }
    return count == 0;
}

static void check_table(const load *shared)
{
    table left;

    if (!CHECK_MSG(read_table(shared, &left) == 0, "E7: the contacts are not as they should be"))
        return;
    for (int key = 0; key < (int)shared->keys; key++) {
        for (int field = 0; field < FIELDS; field++)
            CHECK_MSG(is_explained(shared, &left, key, field),
                      "E7: key %d, field %d: nobody left it so", key, field);
    }
    CHECK_MSG(has_serial_order(shared, &left), "E7: no serial order gives this table");
}

static void test_E7_overlapping_requests_of_16_threads(const test_endpoint *endpoint,
                                                       uint32_t contacts)
{
    load shared = {.endpoint = endpoint,
                   .requests = test_times(REQUESTS),
                   .contacts = contacts,
                   .keys = contacts * 4};

    shared.sent = calloc((size_t)THREADS * shared.requests, sizeof *shared.sent);
    if (CHECK(shared.sent != NULL)) {
        run_clients(&shared);
        check_table(&shared);
    }
    printf("%d threads, %u requests of %u contacts each\n", THREADS, shared.requests, contacts);
    free(shared.sent);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    unsigned long contacts = argc > 2 ? strtoul(argv[2], NULL, 10) : MOST_CONTACTS;
    test_endpoint endpoint;
    bb_config config;
    int status;

    if (contacts == 0 || contacts > MOST_CONTACTS)
        return 2;
    bb_config_init(&config);
    config.timeout_ms = 120000; /* the load is far past what a disk can sync at once */
    status = test_endpoint_open(&endpoint, backend, &config);
    if (status != 0)
        return status;
    CHECK_TEST(test_E7_overlapping_requests_of_16_threads(&endpoint, (uint32_t)contacts));
    test_endpoint_close(&endpoint);
    return check_status();
}
