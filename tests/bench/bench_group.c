/*
 * bench_group.c: the cost of requests of one contact on PostgreSQL when they share a transaction,
 * beside one write each and beside one write of as many contacts, in turn in one run.
 *
 *     bench_group [--rounds N] [--rows N] [--askers N] [--sizes N,N,...] [--threads N --seconds N]
 *
 * On the server that BB_TEST_POSTGRES names. --rows puts so many contacts of the first chatbot into
 * the table before. --askers spreads the requests over so many chatbots. Prints a table in
 * Markdown: medians in milliseconds, with the middle 80 percent of the rounds, and, where the
 * server's process can be looked at, the time that it was on a processor for each contact, in
 * microseconds.
 *
 * With --threads it measures rates instead: threads with a session each that write groups all the
 * time, of contacts that are updated.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bb_contacts/storage.h"
#include "contacts.h"
#include "execute/storage.h"
#include "measure.h"
#include "support/settings.h"
#include "support/store.h"

enum { MOST = 1024, MOST_SIZES = 8, MOST_THREADS = 64 };

enum { CREATE, UPDATE, REPEAT, KINDS };
enum { GROUP, SINGLES, WHOLE, WAYS };

/* One request of one contact. */
typedef struct request {
    bench_contact contact;
    bb_record record;
    const bb_record *pointer;
    bb_access access;
    bb_write write;
} request;

typedef struct bench {
    test_store store;
    const bb_storage_vtable *table;
    void *session;
    long pid; /* of the session's server process */
    unsigned rounds;
    unsigned long rows;
    unsigned askers;
    unsigned seconds;
    unsigned sizes[MOST_SIZES];
    unsigned size_count;
    bench_series times[KINDS][WAYS];
    double busy[KINDS][WAYS];
} bench;

/* How long a process was on a processor, in microseconds; 0 where the system does not tell. */
static double busy_us(long pid)
{
    char path[64];
    FILE *file;
    double ns = 0;

    snprintf(path, sizeof path, "/proc/%ld/schedstat", pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf", &ns) != 1) // NOLINT(cert-err34-c)
        ns = 0;
    fclose(file);
    return ns / 1e3;
}

/* -------------------------------------------------------------------------------- what is sent */

/* A request for contact `key`, with values that `version` changes. */
static void fill(request *r, const bench *b, unsigned key, unsigned version, size_t *sum)
{
    bench_contact_make(&r->contact, key, version);
    r->record = bench_contact_record(&r->contact);
    r->pointer = &r->record;
    r->access = (bb_access){.size = sizeof r->access,
                            .workspace_id = 1,
                            .chatbot_id = 123 + key % b->askers,
                            .now_us = (int64_t)time(NULL) * 1000000,
                            .deadline = bb_deadline_in(60000)};
    r->write = (bb_write){.size = sizeof r->write,
                          .access = &r->access,
                          .records = &r->pointer,
                          .record_count = 1,
                          .put = bench_put,
                          .put_ctx = sum};
}

/* ------------------------------------------------------------------------------- the three ways */

static void write_group(const bench *b, void *session, request *requests, unsigned n)
{
    const bb_write *writes[MOST];
    int32_t codes[MOST];
    bb_error error;
    bb_write_group group = {.size = sizeof group,
                            .writes = writes,
                            .write_count = n,
                            .codes = codes,
                            .now_us = requests[0].access.now_us,
                            .deadline = requests[0].access.deadline};

    bb_error_init(&error);
    for (unsigned i = 0; i < n; i++) {
        writes[i] = &requests[i].write;
        codes[i] = BB_OK;
    }
    if (b->table->write_group(session, &group, &error) != BB_OK)
        bench_stop("write_group", error.message);
    for (unsigned i = 0; i < n; i++) {
        if (codes[i] != BB_OK)
            bench_stop("write_group", "a request has failed");
    }
}

static void write_singles(const bench *b, void *session, request *requests, unsigned n)
{
    bb_error error;

    bb_error_init(&error);
    for (unsigned i = 0; i < n; i++) {
        if (b->table->write(session, &requests[i].write, &error) != BB_OK)
            bench_stop("write", error.message);
    }
}

static void write_whole(const bench *b, void *session, request *requests, unsigned n)
{
    const bb_record *records[MOST];
    bb_write write = requests[0].write;
    bb_error error;

    bb_error_init(&error);
    for (unsigned i = 0; i < n; i++)
        records[i] = &requests[i].record;
    write.records = records;
    write.record_count = n;
    if (b->table->write(session, &write, &error) != BB_OK)
        bench_stop("write", error.message);
}

static void timed(bench *b, int kind, int way, unsigned round, unsigned n)
{
    static void (*const ways[WAYS])(const bench *, void *, request *,
                                    unsigned) = {write_group, write_singles, write_whole};
    static request requests[MOST];
    unsigned base = 100000000u * (unsigned)(way + 1);
    size_t sum = 0;
    double start, busy;

    for (unsigned i = 0; i < n; i++) {
        if (kind == CREATE)
            fill(&requests[i], b, base + 1000000 + n * 100000 + n * round + i, 0, &sum);
        else
            fill(&requests[i], b, base + n * 100000 + i, round + 1, &sum);
    }
    busy = busy_us(b->pid);
    start = bench_now_ms();
    ways[way](b, b->session, requests, n);
    bench_add(&b->times[kind][way], bench_now_ms() - start);
    b->busy[kind][way] += busy_us(b->pid) - busy;
}

/* ------------------------------------------------------------------------------- what is run */

static void run_sql(const bench *b, const char *sql, char *result, size_t size)
{
    if (test_store_sql(&b->store, sql, result, size) != 0)
        bench_stop("SQL", sql);
}

static void open_all(bench *b)
{
    bb_error error;
    char sql[500], pid[24] = "0";
    int status = test_store_open_migrated(&b->store, "postgres");

    bb_error_init(&error);
    if (status != 0)
        exit(status); // NOLINT(concurrency-mt-unsafe)
    b->table = &b->store.storage->vtable;
    for (unsigned i = 0; i < b->askers; i++) {
        if (bb_storage_chatbot_add(b->store.storage, 123 + i, 1, 0, &error) != BB_OK)
            bench_stop("chatbot", error.message);
    }
    snprintf(sql, sizeof sql,
             "INSERT INTO bb_contacts.contacts (chatbot_id, external_id, name, email, phonenumber,"
             " created_at, updated_at)"
             " SELECT 123, 'user_' || lpad((g * 37 %% 999999937)::text, 9, '0') || '_old',"
             " 'Name', 'e@example.com', '+49', now(), now() FROM generate_series(1, %lu) g",
             b->rows);
    run_sql(b, sql, NULL, 0);
    run_sql(b, "VACUUM ANALYZE", NULL, 0);
    run_sql(b, "CHECKPOINT", NULL, 0);
    if (b->table->session_open(b->store.storage->store, bb_deadline_in(10000), &b->session,
                               &error) != BB_OK)
        bench_stop("session", error.message);
    run_sql(b,
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'bb_contacts' ORDER BY backend_start DESC LIMIT 1",
            pid, sizeof pid);
    b->pid = strtol(pid, NULL, 10);
}

/* One request has one asker; and many writes one by one take too long. */
static int is_measured(const bench *b, int way, unsigned n)
{
    return way == WHOLE ? b->askers == 1 : way == GROUP || n <= 128;
}

static void report(bench *b, unsigned n)
{
    static const char *const kinds[KINDS] = {"insert", "update", "unchanged"};
    static const char *const ways[WAYS] = {"a group", "one by one", "one request"};

    for (int kind = 0; kind < KINDS; kind++) {
        for (int way = 0; way < WAYS; way++) {
            bench_series *times = &b->times[kind][way];
            double median = bench_percentile(times, 50);
            if (!is_measured(b, way, n))
                continue;
            printf("| %u | %s | %s | %.3f | %.3f to %.3f | %.1f | %.1f |\n", n, kinds[kind],
                   ways[way], median, bench_percentile(times, 10), bench_percentile(times, 90),
                   median * 1e3 / n, b->busy[kind][way] / b->rounds / n);
            times->count = 0; /* for the next size */
        }
    }
}

static void run_size(bench *b, unsigned n)
{
    memset(b->busy, 0, sizeof b->busy);
    for (unsigned round = 0; round < b->rounds; round++) {
        for (int kind = 0; kind < KINDS; kind++) {
            for (int turn = 0; turn < WAYS; turn++) {
                int way = (int)((round + (unsigned)turn) % WAYS);
                if (is_measured(b, way, n))
                    timed(b, kind, way, round, n);
            }
        }
        if (round == 0)
            memset(b->busy, 0, sizeof b->busy); /* statements were prepared */
    }
    report(b, n);
}

/* ------------------------------------------------------------------------------------ the rates */

typedef struct worker {
    pthread_t id;
    const bench *bench;
    unsigned number;
    unsigned size;
    double end;
    unsigned long groups;
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    const bench *b = w->bench;
    request *requests = calloc(w->size, sizeof *requests);
    void *session = NULL;
    bb_error error;
    size_t sum = 0;

    bb_error_init(&error);
    if (requests == NULL || b->table->session_open(b->store.storage->store, bb_deadline_in(10000),
                                                   &session, &error) != BB_OK)
        bench_stop("session", error.message);
    while (bench_now_ms() < w->end) {
        for (unsigned i = 0; i < w->size; i++)
            fill(&requests[i], b, w->number * 100000 + (unsigned)(w->groups % 64) * w->size + i,
                 (unsigned)w->groups, &sum);
        if (w->size == 1)
            write_singles(b, session, requests, 1);
        else
            write_group(b, session, requests, w->size);
        w->groups++;
    }
    b->table->session_close(session);
    free(requests);
    return NULL;
}

static void run_threads(const bench *b, unsigned threads, unsigned size)
{
    static worker workers[MOST_THREADS];
    double start = bench_now_ms();
    unsigned long groups = 0;

    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (worker){.bench = b, .number = i + 1, .size = size};
        workers[i].end = start + b->seconds * 1e3;
        if (pthread_create(&workers[i].id, NULL, work, &workers[i]) != 0)
            bench_stop("thread", "cannot be made");
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].id, NULL);
        groups += workers[i].groups;
    }
    printf("| %u | %u | %.0f |\n", threads, size,
           (double)groups * size / ((bench_now_ms() - start) / 1e3));
    fflush(stdout);
}

/* --------------------------------------------------------------------------------- the options */

static void read_sizes(bench *b, char *argument)
{
    char *rest = NULL;

    b->size_count = 0;
    for (char *at = strtok_r(argument, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest)) {
        if (b->size_count < MOST_SIZES)
            b->sizes[b->size_count++] = (unsigned)bench_number(at, MOST);
    }
}

static unsigned read_options(bench *b, int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"rows", required_argument, NULL, 'n'},
                                            {"askers", required_argument, NULL, 'a'},
                                            {"sizes", required_argument, NULL, 's'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"seconds", required_argument, NULL, 'S'},
                                            {NULL, 0, NULL, 0}};
    unsigned threads = 0;
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'r')
            b->rounds = (unsigned)bench_number(optarg, BENCH_MOST_ROUNDS);
        else if (option == 'n')
            b->rows = bench_number(optarg, 90000000);
        else if (option == 'a')
            b->askers = (unsigned)bench_number(optarg, MOST);
        else if (option == 's')
            read_sizes(b, optarg);
        else if (option == 't')
            threads = (unsigned)bench_number(optarg, MOST_THREADS);
        else if (option == 'S')
            b->seconds = (unsigned)bench_number(optarg, 3600);
        else
            exit(2); // NOLINT(concurrency-mt-unsafe)
    }
    return threads;
}

int main(int argc, char **argv)
{
    static bench b = {
        .rounds = 101, .askers = 1, .seconds = 5, .sizes = {2, 8, 32, 128}, .size_count = 4};
    unsigned threads = read_options(&b, argc, argv);

    open_all(&b);
    printf("%lu rows before, %u askers\n\n", b.rows, b.askers);
    if (threads == 0)
        printf("| requests | | | ms | 10 to 90 %% | us a contact | of which on the server's"
               " processor |\n|---:|---|---|---:|---|---:|---:|\n");
    else
        printf("| threads | requests in a group | contacts a second |\n|---:|---:|---:|\n");
    for (unsigned i = 0; i < b.size_count; i++) {
        if (threads == 0)
            run_size(&b, b.sizes[i]);
        else
            run_threads(&b, threads, b.sizes[i]);
    }
    b.table->session_close(b.session);
    test_store_close(&b.store);
    return 0;
}
