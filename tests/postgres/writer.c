/*
 * writer.c: a process that writes contacts from several threads and checks every answer.
 *
 *     writer CONNINFO NAME THREADS MILLISECONDS [unnamed]
 *
 * Makes the schema, and chatbot 123 of workspace 1, if they are missing. NAME begins its keys, so
 * that no two writers share a contact. Prints how many requests there were; fails if one got a
 * wrong answer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bb_contacts/storage.h"
#include "support/endpoint.h"
#include "support/wait.h"

enum { MAX_THREADS = 64, MOST_CONTACTS = 40 };

typedef struct writer {
    test_endpoint endpoint;
    const char *name;
    int64_t end;
} writer;

typedef struct thread {
    pthread_t id;
    writer *shared;
    unsigned number;
    unsigned requests;
    unsigned faults;
} thread;

/* The contacts of a request: some are written again and again, some once. */
static void make_body(const thread *t, uint32_t count, uint32_t first, test_text *body)
{
    body->len = 0;
    test_append(body, "{\"users\":[");
    for (uint32_t i = 0; i < count; i++)
        test_append(body, "%s{\"external_id\":\"%s-%u-%u\",\"name\":\"%s %u %u\"}",
                    i > 0 ? "," : "", t->shared->name, t->number, first + i, t->shared->name,
                    t->number, t->requests);
    test_append(body, "]}");
}

static int is_contact(const json *contact, const thread *t, uint32_t number)
{
    char id[100], name[100];

    snprintf(id, sizeof id, "%s-%u-%u", t->shared->name, t->number, number);
    snprintf(name, sizeof name, "%s %u %u", t->shared->name, t->number, t->requests);
    return strcmp(json_text(contact, "external_id", ""), id) == 0 &&
           strcmp(json_text(contact, "name", ""), name) == 0;
}

/* Whether a request is answered with the contacts that it sent. */
static int write_once(const thread *t, uint64_t *random, test_text *body)
{
    uint32_t count = 1 + test_random(random, MOST_CONTACTS);
    uint32_t first = test_random(random, 100);
    bb_result *result;
    json *answer;
    const json *contact;
    int good;

    make_body(t, count, first, body);
    result = test_send(&t->shared->endpoint, body->data, body->len);
    contact = json_at(test_data(result, &answer), 0);
    good = bb_result_entries(result) == count;
    for (uint32_t i = 0; good && i < count; i++) {
        good = contact != NULL && is_contact(contact, t, first + i);
        contact = contact != NULL ? contact->next : NULL;
    }
    json_free(answer);
    bb_result_free(result);
    return good;
}

/* Whether an unknown chatbot is a 404, for which another statement is used. */
static int ask_once(const thread *t)
{
    bb_request request = test_request(NULL, 0);
    bb_result *result;
    int good;

    request.chatbot_id = "124";
    result = bb_contacts_authorize(t->shared->endpoint.contacts, &request);
    good = bb_result_http_status(result) == 404;
    bb_result_free(result);
    return good;
}

static void *run_thread(void *arg)
{
    thread *t = arg;
    uint64_t random = 88172645463325252u + t->number;
    test_text body = {0};

    do { /* at least once, even if the time is over before the thread runs */
        if (!write_once(t, &random, &body) || (t->requests % 8 == 0 && !ask_once(t)))
            t->faults++;
        t->requests++;
    } while (bb_deadline_left(t->shared->end) > 0);
    free(body.data);
    return NULL;
}

static void print_line(void *ctx, int32_t level, const char *line, size_t len)
{
    (void)ctx;
    if (level <= BB_LOG_WARN)
        fprintf(stderr, "%.*s\n", (int)len, line);
}

static int32_t open_endpoint(writer *w, const char *conninfo, int is_unnamed)
{
    bb_storage_options options;
    bb_postgres_options postgres;
    bb_config config;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    bb_storage_options_init(&options);
    options.log = print_line;
    bb_postgres_options_init(&postgres);
    postgres.flags = is_unnamed ? BB_POSTGRES_UNNAMED_STATEMENTS : 0;
    bb_config_init(&config);
    config.max_sessions = MAX_THREADS;
    config.timeout_ms = 60000;
    config.log = print_line;
    code = bb_storage_open_postgres_with(conninfo, strlen(conninfo), &options, &postgres,
                                         &w->endpoint.store.storage, &error);
    if (code == BB_OK)
        code = bb_storage_migrate(w->endpoint.store.storage, TEST_PATIENCE_MS, &error);
    if (code == BB_OK)
        code = bb_storage_chatbot_add(w->endpoint.store.storage, 123, 1, TEST_PATIENCE_MS, &error);
    if (code == BB_OK)
        code =
            test_open_contacts(w->endpoint.store.storage, &config, &w->endpoint.contacts, &error);
    if (code != BB_OK)
        fprintf(stderr, "%s: cannot open: %s\n", w->name, error.message);
    return code;
}

static int run_threads(writer *w, unsigned count)
{
    static thread threads[MAX_THREADS];
    unsigned requests = 0, faults = 0;

    for (unsigned i = 0; i < count; i++) {
        threads[i] = (thread){.shared = w, .number = i};
        if (pthread_create(&threads[i].id, NULL, run_thread, &threads[i]) != 0)
            return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i].id, NULL);
        requests += threads[i].requests;
        faults += threads[i].faults;
    }
    printf("%s: %u requests of %u threads, %u faults\n", w->name, requests, count, faults);
    return faults == 0 && requests > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    writer w = {0};
    unsigned threads = argc < 5 ? 0 : (unsigned)strtoul(argv[3], NULL, 10);
    int status;

    if (threads == 0 || threads > MAX_THREADS) {
        fputs("usage: writer CONNINFO NAME THREADS MILLISECONDS [unnamed]\n", stderr);
        return 2;
    }
    w.name = argv[2];
    status = open_endpoint(&w, argv[1], argc > 5) != BB_OK;
    w.end = bb_deadline_in(strtol(argv[4], NULL, 10));
    if (status == 0)
        status = run_threads(&w, threads) != 0;
    bb_contacts_close(w.endpoint.contacts);
    bb_storage_close(w.endpoint.store.storage);
    return status;
}
