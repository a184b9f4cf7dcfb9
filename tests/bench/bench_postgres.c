/*
 * bench_postgres.c: what 1000 contacts cost through the library, beside a bare libpq loop that
 * upserts the same rows, in turn in one run.
 *
 *     bench_postgres [--contacts N] [--rounds N] [--rows N] [--fillfactor N]
 *
 * On the server that BB_TEST_POSTGRES names. --rows puts so many contacts of the same chatbot into
 * both tables before. The bare loop's table has the library's columns and indexes, and PostgreSQL's
 * default of full pages; --fillfactor 90 gives it the library's setting too. Prints a table in
 * Markdown; times are medians in milliseconds, with the middle 80 percent of the rounds.
 */
#include <getopt.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "backends/postgres/wire/parameters.h"
#include "bb_contacts/storage.h"
#include "execute/storage.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"

enum { MOST_CONTACTS = 1000, MOST_ROUNDS = 1000, TEXT = 160 };

/* The three kinds of request, and the three ways. */
enum { CREATE, UPDATE, REPEAT, KINDS };
enum { UPSERT, VTABLE, BARE, WAYS };

typedef struct contact {
    char external_id[40];
    char name[TEXT];
    char email[TEXT];
    char attributes[TEXT];
} contact;

typedef struct bench {
    test_endpoint endpoint;
    void *session; /* of the table of functions */
    PGconn *bare;
    unsigned contacts;
    unsigned rounds;
    unsigned long rows;
    unsigned fillfactor;
    size_t read; /* bytes of results, so that they are looked at */
    contact data[MOST_CONTACTS];
    test_text body;
    double times[KINDS][WAYS][MOST_ROUNDS];
} bench;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_postgres: %s: %s\n", what, why);
    exit(1); // NOLINT(concurrency-mt-unsafe)
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* -------------------------------------------------------------------------------- what is sent */

static const char *accounts_of(unsigned i)
{
    return i % 4 != 0 ? "[]" : "[{\"label\":\"Main\",\"stripe_id\":\"cus_Abc123\"}]";
}

/* Contacts with keys from `first` on, and values that `version` changes. */
static void fill(bench *b, unsigned first, unsigned version)
{
    for (unsigned i = 0; i < b->contacts; i++) {
        contact *c = &b->data[i];
        snprintf(c->external_id, sizeof c->external_id, "user_%09u", first + i);
        snprintf(c->name, sizeof c->name, "Person Number %u v%u", i, version);
        snprintf(c->email, sizeof c->email, "person%u@example.com", i);
        snprintf(c->attributes, sizeof c->attributes,
                 "{\"plan\":\"pro\",\"score\":%u,\"city\":\"Berlin\",\"tags\":[\"a\",\"b\"],"
                 "\"since\":\"2024-01-0%u\",\"active\":true}",
                 i + version, 1 + i % 9);
    }
    b->body.len = 0;
    test_append(&b->body, "{\"users\":[");
    for (unsigned i = 0; i < b->contacts; i++)
        test_append(&b->body,
                    "%s{\"external_id\":\"%s\",\"name\":\"%s\",\"email\":\"%s\","
                    "\"phonenumber\":\"+49301234567\",\"stripe_accounts\":%s,"
                    "\"custom_attributes\":%s}",
                    i > 0 ? "," : "", b->data[i].external_id, b->data[i].name, b->data[i].email,
                    accounts_of(i), b->data[i].attributes);
    test_append(&b->body, "]}");
}

/* ------------------------------------------------------------------------------- the three ways */

static void upsert(bench *b)
{
    bb_result *result = test_send(&b->endpoint, b->body.data, b->body.len);

    if (bb_result_http_status(result) != 200)
        stop("bb_contacts_upsert", bb_result_body(result, NULL));
    bb_result_free(result);
}

static bb_slice text(const char *string)
{
    bb_slice slice = {string, strlen(string)};
    return slice;
}

static bb_record record_of(const contact *c, unsigned i)
{
    bb_record record = {.size = sizeof record,
                        .fields = 31,
                        .external_id = text(c->external_id),
                        .name = text(c->name),
                        .email = text(c->email),
                        .phonenumber = text("+49301234567"),
                        .stripe_accounts = text(accounts_of(i)),
                        .custom_attributes = text(c->attributes)};
    return record;
}

/* Reads what it is given, as the bare loop does. */
static int32_t put(void *ctx, size_t index, int32_t outcome, const bb_contact *c,
                   const bb_contact *before)
{
    size_t *sum = ctx;

    (void)index;
    (void)outcome;
    (void)before;
    *sum += c->name.len + c->email.len + c->custom_attributes.len + (size_t)c->id;
    return BB_OK;
}

static void write_by_vtable(bench *b)
{
    static bb_record records[MOST_CONTACTS];
    static const bb_record *pointers[MOST_CONTACTS];
    size_t sum = 0;
    bb_error error;
    bb_access access = {.size = sizeof access,
                        .workspace_id = 1,
                        .chatbot_id = 123,
                        .now_us = (int64_t)time(NULL) * 1000000,
                        .deadline = bb_deadline_in(60000)};
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = pointers,
                      .record_count = b->contacts,
                      .put = put,
                      .put_ctx = &sum};

    bb_error_init(&error);
    for (unsigned i = 0; i < b->contacts; i++) {
        records[i] = record_of(&b->data[i], i);
        pointers[i] = &records[i];
    }
    if (b->endpoint.store.storage->vtable.write(b->session, &write, &error) != BB_OK)
        stop("write", error.message);
}

static const char bare_sql[] =
    "INSERT INTO bare.contacts (chatbot_id, external_id, name, email, phonenumber,"
    " stripe_accounts, custom_attributes, created_at, updated_at)"
    " SELECT $1::bigint, b.*, $2::timestamptz, $2::timestamptz"
    " FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[]) b"
    " ON CONFLICT (chatbot_id, external_id) DO UPDATE SET name = excluded.name,"
    " email = excluded.email, phonenumber = excluded.phonenumber,"
    " stripe_accounts = excluded.stripe_accounts,"
    " custom_attributes = excluded.custom_attributes, updated_at = excluded.updated_at"
    " RETURNING id, external_id, created_at, updated_at, name, email, phonenumber,"
    " stripe_accounts, custom_attributes";

static void add_column(bb_pg_params *params, const bench *b, size_t offset, uint32_t type)
{
    bb_pg_params_begin_array(params, type, b->contacts);
    for (unsigned i = 0; i < b->contacts; i++) {
        bb_record record = record_of(&b->data[i], i);
        bb_slice value;
        memcpy(&value, (const char *)&record + offset, sizeof value);
        if (type == BB_PG_JSONB)
            bb_pg_params_element_jsonb(params, value);
        else
            bb_pg_params_element_text(params, value);
    }
    bb_pg_params_end_array(params);
}

static void add_columns(bb_pg_params *params, const bench *b)
{
    add_column(params, b, offsetof(bb_record, external_id), BB_PG_TEXT);
    add_column(params, b, offsetof(bb_record, name), BB_PG_TEXT);
    add_column(params, b, offsetof(bb_record, email), BB_PG_TEXT);
    add_column(params, b, offsetof(bb_record, phonenumber), BB_PG_TEXT);
    add_column(params, b, offsetof(bb_record, stripe_accounts), BB_PG_JSONB);
    add_column(params, b, offsetof(bb_record, custom_attributes), BB_PG_JSONB);
}

static void write_bare(bench *b)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    bb_pg_params params;
    PGresult *result;

    bb_pg_params_init(&params, &allocator);
    if (bb_pg_params_reserve(&params, (size_t)b->contacts * sizeof(contact) + 4000, NULL) != BB_OK)
        stop("the bare loop", "out of memory");
    bb_pg_params_add_i64(&params, 123);
    bb_pg_params_add_time(&params, (int64_t)time(NULL) * 1000000);
    add_columns(&params, b);
    result = PQexecPrepared(b->bare, "bare", params.count, params.values, params.lengths,
                            params.formats, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != (int)b->contacts)
        stop("the bare loop", PQerrorMessage(b->bare));
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++)
            b->read += (size_t)PQgetlength(result, row, column);
    }
    PQclear(result);
    bb_pg_params_free(&params);
}

/* ----------------------------------------------------------------------------------- what is run
 */

static void run_sql(const bench *b, const char *sql, char *result, size_t size)
{
    if (test_store_sql(&b->endpoint.store, sql, result, size) != 0)
        stop("SQL", sql);
}

static double timed(bench *b, int way)
{
    static void (*const ways[WAYS])(bench *) = {upsert, write_by_vtable, write_bare};
    double start = now_ms();

    ways[way](b);
    return now_ms() - start;
}

/* Each way goes first, second and last equally often. All have keys of their own but for the two
 * of the library's, which share a table: so the repeats of one are not the updates of another. */
static void run_round(bench *b, unsigned round)
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (int turn = 0; turn < WAYS; turn++) {
            int way = (int)((round + (unsigned)turn) % WAYS);
            unsigned base = 100000000u * (unsigned)(way + 1);
            if (kind == CREATE)
                fill(b, base + b->contacts * (round + 1), 0);
            else
                fill(b, base, round + 1); /* UPDATE changes what REPEAT then finds */
            b->times[kind][way][round] = timed(b, way);
        }
    }
}

/* Both tables are Citus's, or none. */
static void distribute_bare(const bench *b)
{
    run_sql(b,
            "DO $$BEGIN IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN"
            " PERFORM create_distributed_table('bare.contacts', 'chatbot_id'); END IF; END$$",
            NULL, 0);
}

static void open_all(bench *b)
{
    bb_error error;
    PGresult *result;
    char sql[700];
    int status = test_endpoint_open(&b->endpoint, "postgres", NULL);

    bb_error_init(&error);
    if (status != 0)
        exit(status); // NOLINT(concurrency-mt-unsafe)
    if (b->endpoint.store.storage->vtable.session_open(
            b->endpoint.store.storage->store, bb_deadline_in(10000), &b->session, &error) != BB_OK)
        stop("session", error.message);
    snprintf(sql, sizeof sql,
             "CREATE SCHEMA bare; CREATE TABLE bare.contacts"
             " (LIKE bb_contacts.contacts INCLUDING ALL) WITH (fillfactor = %u)",
             b->fillfactor);
    run_sql(b, sql, NULL, 0);
    distribute_bare(b);
    for (int table = 0; b->rows > 0 && table < 2; table++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO %s.contacts (chatbot_id, external_id, name, email, phonenumber,"
                 " stripe_accounts, custom_attributes, created_at, updated_at)"
                 " SELECT 123, 'user_' || lpad((g * 37 %% 999999937)::text, 9, '0') || '_old',"
                 " 'Name', 'e@example.com', '+49', '[]', '{\"plan\":\"pro\",\"score\":1}', now(),"
                 " now() FROM generate_series(1, %lu) g",
                 table == 0 ? "bb_contacts" : "bare", b->rows);
        run_sql(b, sql, NULL, 0);
    }
    run_sql(b, "VACUUM ANALYZE", NULL, 0);
    run_sql(b, "CHECKPOINT", NULL, 0);
    b->bare = PQconnectdb(b->endpoint.store.place);
    result = PQprepare(b->bare, "bare", bare_sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        stop("the bare loop", PQerrorMessage(b->bare));
    PQclear(result);
}

static void close_all(bench *b)
{
    PQfinish(b->bare);
    free(b->body.data);
    run_sql(b, "SET client_min_messages = warning; DROP SCHEMA bare CASCADE", NULL, 0);
    test_endpoint_close(&b->endpoint);
}

/* ------------------------------------------------------------------------------------- the report
 */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(bench *b)
{
    static const char *const kinds[KINDS] = {"insert", "update", "unchanged"};
    static const char *const ways[WAYS] = {"bb_contacts_upsert()", "the vtable's write()",
                                           "bare libpq"};

    printf("%u contacts, %lu rows before, %u rounds, fillfactor %u\n\n", b->contacts, b->rows,
           b->rounds, b->fillfactor);
    printf("| | | ms | 10 to 90 %% | of bare |\n|---|---|---:|---|---:|\n");
    for (int kind = 0; kind < KINDS; kind++) {
        for (int way = 0; way < WAYS; way++)
            qsort(b->times[kind][way], b->rounds, sizeof(double), compare);
        for (int way = 0; way < WAYS; way++) {
            const double *times = b->times[kind][way];
            double median = times[b->rounds / 2];
            printf("| %s | %s | %.2f | %.2f to %.2f | %.2f |\n", kinds[kind], ways[way], median,
                   times[b->rounds / 10], times[b->rounds * 9 / 10],
                   median / b->times[kind][BARE][b->rounds / 2]);
        }
    }
}

/* Ends the handle's sessions, so that the server's statistics have all that they counted. */
static void end_sessions(bench *b)
{
    bb_error error;

    bb_error_init(&error);
    bb_contacts_close(b->endpoint.contacts);
    b->endpoint.contacts = NULL;
    if (bb_contacts_open(b->endpoint.store.storage, NULL, &b->endpoint.contacts, &error) != BB_OK)
        stop("handle", error.message);
    sleep(1); // NOLINT(concurrency-mt-unsafe)
}

/* What an unchanged batch writes. The least of several, and more if that was something, as the
 * server also writes on its own. */
static int report_repeats(bench *b)
{
    unsigned long long least = ~0ull;
    char before[64], after[64], bytes[64], dead[64], sql[300];

    b->endpoint.store.storage->vtable.session_close(b->session);
    fill(b, 100000000u, 7777);
    upsert(b);
    end_sessions(b);
    run_sql(b, "VACUUM bb_contacts.contacts", NULL, 0);
    if (test_store_versions(&b->endpoint.store, before, sizeof before) != 0)
        stop("row versions", "not to be had");
    for (int i = 0; i < 5 || (least > 0 && i < 100); i++) {
        char start[64];
        run_sql(b, "SELECT pg_current_wal_insert_lsn()", start, sizeof start);
        upsert(b);
        snprintf(sql, sizeof sql, "SELECT pg_current_wal_insert_lsn() - '%s'::pg_lsn", start);
        run_sql(b, sql, bytes, sizeof bytes);
        if (strtoull(bytes, NULL, 10) < least)
            least = strtoull(bytes, NULL, 10);
    }
    if (test_store_versions(&b->endpoint.store, after, sizeof after) != 0)
        stop("row versions", "not to be had");
    end_sessions(b);
    run_sql(b,
            "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'bb_contacts'"
            " AND relname = 'contacts'",
            dead, sizeof dead);
    printf("\nAn unchanged batch: %llu bytes of WAL, row versions %s, %s dead rows\n", least,
           strcmp(before, after) == 0 ? "the same" : "CHANGED", dead);
    return least == 0 && strcmp(before, after) == 0 && strcmp(dead, "0") == 0 ? 0 : 1;
}

static unsigned long number_of(const char *argument, unsigned long most)
{
    char *end;
    unsigned long number = strtoul(argument, &end, 10);

    if (*end != '\0' || number == 0 || number > most)
        stop("not a number that is possible here", argument);
    return number;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"contacts", required_argument, NULL, 'c'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"rows", required_argument, NULL, 'n'},
                                            {"fillfactor", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    static bench b = {.contacts = 1000, .rounds = 41, .fillfactor = 100};
    int option, status;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            b.contacts = (unsigned)number_of(optarg, MOST_CONTACTS);
        else if (option == 'r')
            b.rounds = (unsigned)number_of(optarg, MOST_ROUNDS);
        else if (option == 'n')
            b.rows = number_of(optarg, 90000000);
        else if (option == 'f')
            b.fillfactor = (unsigned)number_of(optarg, 100);
        else
            return 2;
    }
    open_all(&b);
    for (int way = 0; way < WAYS; way++) {
        fill(&b, 100000000u * (unsigned)(way + 1), 0);
        timed(&b, way);
    }
    for (unsigned round = 0; round < b.rounds; round++)
        run_round(&b, round);
    report(&b);
    status = report_repeats(&b);
    close_all(&b);
    return status;
}
