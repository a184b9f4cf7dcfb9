/*
 * bench_core.c: the cost of the library itself, from request bytes to response bytes with nothing
 * stored, beside cJSON's parse and delete of the same body, in turn in one run.
 *
 *     bench_core [--rounds N] [--shape N] [--only-library]
 *
 * --shape measures that one alone; --only-library leaves cJSON out, for a profiler. Prints a table
 * in Markdown; times are microseconds of a processor for a body.
 */
#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bb_contacts/storage.h"
#include "measure.h"
#include "support/endpoint.h"

/* A kind of body. */
typedef struct shape {
    const char *name;
    unsigned contacts;
    void (*append)(test_text *body, unsigned i);
} shape;

typedef struct bench {
    bb_storage *storage;
    bb_contacts *contacts;
    test_text body;
    unsigned rounds;
    int only_library;
    bench_series library;
    bench_series cjson;
} bench;

/* ------------------------------------------------------------------ storage that keeps nothing */

static int32_t null_open(void *store, int64_t deadline, void **session, bb_error *error)
{
    (void)store;
    (void)deadline;
    (void)error;
    *session = NULL;
    return BB_OK;
}

static void null_close(void *session)
{
    (void)session;
}

static int32_t null_authorize(void *session, const bb_access *access, bb_error *error)
{
    (void)session;
    (void)access;
    (void)error;
    return BB_OK;
}

/* Puts every record back as a contact that was created. */
static int32_t null_write(void *session, const bb_write *write, bb_error *error)
{
    (void)session;
    for (size_t i = 0; i < write->record_count; i++) {
        const bb_record *record = write->records[i];
        bb_contact contact = {.size = sizeof contact,
                              .id = 1000000 + (int64_t)i,
                              .created_at_us = write->access->now_us,
                              .updated_at_us = write->access->now_us,
                              .external_id = record->external_id,
                              .name = record->name,
                              .email = record->email,
                              .phonenumber = record->phonenumber,
                              .stripe_accounts = record->stripe_accounts,
                              .custom_attributes = record->custom_attributes};
        int32_t code = write->put(write->put_ctx, i, BB_CREATED, &contact, NULL);
        if (code != BB_OK)
            return bb_error_set(error, code, "put");
    }
    return BB_OK;
}

static const bb_storage_vtable null_vtable = {.size = sizeof null_vtable,
                                              .version = BB_STORAGE_VERSION,
                                              .name = "null",
                                              .session_open = null_open,
                                              .session_close = null_close,
                                              .authorize = null_authorize,
                                              .write = null_write};

/* --------------------------------------------------------------------------------- what is sent */

/* About 255 bytes. */
static void append_ordinary(test_text *body, unsigned i)
{
    test_append(body,
                "{\"external_id\":\"user_%06u\",\"name\":\"Sam Rivera %u\","
                "\"email\":\"sam.rivera%u@example.com\",\"phonenumber\":\"+14155550101\","
                "\"stripe_accounts\":[{\"label\":\"Main\",\"stripe_id\":\"cus_Abc123\"}],"
                "\"custom_attributes\":{\"plan\":\"pro\",\"ltv\":%u,\"city\":\"Berlin\","
                "\"active\":true}}",
                i * 7919 % 1000000, i, i, 100 + i);
}

/* As a program that indents its JSON sends it, and with more of everything. */
static void append_full(test_text *body, unsigned i)
{
    test_append(
        body,
        "{\n  \"external_id\": \"user_%06u\",\n  \"name\": \"Zo\xc3\xab M\xc3\xbcller %u\",\n"
        "  \"email\": \"zoe.mueller%u@example.com\",\n"
        "  \"phonenumber\": \"+4930123456\",\n"
        "  \"stripe_accounts\": [\n    {\"label\": \"Main\", \"stripe_id\": \"cus_A%u\"},\n"
        "    {\"label\": \"Old\", \"stripe_id\": \"cus_B%u\"}\n  ],\n"
        "  \"custom_attributes\": {\n    \"plan\": \"enterprise\",\n    \"seats\": %u,\n"
        "    \"city\": \"M\xc3\xbcnchen\",\n    \"active\": true,\n"
        "    \"referrer\": null,\n    \"tags\": [\"beta\", \"vip\", \"eu\"],\n"
        "    \"since\": \"2024-01-05\",\n    \"score\": 87.5,\n"
        "    \"company\": {\"name\": \"Acme GmbH\", \"size\": 120}\n  }\n}",
        i * 7919 % 1000000, i, i, i, i, i);
}

static void append_escapes(test_text *body, unsigned i)
{
    test_append(body,
                "{\"external_id\":\"user\\/%06u\",\"name\":\"Sam \\\"The\\\" Rivera %u\","
                "\"email\":\"sam%u@example.com\",\"phonenumber\":\"\\u002b1 415 555\","
                "\"custom_attributes\":{\"bio\":\"line one\\nline two\\ttab\",\"city\":"
                "\"M\\u00fcnchen\",\"emoji\":\"\\ud83d\\ude00\",\"path\":\"C:\\\\temp\\\\x\"}}",
                i * 7919 % 1000000, i, i);
}

static void append_numbers(test_text *body, unsigned i)
{
    test_append(body, "{\"external_id\":\"%06u\",\"custom_attributes\":{\"history\":[",
                i * 7919 % 1000000);
    for (unsigned k = 0; k < 20; k++)
        test_append(body, "%s%u.%u,%u,-%u.5e3", k > 0 ? "," : "", i + k, k * 37, i * k, k);
    test_append(body, "]}}");
}

static void append_smallest(test_text *body, unsigned i)
{
    test_append(body, "{\"external_id\":\"%u\"}", i);
}

static const shape shapes[] = {
    {"ordinary", 1000, append_ordinary},    {"all fields, indented", 1000, append_full},
    {"many escapes", 1000, append_escapes}, {"many numbers", 1000, append_numbers},
    {"a key alone", 1000, append_smallest}, {"ordinary", 1, append_ordinary},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void fill(test_text *body, const shape *s)
{
    body->len = 0;
    test_append(body, "{\"users\":[");
    for (unsigned i = 0; i < s->contacts; i++) {
        if (i > 0)
            test_append(body, ",");
        s->append(body, i);
    }
    test_append(body, "]}");
}

/* ---------------------------------------------------------------------------------- what is run */

static void run_library(const bench *b)
{
    static const char header[] = "Bearer oc_test_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    bb_request request;
    bb_result *result;

    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.authorization = header;
    request.authorization_len = sizeof header - 1;
    request.body = b->body.data;
    request.body_len = b->body.len;
    result = bb_contacts_upsert(b->contacts, &request);
    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_upsert", bb_result_body(result, NULL));
    bb_result_free(result);
}

static void run_cjson(const bench *b)
{
    cJSON *tree = cJSON_ParseWithLength(b->body.data, b->body.len);

    if (tree == NULL)
        bench_stop("cJSON", "not JSON");
    cJSON_Delete(tree);
}

static double time_of(const bench *b, void (*run)(const bench *), unsigned times)
{
    double start = bench_cpu_ms();

    for (unsigned i = 0; i < times; i++)
        run(b);
    return (bench_cpu_ms() - start) * 1e3 / times;
}

static void measure(bench *b, const shape *s)
{
    unsigned times = s->contacts == 1 ? 500 : 1; /* enough for the clock */

    fill(&b->body, s);
    b->library.count = 0;
    b->cjson.count = 0;
    time_of(b, run_library, times);
    for (unsigned round = 0; round < b->rounds; round++) {
        if (!b->only_library && round % 2 == 0)
            bench_add(&b->cjson, time_of(b, run_cjson, times));
        bench_add(&b->library, time_of(b, run_library, times));
        if (!b->only_library && round % 2 != 0)
            bench_add(&b->cjson, time_of(b, run_cjson, times));
    }
}

static void report(const bench *b, const shape *s)
{
    const size_t each = b->body.len / s->contacts;
    char label[100];

    snprintf(label, sizeof label, "%s | %u | %zu | library", s->name, s->contacts, each);
    bench_row(label, &b->library, &b->library);
    snprintf(label, sizeof label, "%s | %u | %zu | cJSON", s->name, s->contacts, each);
    if (!b->only_library)
        bench_row(label, &b->cjson, &b->library);
}

static void open_all(bench *b)
{
    bb_error error;

    bb_error_init(&error);
    if (bb_storage_new(&null_vtable, NULL, NULL, &b->storage, &error) != BB_OK ||
        bb_contacts_open(b->storage, NULL, &b->contacts, &error) != BB_OK)
        bench_stop("open", error.message);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"shape", required_argument, NULL, 's'},
                                            {"only-library", no_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    static bench b = {.rounds = 301};
    size_t only = 0;
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'r')
            b.rounds = (unsigned)bench_number(optarg, BENCH_MOST_ROUNDS);
        else if (option == 's')
            only = bench_number(optarg, SHAPES);
        else if (option == 'l')
            b.only_library = 1;
        else
            return 2;
    }
    open_all(&b);
    printf(
        "| contacts | of them | bytes each | | us | 10 to 90 %% | library to it | 10 to 90 %% |\n");
    printf("|---|---:|---:|---|---:|---|---:|---|\n");
    for (size_t i = 0; i < SHAPES; i++) {
        if (only != 0 && i != only - 1)
            continue;
        measure(&b, &shapes[i]);
        report(&b, &shapes[i]);
    }
    free(b.body.data);
    bb_contacts_close(b.contacts);
    bb_storage_close(b.storage);
    return 0;
}
