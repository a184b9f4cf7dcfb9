/*
 * bench_postgres.c: the cost of 1000 contacts through the library, beside a bare libpq loop that
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
#include "contacts.h"
#include "execute/storage.h"
#include "measure.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"

enum { MOST_CONTACTS = 1000 };

/* The three kinds of request, and the three ways. */
enum { CREATE, UPDATE, REPEAT, KINDS };
enum { UPSERT, VTABLE, BARE, WAYS };

typedef struct bench {
    test_endpoint endpoint;
    void *session; /* of the table of functions */
    PGconn *bare;
    unsigned contacts;
    unsigned rounds;
    unsigned long rows;
    unsigned fillfactor;
    size_t read; /* bytes of results, so that they are read */
    bench_contact data[MOST_CONTACTS];
    test_text body;
    bench_series times[KINDS][WAYS];
} bench;

/* -------------------------------------------------------------------------------- what is sent */

/* Contacts with keys from `first` on, and values that `version` changes. */
static void fill(bench *b, unsigned first, unsigned version)
{
    for (unsigned i = 0; i < b->contacts; i++)
        bench_contact_make(&b->data[i], first + i, version);
    bench_contacts_body(&b->body, b->data, b->contacts);
}

/* ------------------------------------------------------------------------------- the three ways */

static void upsert(bench *b)
{
    bb_result *result = test_send(&b->endpoint, b->body.data, b->body.len);

    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_upsert", bb_result_body(result, NULL));
    bb_result_free(result);
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
                      .put = bench_put,
                      .put_ctx = &sum};

    bb_error_init(&error);
    for (unsigned i = 0; i < b->contacts; i++) {
        records[i] = bench_contact_record(&b->data[i]);
        pointers[i] = &records[i];
    }
    if (b->endpoint.store.storage->vtable.write(b->session, &write, &error) != BB_OK)
        bench_stop("write", error.message);
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
        bb_record record = bench_contact_record(&b->data[i]);
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
    if (bb_pg_params_reserve(&params, (size_t)b->contacts * sizeof(bench_contact) + 4000, NULL) !=
        BB_OK)
        bench_stop("the bare loop", "out of memory");
    bb_pg_params_add_i64(&params, 123);
    bb_pg_params_add_time(&params, (int64_t)time(NULL) * 1000000);
    add_columns(&params, b);
    result = PQexecPrepared(b->bare, "bare", params.count, params.values, params.lengths,
                            params.formats, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != (int)b->contacts)
        bench_stop("the bare loop", PQerrorMessage(b->bare));
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++)
            b->read += (size_t)PQgetlength(result, row, column);
    }
    PQclear(result);
    bb_pg_params_free(&params);
}

/* --------------------------------------------------------------------------------- what is run */

static void run_sql(const bench *b, const char *sql, char *result, size_t size)
{
    if (test_store_sql(&b->endpoint.store, sql, result, size) != 0)
        bench_stop("SQL", sql);
}

static double timed(bench *b, int way)
{
    static void (*const ways[WAYS])(bench *) = {upsert, write_by_vtable, write_bare};
    double start = bench_now_ms();

    ways[way](b);
    return bench_now_ms() - start;
}

/* Each way goes first, second and last equally often. All have keys of their own, since two of the
 * library's ways share a table, where the repeats of one must not be the updates of the other. */
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
            bench_add(&b->times[kind][way], timed(b, way));
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
        bench_stop("session", error.message);
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
        bench_stop("the bare loop", PQerrorMessage(b->bare));
    PQclear(result);
}

static void close_all(bench *b)
{
    PQfinish(b->bare);
    free(b->body.data);
    run_sql(b, "SET client_min_messages = warning; DROP SCHEMA bare CASCADE", NULL, 0);
    test_endpoint_close(&b->endpoint);
}

/* ---------------------------------------------------------------------------------- the report */

static void report(bench *b)
{
    static const char *const kinds[KINDS] = {"insert", "update", "unchanged"};
    static const char *const ways[WAYS] = {"bb_contacts_upsert()", "the vtable's write()",
                                           "bare libpq"};

    printf("%u contacts, %lu rows before, %u rounds, fillfactor %u\n\n", b->contacts, b->rows,
           b->rounds, b->fillfactor);
    printf("| | | ms | 10 to 90 %% | of bare |\n|---|---|---:|---|---:|\n");
    for (int kind = 0; kind < KINDS; kind++) {
        for (int way = 0; way < WAYS; way++) {
            const bench_series *times = &b->times[kind][way];
            double median = bench_percentile(times, 50);
            printf("| %s | %s | %.2f | %.2f to %.2f | %.2f |\n", kinds[kind], ways[way], median,
                   bench_percentile(times, 10), bench_percentile(times, 90),
                   median / bench_percentile(&b->times[kind][BARE], 50));
        }
    }
}

/* Ends the handle's sessions, so that the server's statistics have all their counts. */
static void end_sessions(bench *b)
{
    bb_error error;

    bb_error_init(&error);
    bb_contacts_close(b->endpoint.contacts);
    b->endpoint.contacts = NULL;
    if (bb_contacts_open(b->endpoint.store.storage, NULL, &b->endpoint.contacts, &error) != BB_OK)
        bench_stop("handle", error.message);
    sleep(1); // NOLINT(concurrency-mt-unsafe)
}

/* What an unchanged batch writes: the least of several, and of more if that was not nothing, as the
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
        bench_stop("row versions", "not available");
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
        bench_stop("row versions", "not available");
    end_sessions(b);
    run_sql(b,
            "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'bb_contacts'"
            " AND relname = 'contacts'",
            dead, sizeof dead);
    printf("\nAn unchanged batch: %llu bytes of WAL, row versions %s, %s dead rows\n", least,
           strcmp(before, after) == 0 ? "the same" : "CHANGED", dead);
    return least == 0 && strcmp(before, after) == 0 && strcmp(dead, "0") == 0 ? 0 : 1;
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
            b.contacts = (unsigned)bench_number(optarg, MOST_CONTACTS);
        else if (option == 'r')
            b.rounds = (unsigned)bench_number(optarg, BENCH_MOST_ROUNDS);
        else if (option == 'n')
            b.rows = bench_number(optarg, 90000000);
        else if (option == 'f')
            b.fillfactor = (unsigned)bench_number(optarg, 100);
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
