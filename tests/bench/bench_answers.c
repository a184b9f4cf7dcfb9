/*
 * bench_answers.c: what a minimal answer saves (A4): requests of 1000 contacts that ask for a full
 * answer, and those that ask for the message alone, in turn in one run.
 *
 *     bench_answers BACKEND [--contacts N] [--rounds N]
 *
 * Prints a table in Markdown: medians of a request's milliseconds, of this process's processor
 * time, and, with PostgreSQL, of its server's.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contacts.h"
#include "measure.h"
#include "server_time.h"
#include "support/endpoint.h"
#include "support/request.h"
#include "support/settings.h"

enum { MOST_CONTACTS = 1000, BLOCK = 8 };

/* Contacts that are new, that change, that are known, and that are known and named alone, so that
 * all their values have to come from the store. */
enum { CREATE, UPDATE, REPEAT, NAME, KINDS };
enum { FULL, MINIMAL, WAYS };

typedef struct bench {
    test_endpoint endpoint;
    long postmaster; /* 0: there is no server */
    unsigned contacts;
    unsigned version; /* of what was sent last */
    bench_contact data[MOST_CONTACTS];
    test_text bodies[BLOCK];
    bench_series wall[KINDS][WAYS];
    bench_series own[KINDS][WAYS];
    bench_series server[KINDS][WAYS];
} bench;

static void make_body(bench *b, int kind, test_text *body)
{
    body->len = 0;
    b->version += kind == CREATE || kind == UPDATE;
    for (unsigned i = 0; i < b->contacts; i++)
        bench_contact_make(&b->data[i], kind == CREATE ? b->version * b->contacts + i : i,
                           b->version);
    if (kind != NAME) {
        bench_contacts_body(body, b->data, b->contacts);
        return;
    }
    for (unsigned i = 0; i < b->contacts; i++)
        test_append(body, "%s{\"external_id\":\"%s\"}", i == 0 ? "{\"users\":[" : ",",
                    b->data[i].external_id);
    test_append_text(body, "]}");
}

static void send(bench *b, int way, const test_text *body)
{
    bb_request request = test_request(body->data, body->len);
    bb_result *result;

    request.answer = way == MINIMAL ? BB_ANSWER_MINIMAL : BB_ANSWER_FULL;
    result = bb_contacts_upsert(b->endpoint.contacts, &request);
    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_upsert", bb_result_body(result, NULL));
    bb_result_free(result);
}

/* Several requests in a row, since a server's processor time is told in ticks. */
static void run_block(bench *b, int kind, int way)
{
    double server, own, start;

    for (int i = 0; i < BLOCK; i++)
        make_body(b, kind, &b->bodies[i]);
    server = b->postmaster != 0 ? bench_server_cpu_ms(b->postmaster) : 0;
    own = bench_cpu_ms();
    start = bench_now_ms();
    for (int i = 0; i < BLOCK; i++)
        send(b, way, &b->bodies[i]);
    bench_add(&b->wall[kind][way], (bench_now_ms() - start) / BLOCK);
    bench_add(&b->own[kind][way], (bench_cpu_ms() - own) / BLOCK);
    if (b->postmaster != 0)
        bench_add(&b->server[kind][way], (bench_server_cpu_ms(b->postmaster) - server) / BLOCK);
}

static void print_column(const bench_series series[WAYS])
{
    double full = bench_percentile(&series[FULL], 50);
    double minimal = bench_percentile(&series[MINIMAL], 50);

    if (full <= 0)
        printf(" | | |");
    else
        printf(" %.2f | %.2f | %.2f |", full, minimal, minimal / full);
}

static void report(const bench *b)
{
    static const char *const kinds[KINDS] = {"new", "that change", "that are known",
                                             "of which only `external_id` is sent"};

    printf(
        "| %u contacts | full, ms | minimal | ratio | own processor, ms | minimal | ratio |"
        " server's, ms | minimal | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        b->contacts);
    for (int kind = 0; kind < KINDS; kind++) {
        printf("| %s |", kinds[kind]);
        print_column(b->wall[kind]);
        print_column(b->own[kind]);
        print_column(b->server[kind]);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"contacts", required_argument, NULL, 'c'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    static bench b = {.contacts = 1000};
    const char *backend = argc > 1 ? argv[1] : "memory";
    unsigned rounds = 21;
    int option, status;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            b.contacts = (unsigned)bench_number(optarg, MOST_CONTACTS);
        else if (option == 'r')
            rounds = (unsigned)bench_number(optarg, BENCH_MOST_ROUNDS);
        else
            return 2;
    }
    if (optind < argc)
        backend = argv[optind];
    status = test_endpoint_open(&b.endpoint, backend, NULL);
    if (status != 0)
        return status;
    if (strcmp(backend, "postgres") == 0)
        b.postmaster = bench_postmaster(&b.endpoint.store);
    for (unsigned round = 0; round < rounds; round++) {
        for (int kind = 0; kind < KINDS; kind++) {
            for (unsigned turn = 0; turn < WAYS; turn++)
                run_block(&b, kind, (int)((round + turn) % WAYS));
        }
    }
    report(&b);
    for (int i = 0; i < BLOCK; i++)
        free(b.bodies[i].data);
    test_endpoint_close(&b.endpoint);
    return 0;
}
