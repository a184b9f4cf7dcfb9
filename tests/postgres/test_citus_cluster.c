/*
 * test_citus_cluster.c: what only a cluster shows: tables spread over nodes, requests given to any
 * of them, and nodes that are down.
 *
 * Runs if BB_TEST_CITUS_NODES lists a cluster's nodes as citus_database.sh takes them. Stops nodes
 * only if BB_TEST_CITUS_CONTROL names a script for that, whose arguments are one of stop, start,
 * freeze and thaw, and the node.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bb_contacts/conformance.h"
#include "bb_contacts/storage.h"
#include "execute/storage.h"
#include "postgres/process.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

/* TIMEOUT_MS is the time of requests whose node may be down, LATE_MS how much later their answers
 * may come on a busy machine. */
enum { MOST_NODES = 8, CHATBOTS = 24, TIMEOUT_MS = 3000, LATE_MS = 20000 };

static char nodes[MOST_NODES][100];
static unsigned node_count;

static int read_nodes(void)
{
    const char *list = getenv("BB_TEST_CITUS_NODES"); // NOLINT(concurrency-mt-unsafe)
    int used = 0;

    for (; list != NULL && node_count < MOST_NODES; list += used, node_count++) {
        if (sscanf(list, "%99s%n", nodes[node_count], &used) != 1) // NOLINT(cert-err34-c)
            break;
    }
    return node_count > 1;
}

static int32_t open_at(const test_store *store, const char *node, bb_storage **out, bb_error *error)
{
    size_t host_len = strcspn(node, ":");
    char conninfo[1000];
    int len = snprintf(conninfo, sizeof conninfo, "%s host='%.*s' port='%s'", store->place,
                       (int)host_len, node, node + host_len + 1);

    return bb_storage_open_postgres(conninfo, (size_t)len, NULL, out, error);
}

/* --------------------------------------------------------------------- sessions on all nodes */

/* A store whose sessions are on one node after the other. */
typedef struct spread {
    test_store own;
    bb_storage *at[MOST_NODES];
    bb_storage_vtable vtable;
    atomic_uint next;
} spread;

static int32_t open_session(void *store, int64_t deadline, void **session, bb_error *error)
{
    spread *s = store;
    const bb_storage *storage = s->at[atomic_fetch_add(&s->next, 1) % node_count];

    return storage->vtable.session_open(storage->store, deadline, session, error);
}

static void close_spread(void *ctx, bb_conformance_store *store)
{
    spread *s = store->owner;

    (void)ctx;
    for (unsigned i = 0; i < node_count; i++)
        bb_storage_close(s->at[i]);
    test_store_close(&s->own);
    free(s);
}

static int32_t open_spread(void *ctx, bb_conformance_store *out)
{
    spread *s = calloc(1, sizeof *s);
    int32_t code = BB_OK;
    bb_error error;

    (void)ctx;
    bb_error_init(&error);
    if (s == NULL)
        return BB_ERR_NOMEM;
    if (test_store_open_migrated(&s->own, "postgres") != 0) {
        free(s);
        return BB_ERR_UNAVAILABLE;
    }
    out->owner = s;
    for (unsigned i = 0; code == BB_OK && i < node_count; i++)
        code = open_at(&s->own, nodes[i], &s->at[i], &error);
    if (code != BB_OK) {
        close_spread(NULL, out);
        return code;
    }
    s->vtable = s->own.storage->vtable;
    s->vtable.session_open = open_session;
    out->vtable = &s->vtable;
    out->store = s;
    return BB_OK;
}

static void report(void *ctx, const char *name, int32_t outcome, const char *detail)
{
    static const char *const words[] = {"ok     ", "FAILED ", "skipped"};
    unsigned *cases = ctx;

    ++*cases;
    printf("%s %s%s%s\n", words[outcome], name, *detail != '\0' ? ": " : "", detail);
    fflush(stdout);
}

/* Runs the conformance suite, each of its sessions on another node than the one before. */
static int run_on_all_nodes(void)
{
    unsigned cases = 0;
    bb_conformance_options options;
    int failures;

    bb_conformance_options_init(&options);
    options.ctx = &cases;
    options.open = open_spread;
    options.close = close_spread;
    options.report = report;
    options.threads = test_threads();
    options.writes = test_times(100);
    options.seed = test_seed();
    options.differences = BB_CONFORMANCE_PUT_AFTER_COMMIT;
    failures = bb_conformance_run(&options);
    printf("sessions on %u nodes: %u cases, %d failed\n", node_count, cases, failures);
    return failures == 0 && cases > 0 ? 0 : -1;
}

/* ------------------------------------------------------------------------- nodes that are down */

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int32_t send_contact(const test_endpoint *endpoint, unsigned chatbot, const char *key,
                            unsigned version, int64_t timeout_ms)
{
    char body[100], id[20];
    int body_len = snprintf(body, sizeof body,
                            "{\"users\":[{\"external_id\":\"%s\",\"name\":\"%u\"}]}", key, version);
    int id_len = snprintf(id, sizeof id, "%u", chatbot);
    bb_request request = test_request(body, (size_t)body_len);
    bb_result *result;
    int32_t status;

    request.chatbot_id = id;
    request.chatbot_id_len = (size_t)id_len;
    request.timeout_ms = timeout_ms;
    result = bb_contacts_upsert(endpoint->contacts, &request);
    status = bb_result_http_status(result);
    bb_result_free(result);
    return status;
}

/* Asks which chatbots' contacts are on a node: element i is '1' if those of chatbot i + 1 are. */
static int find_chatbots(const test_endpoint *endpoint, const char *node, char *there, size_t size)
{
    char sql[600];

    snprintf(sql, sizeof sql,
             "SELECT string_agg((p.nodename || ':' || p.nodeport = '%s')::integer::text, ''"
             " ORDER BY b) FROM generate_series(1, %d) b JOIN pg_dist_shard_placement p ON"
             " p.shardid = get_shard_id_for_distribution_column('bb_contacts.contacts', b)",
             node, CHATBOTS);
    return test_store_sql(&endpoint->store, sql, there, size);
}

/* Whether requests of all chatbots are answered in time: 503 where `down` has '1', else 200. */
static int check_all(const test_endpoint *endpoint, const char *down, const char *when)
{
    static unsigned version;
    unsigned answers[2] = {0, 0}, faults = 0;
    double longest = 0;

    for (unsigned i = 0; i < CHATBOTS; i++) {
        int is_down = down[i] == '1';
        double start = seconds_now();
        int32_t status = send_contact(endpoint, i + 1, "one", ++version,
                                      is_down ? TIMEOUT_MS : TEST_PATIENCE_MS);
        double time = seconds_now() - start;
        longest = is_down && time > longest ? time : longest;
        if (status != (is_down ? 503 : 200)) {
            fprintf(stderr, "%s: %d for chatbot %u\n", when, (int)status, i + 1);
            faults++;
        }
        answers[is_down]++;
    }
    printf("%s: %u times 200, %u times 503, %u otherwise; the longest 503 took %.2f s\n", when,
           answers[0], answers[1], faults, longest);
    return faults == 0 && longest < (TIMEOUT_MS + LATE_MS) / 1e3 ? 0 : -1;
}

static int control(const char *script, const char *verb, const char *node)
{
    const char *arguments[] = {"/bin/sh", script, verb, node, NULL};

    return process_wait(process_start(arguments));
}

/* One worker goes down and comes back, under one session. */
static int take_down(const test_endpoint *endpoint, const char *script, const char *down_verb,
                     const char *up_verb)
{
    const char *node = nodes[node_count - 1];
    char there[CHATBOTS + 1] = "", none[CHATBOTS + 1] = "", when[120];
    int failed = find_chatbots(endpoint, node, there, sizeof there) != 0;

    memset(none, '0', CHATBOTS);
    failed |= strchr(there, '1') == NULL || strchr(there, '0') == NULL;
    failed |= check_all(endpoint, none, "before") != 0;
    failed |= control(script, down_verb, node) != 0;
    snprintf(when, sizeof when, "after %s %s", down_verb, node);
    failed |= check_all(endpoint, there, when) != 0;
    failed |= control(script, up_verb, node) != 0;
    snprintf(when, sizeof when, "after %s %s", up_verb, node);
    failed |= check_all(endpoint, none, when) != 0;
    return failed;
}

/* A worker that restarts between two requests: the connections to it are gone. */
static int restart(const test_endpoint *endpoint, const char *script)
{
    char none[CHATBOTS + 1] = "";
    int failed;

    memset(none, '0', CHATBOTS);
    failed = check_all(endpoint, none, "before") != 0;
    failed |= control(script, "stop", nodes[node_count - 1]) != 0;
    failed |= control(script, "start", nodes[node_count - 1]) != 0;
    failed |= check_all(endpoint, none, "after a restart") != 0;
    return failed;
}

/* Creates one contact after the other until it is told to stop. */
typedef struct stream {
    pthread_t id;
    const test_endpoint *endpoint;
    atomic_int *stop;
    test_text answered; /* the keys of those answered 200 */
    unsigned chatbot;
    unsigned times[2]; /* answered 503, answered 200 */
    unsigned faults;
} stream;

static void *run_stream(void *arg)
{
    stream *s = arg;
    char key[40];

    for (unsigned i = 0; !atomic_load(s->stop); i++) {
        int32_t status;
        snprintf(key, sizeof key, "stream-%u", i);
        status = send_contact(s->endpoint, s->chatbot, key, 0, TIMEOUT_MS);
        if (status == 200)
            test_append(&s->answered, ",%s", key);
        else if (status != 503)
            s->faults++;
        s->times[status == 200]++;
    }
    return NULL;
}

/* Whether all that was answered 200 is there. */
static int check_stream(const test_endpoint *endpoint, const stream *s)
{
    test_text sql = {0};
    char missing[20] = "";
    int failed;

    test_append(&sql,
                "SELECT count(*) FROM unnest('{%s}'::text[]) k WHERE k NOT IN (SELECT external_id"
                " FROM bb_contacts.contacts WHERE chatbot_id = %u)",
                s->answered.len > 0 ? s->answered.data + 1 : "", s->chatbot);
    failed = test_store_sql(&endpoint->store, sql.data, missing, sizeof missing) != 0;
    printf("chatbot %u: %u times 200, %u times 503, %u otherwise; %s answered 200 are missing\n",
           s->chatbot, s->times[1], s->times[0], s->faults, missing);
    failed |= s->faults > 0 || s->times[1] == 0 || strcmp(missing, "0") != 0;
    free(sql.data);
    return failed;
}

/* A worker crashes again and again under requests (E8). */
static int crash(const test_endpoint *endpoint, const char *script)
{
    static stream streams[CHATBOTS];
    const struct timespec pause = {0, 500000000};
    atomic_int stop;
    int failed = 0;

    atomic_init(&stop, 0);
    for (unsigned i = 0; i < CHATBOTS; i++) {
        streams[i] = (stream){.endpoint = endpoint, .chatbot = i + 1, .stop = &stop};
        failed |= pthread_create(&streams[i].id, NULL, run_stream, &streams[i]) != 0;
    }
    for (unsigned i = 0; i < 4; i++) {
        nanosleep(&pause, NULL);
        failed |= control(script, "stop", nodes[node_count - 1]) != 0;
        failed |= control(script, "start", nodes[node_count - 1]) != 0;
    }
    nanosleep(&pause, NULL);
    atomic_store(&stop, 1);
    for (unsigned i = 0; i < CHATBOTS; i++)
        pthread_join(streams[i].id, NULL);
    for (unsigned i = 0; i < CHATBOTS; i++) {
        failed |= check_stream(endpoint, &streams[i]) != 0;
        free(streams[i].answered.data);
    }
    return failed;
}

static int take_nodes_down(const char *script)
{
    test_endpoint endpoint;
    bb_config config;
    int failed;

    bb_config_init(&config);
    config.max_sessions = CHATBOTS;
    if (test_endpoint_open(&endpoint, "postgres", &config) != 0)
        return -1;
    for (unsigned i = 1; i <= CHATBOTS; i++)
        bb_storage_chatbot_add(endpoint.store.storage, i, 1, TEST_PATIENCE_MS, NULL);
    failed = crash(&endpoint, script) != 0;
    bb_contacts_close(endpoint.contacts);
    config.max_sessions = 1;
    endpoint.contacts = NULL;
    if (bb_contacts_open(endpoint.store.storage, &config, &endpoint.contacts, NULL) != BB_OK)
        abort();
    failed |= take_down(&endpoint, script, "stop", "start") != 0;
    failed |= restart(&endpoint, script) != 0;
    failed |= take_down(&endpoint, script, "freeze", "thaw") != 0;
    test_endpoint_close(&endpoint);
    return failed;
}

int main(void)
{
    const char *script = getenv("BB_TEST_CITUS_CONTROL"); // NOLINT(concurrency-mt-unsafe)

    if (!read_nodes()) {
        puts("SKIPPED: BB_TEST_CITUS_NODES names no cluster; see citus_database.sh");
        return TEST_SKIPPED;
    }
    CHECK(script == NULL || take_nodes_down(script) == 0);
    CHECK(run_on_all_nodes() == 0);
    return check_status();
}
