/*
 * bench_sqlite.c: the cost of 1000 contacts through the library on SQLite, beside bare loops over a
 * prepared INSERT ... ON CONFLICT DO UPDATE in one transaction, in turn in one run.
 *
 *     bench_sqlite [--contacts N] [--rounds N] [--rows N] [--folder PATH]
 *
 * One bare loop has RETURNING, which an answer needs; the other does without. All have a file of
 * their own with the same tables, indexes, pragmas and rows; --rows puts this many contacts into
 * each before. The files are made in --folder, or the current folder, and removed. Prints a table
 * in Markdown; times are in milliseconds.
 */
#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bb_contacts/backends.h"
#include "contacts.h"
#include "measure.h"

enum { MOST_CONTACTS = 1000, COLUMNS = 6 };

/* The three kinds of request, and the three ways. */
enum { CREATE, UPDATE, REPEAT, KINDS };
enum { LIBRARY, RETURNING, BLIND, WAYS };

/* A bare loop's own connection. */
typedef struct bare {
    sqlite3 *db;
    sqlite3_stmt *begin, *upsert, *commit;
} bare;

typedef struct bench {
    const char *folder;
    char paths[WAYS][256];
    bb_storage *storage;
    test_endpoint endpoint; /* its handle alone */
    bare bare[WAYS];
    unsigned contacts;
    unsigned rounds;
    unsigned long rows;
    size_t read; /* bytes of results, so that they are read */
    bench_contact data[MOST_CONTACTS];
    test_text body;
    bench_series times[KINDS][WAYS];
} bench;

/* ----------------------------------------------------------------------------- the three ways */

static void write_by_library(bench *b)
{
    bb_result *result = test_send(&b->endpoint, b->body.data, b->body.len);

    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_upsert", bb_result_body(result, NULL));
    bb_result_free(result);
}

#define UPSERT                                                                              \
    "INSERT INTO bb_contacts (chatbot_id, created_at_us, updated_at_us, external_id, name," \
    " email, phonenumber, stripe_accounts, custom_attributes)"                              \
    " VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"                                          \
    " ON CONFLICT (chatbot_id, external_id) DO UPDATE SET name = excluded.name,"            \
    " email = excluded.email, phonenumber = excluded.phonenumber,"                          \
    " stripe_accounts = excluded.stripe_accounts,"                                          \
    " custom_attributes = excluded.custom_attributes, updated_at_us = excluded.updated_at_us"

static const char *const upserts[WAYS] = {
    [RETURNING] = UPSERT " RETURNING id, created_at_us, updated_at_us, external_id, name, email,"
                         " phonenumber, stripe_accounts, custom_attributes",
    [BLIND] = UPSERT};

static void run_bare(const bare *loop, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        bench_stop("the bare loop", sqlite3_errmsg(loop->db));
    sqlite3_reset(statement);
}

/* Reads a row that was returned. */
static size_t read_row(sqlite3_stmt *row)
{
    size_t read = (size_t)sqlite3_column_int64(row, 0);

    for (int column = 3; column < 9; column++) {
        if (sqlite3_column_text(row, column) != NULL)
            read += (size_t)sqlite3_column_bytes(row, column);
    }
    return read;
}

static void upsert_bare(bench *b, int way, const bench_contact *c)
{
    const char *const values[COLUMNS] = {c->external_id,     c->name,
                                         c->email,           c->phonenumber,
                                         c->stripe_accounts, c->custom_attributes};
    const bare *loop = &b->bare[way];

    for (int i = 0; i < COLUMNS; i++)
        sqlite3_bind_text(loop->upsert, 3 + i, values[i], -1, SQLITE_STATIC);
    if (way == RETURNING) {
        if (sqlite3_step(loop->upsert) != SQLITE_ROW)
            bench_stop("the bare loop", sqlite3_errmsg(loop->db));
        b->read += read_row(loop->upsert);
    }
    run_bare(loop, loop->upsert);
}

static void write_bare(bench *b, int way)
{
    const bare *loop = &b->bare[way];

    run_bare(loop, loop->begin);
    sqlite3_bind_int64(loop->upsert, 1, 123);
    sqlite3_bind_int64(loop->upsert, 2, (int64_t)time(NULL) * 1000000);
    for (unsigned i = 0; i < b->contacts; i++)
        upsert_bare(b, way, &b->data[i]);
    run_bare(loop, loop->commit);
}

/* ------------------------------------------------------------------------------- what is run */

static double timed(bench *b, int way)
{
    double start = bench_now_ms();

    if (way == LIBRARY)
        write_by_library(b);
    else
        write_bare(b, way);
    return bench_now_ms() - start;
}

/* Keys spread over the index, as keys that callers choose are. */
static void fill(bench *b, unsigned first, unsigned version)
{
    for (unsigned i = 0; i < b->contacts; i++)
        bench_contact_make(&b->data[i], (unsigned)((first + i) * 7919ull % 1000000007), version);
    bench_contacts_body(&b->body, b->data, b->contacts);
}

static void run_round(bench *b, unsigned round)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == CREATE)
            fill(b, b->contacts * (round + 2), 0);
        else
            fill(b, 0, round + 1); /* UPDATE changes what REPEAT then finds */
        for (unsigned turn = 0; turn < WAYS; turn++) {
            int way = (int)((round + turn) % WAYS);
            bench_add(&b->times[kind][way], timed(b, way));
        }
    }
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        bench_stop(sql, sqlite3_errmsg(db));
    return statement;
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        bench_stop(sql, sqlite3_errmsg(db));
}

/* Makes the tables by the library, and as many rows as are wanted. */
static bb_storage *make_file(bench *b, int way)
{
    bb_storage *storage = NULL;
    bb_error error;
    sqlite3 *db = NULL;
    char sql[600];

    bb_error_init(&error);
    snprintf(b->paths[way], sizeof b->paths[way], "%s/bench-%ld-%d.db", b->folder, (long)getpid(),
             way);
    if (bb_storage_open_sqlite(b->paths[way], strlen(b->paths[way]), NULL, &storage, &error) !=
            BB_OK ||
        bb_storage_migrate(storage, 0, &error) != BB_OK ||
        bb_storage_chatbot_add(storage, 123, 1, 0, &error) != BB_OK)
        bench_stop(b->paths[way], error.message);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lu)"
             " INSERT INTO bb_contacts (chatbot_id, created_at_us, updated_at_us, external_id,"
             " name, email, stripe_accounts, custom_attributes)"
             " SELECT 123, 1, 1, printf('user_%%09d_old', i * 7907 %% 1000000007), 'Name',"
             " 'e@example.com', '[]', '{\"plan\":\"pro\"}' FROM n",
             b->rows);
    if (b->rows > 0) {
        if (sqlite3_open(b->paths[way], &db) != SQLITE_OK)
            bench_stop(b->paths[way], "does not open");
        execute(db, sql);
        sqlite3_close(db);
    }
    return storage;
}

static void open_bare(bench *b, int way)
{
    bare *loop = &b->bare[way];

    bb_storage_close(make_file(b, way));
    if (sqlite3_open(b->paths[way], &loop->db) != SQLITE_OK)
        bench_stop(b->paths[way], "does not open");
    execute(loop->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      " PRAGMA cell_size_check = ON");
    loop->begin = prepare(loop->db, "BEGIN IMMEDIATE");
    loop->upsert = prepare(loop->db, upserts[way]);
    loop->commit = prepare(loop->db, "COMMIT");
}

static void close_bare(bare *loop)
{
    sqlite3_finalize(loop->begin);
    sqlite3_finalize(loop->upsert);
    sqlite3_finalize(loop->commit);
    sqlite3_close(loop->db); /* this removes -wal and -shm */
}

static void open_all(bench *b)
{
    bb_error error;

    bb_error_init(&error);
    b->storage = make_file(b, LIBRARY);
    if (bb_contacts_open(b->storage, NULL, &b->endpoint.contacts, &error) != BB_OK)
        bench_stop("handle", error.message);
    open_bare(b, RETURNING);
    open_bare(b, BLIND);
}

static void close_all(bench *b)
{
    close_bare(&b->bare[RETURNING]);
    close_bare(&b->bare[BLIND]);
    bb_contacts_close(b->endpoint.contacts);
    bb_storage_close(b->storage);
    for (int way = 0; way < WAYS; way++)
        unlink(b->paths[way]);
    free(b->body.data);
}

static void report(const bench *b)
{
    static const char *const kinds[KINDS] = {"insert", "update", "unchanged"};
    static const char *const ways[WAYS] = {"library", "bare, RETURNING", "bare, nothing returned"};
    char label[64];

    printf("%u contacts, %lu rows before, %u rounds\n\n", b->contacts, b->rows, b->rounds);
    printf("| | | ms | 10 to 90 %% | library to it | 10 to 90 %% |\n|---|---|---:|---|---:|---|\n");
    for (int kind = 0; kind < KINDS; kind++) {
        for (int way = 0; way < WAYS; way++) {
            snprintf(label, sizeof label, "%s | %s", kinds[kind], ways[way]);
            bench_row(label, &b->times[kind][way], &b->times[kind][LIBRARY]);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"contacts", required_argument, NULL, 'c'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"rows", required_argument, NULL, 'n'},
                                            {"folder", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    static bench b = {.contacts = 1000, .rounds = 101, .folder = "."};
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            b.contacts = (unsigned)bench_number(optarg, MOST_CONTACTS);
        else if (option == 'r')
            b.rounds = (unsigned)bench_number(optarg, BENCH_MOST_ROUNDS);
        else if (option == 'n')
            b.rows = bench_number(optarg, 100000000);
        else if (option == 'f')
            b.folder = optarg;
        else
            return 2;
    }
    open_all(&b);
    fill(&b, 0, 0);
    for (int way = 0; way < WAYS; way++)
        timed(&b, way);
    for (unsigned round = 0; round < b.rounds; round++)
        run_round(&b, round);
    report(&b);
    close_all(&b);
    return 0;
}
