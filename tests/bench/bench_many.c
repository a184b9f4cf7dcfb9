/*
 * bench_many.c: one contact per request from many threads on PostgreSQL, beside pgbench's prepared
 * single-row upserts into the same table, in turn in one run; and how long requests wait.
 *
 *     bench_many [--threads N] [--workers N] [--group N] [--seconds N] [--rounds N] [--keys N]
 *                [--part rates|waits|ways]
 *
 * On the server that BB_TEST_POSTGRES names, with the pgbench on the PATH. Keys are random among
 * --keys, and every write changes its row. --workers and --group are bb_config's workers and
 * max_group_requests (0: the library's default). Prints tables in Markdown.
 *
 * Besides rates it prints the processors' time for a request, client and server together. On a
 * shared machine, the rates also depend on the number of processes, of which pgbench with 64
 * connections has 64 more.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench_many_waits.h"
#include "bench_many_ways.h"
#include "contacts.h"
#include "measure.h"
#include "server_time.h"

/* All requests must be answered 200, however long they wait on a slow machine. */
enum { MOST_THREADS = 256, PATIENCE_MS = 600000 };

/* A thread that sends one contact after the other. */
typedef struct caller {
    pthread_t thread;
    const many_bench *bench;
    atomic_int *stop;
    uint64_t random;
    unsigned long done;
} caller;

static void *call_until_stopped(void *caller_)
{
    caller *c = caller_;
    test_text body = {0};

    while (!atomic_load_explicit(c->stop, memory_order_relaxed)) {
        many_fill(c->bench, &c->random, &body);
        many_send(c->bench, c->bench->with_workers, &body);
        c->done++;
    }
    free(body.data);
    return NULL;
}

/* Requests a second. */
static double rate_of_library(const many_bench *b, unsigned threads)
{
    static caller callers[MOST_THREADS];
    const struct timespec duration = {.tv_sec = b->seconds};
    atomic_int stop = 0;
    unsigned long done = 0;
    double start = bench_now_ms();

    for (unsigned i = 0; i < threads; i++) {
        callers[i] = (caller){.bench = b, .stop = &stop, .random = (uint64_t)start + i + 1};
        if (pthread_create(&callers[i].thread, NULL, call_until_stopped, &callers[i]) != 0)
            bench_stop("pthread_create", "failed");
    }
    nanosleep(&duration, NULL);
    atomic_store(&stop, 1);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(callers[i].thread, NULL);
        done += callers[i].done;
    }
    return (double)done * 1e3 / (bench_now_ms() - start);
}

/* ------------------------------------------------------------------------------------- pgbench */

/* The same contacts as bench_contact_make()'s, built by the server from two numbers. (A colon
 * before a letter would be a variable of pgbench's, hence the space before "true".) */
static const char script[] =
    "\\set n random(0, %u)\n"
    "\\set v random(0, 999999)\n"
    "INSERT INTO bb_contacts.contacts (chatbot_id, external_id, name, email, phonenumber,"
    " stripe_accounts, custom_attributes, created_at, updated_at)"
    " VALUES (123, 'user_' || lpad(:n::text, 9, '0'), 'Person Number ' || :n::text || ' v' ||"
    " :v::text, 'person' || :n::text || '@example.com', '+49301234567', '[]',"
    " ('{\"plan\":\"pro\",\"score\":' || :v::text || ',\"city\":\"Berlin\",\"tags\":[\"a\",\"b\"],"
    "\"since\":\"2024-01-05\",\"active\": true}')::jsonb, now(), now())"
    " ON CONFLICT (chatbot_id, external_id) DO UPDATE SET name = excluded.name,"
    " email = excluded.email, phonenumber = excluded.phonenumber,"
    " stripe_accounts = excluded.stripe_accounts,"
    " custom_attributes = excluded.custom_attributes, updated_at = excluded.updated_at"
    " RETURNING id, external_id, name, email, phonenumber, stripe_accounts, custom_attributes,"
    " created_at, updated_at;\n";

static void write_script(const many_bench *b)
{
    FILE *file = fopen(b->script, "w");

    if (file == NULL || fprintf(file, script, b->keys - 1) < 0 || fclose(file) != 0)
        bench_stop(b->script, "cannot be written");
}

/* Transactions a second, without connecting. */
static double rate_of_pgbench(const many_bench *b, unsigned clients)
{
    char command[700];
    char line[300] = "";
    double rate = 0;
    FILE *output;

    snprintf(command, sizeof command, "pgbench -n -M prepared -c %u -j %u -T %u -f %s '%s' 2>&1",
             clients, clients > 1 ? 2u : 1u, b->seconds, b->script, b->endpoint.store.place);
    output = popen(command, "r"); // NOLINT(cert-env33-c): a benchmark's own command
    while (output != NULL && fgets(line, sizeof line, output) != NULL) {
        if (strncmp(line, "tps = ", 6) == 0)
            rate = strtod(line + 6, NULL);
    }
    if (output == NULL || pclose(output) != 0 || rate <= 0)
        bench_stop("pgbench", line);
    return rate;
}

/* --------------------------------------------------------------------------------------- rates */

/* Many callers of each, then one. */
enum { LIBRARY, PGBENCH, LIBRARY_ALONE, PGBENCH_ALONE, WAYS };

typedef struct rates {
    bench_series rate;
    bench_series client; /* microseconds of the processors, a request */
    bench_series both;   /* and the server's on top */
    bench_series group;  /* requests a transaction, of the library's */
} rates;

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* The time of this process and of those that it started and waited for. */
static double client_cpu_ms(void)
{
    struct rusage own, children;

    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return 1e3 * (seconds_of(own.ru_utime) + seconds_of(own.ru_stime) +
                  seconds_of(children.ru_utime) + seconds_of(children.ru_stime));
}

static double rate_of(const many_bench *b, unsigned way)
{
    unsigned callers = way < LIBRARY_ALONE ? b->threads : 1;

    if (way == LIBRARY || way == LIBRARY_ALONE)
        return rate_of_library(b, callers);
    return rate_of_pgbench(b, callers);
}

static bb_stats stats_of(const many_bench *b)
{
    bb_stats stats;

    bb_stats_init(&stats);
    if (bb_contacts_stats(b->with_workers, &stats) != BB_OK)
        bench_stop("statistics", "not available");
    return stats;
}

static void measure(const many_bench *b, unsigned way, long postmaster, rates *r)
{
    bb_stats before = stats_of(b), after;
    double start = bench_now_ms();
    double client = client_cpu_ms();
    double server = bench_server_cpu_ms(postmaster);
    double rate = rate_of(b, way);
    double requests = rate * (bench_now_ms() - start) / 1e3;

    client = client_cpu_ms() - client;
    server = bench_server_cpu_ms(postmaster) - server;
    after = stats_of(b);
    bench_add(&r->rate, rate);
    bench_add(&r->client, client * 1e3 / requests);
    bench_add(&r->both, (client + server) * 1e3 / requests);
    if (after.writes > before.writes)
        bench_add(&r->group,
                  (double)(after.requests[BB_STATUS_SUCCESS] - before.requests[BB_STATUS_SUCCESS]) /
                      (double)(after.writes - before.writes));
}

static const bench_series *rates_of(const rates *of)
{
    return &of->rate;
}

static const bench_series *both_of(const rates *of)
{
    return &of->both;
}

static void report_table(const many_bench *b, const rates *all, const char *unit,
                         const bench_series *(*series_of)(const rates *of))
{
    char label[60];

    printf("\n| at once | | %s | 10 to 90 %% | library to it | 10 to 90 %% |\n", unit);
    printf("|---:|---|---:|---|---:|---|\n");
    for (unsigned way = 0; way < WAYS; way++) {
        const rates *base = &all[way - way % 2]; /* the library's */
        snprintf(label, sizeof label, "%u | %s", way < LIBRARY_ALONE ? b->threads : 1,
                 way % 2 == LIBRARY ? "library" : "pgbench");
        bench_row(label, series_of(&all[way]), series_of(base));
    }
}

static void report_rates(const many_bench *b, const rates *all)
{
    report_table(b, all, "requests a second", rates_of);
    report_table(b, all, "processor us a request", both_of);
    printf(
        "\nOf the latter the client alone: %.0f of %u callers, %.0f of one; pgbench %.0f and %.0f."
        " A transaction of the library's stored %.1f requests of %u callers.\n",
        bench_percentile(&all[LIBRARY].client, 50), b->threads,
        bench_percentile(&all[LIBRARY_ALONE].client, 50),
        bench_percentile(&all[PGBENCH].client, 50),
        bench_percentile(&all[PGBENCH_ALONE].client, 50), bench_percentile(&all[LIBRARY].group, 50),
        b->threads);
}

static void run_rates(const many_bench *b)
{
    static rates all[WAYS];
    long postmaster = bench_postmaster(&b->endpoint.store);

    for (unsigned round = 0; round < b->rounds; round++) {
        for (unsigned turn = 0; turn < WAYS; turn++) {
            unsigned way = (round + turn) % WAYS;
            measure(b, way, postmaster, &all[way]);
        }
    }
    report_rates(b, all);
}

/* --------------------------------------------------------------------------------- the program */

void many_add_key(many_bench *b)
{
    bb_key_options options;
    bb_error error;

    bb_error_init(&error);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    memcpy(b->header, "Bearer ", 7);
    for (int64_t bot = 123; bot < 123 + MANY_CHATBOTS; bot++) {
        if (bb_storage_chatbot_add(b->endpoint.store.storage, bot, 1, 0, &error) != BB_OK)
            bench_stop("chatbot", error.message);
    }
    if (bb_storage_key_add(b->endpoint.store.storage, &options, b->header + 7, sizeof b->header - 7,
                           0, &error) != BB_OK)
        bench_stop("key", error.message);
}

/* Two handles on one store: one with workers, one that writes each request alone. */
static int open_all(many_bench *b)
{
    bb_config config;
    bb_error error;
    int status = test_endpoint_open(&b->endpoint, "postgres", NULL);

    bb_error_init(&error);
    if (status != 0)
        return status;
    bb_config_init(&config);
    config.workers = b->workers;
    config.max_group_requests = b->group;
    config.timeout_ms = PATIENCE_MS;
    if (bb_contacts_open(b->endpoint.store.storage, &config, &b->with_workers, &error) != BB_OK)
        bench_stop("handle", error.message);
    many_add_key(b);
    snprintf(b->script, sizeof b->script, "bench-many-%ld.sql", (long)getpid());
    write_script(b);
    return 0;
}

static void close_all(many_bench *b)
{
    unlink(b->script);
    bb_contacts_close(b->with_workers);
    test_endpoint_close(&b->endpoint);
}

static void read_options(many_bench *b, const char **part, int argc, char **argv)
{
    static const struct option options[] = {
        {"threads", required_argument, NULL, 't'}, {"workers", required_argument, NULL, 'w'},
        {"group", required_argument, NULL, 'g'},   {"seconds", required_argument, NULL, 's'},
        {"rounds", required_argument, NULL, 'r'},  {"keys", required_argument, NULL, 'k'},
        {"part", required_argument, NULL, 'p'},    {NULL, 0, NULL, 0}};
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't')
            b->threads = (unsigned)bench_number(optarg, MOST_THREADS);
        else if (option == 'w')
            b->workers = (unsigned)bench_number(optarg, 256);
        else if (option == 'g')
            b->group = (unsigned)bench_number(optarg, 1000);
        else if (option == 's')
            b->seconds = (unsigned)bench_number(optarg, 3600);
        else if (option == 'r')
            b->rounds = (unsigned)bench_number(optarg, BENCH_MOST_ROUNDS);
        else if (option == 'k')
            b->keys = (unsigned)bench_number(optarg, 100000000);
        else if (option == 'p')
            *part = optarg;
        else
            exit(2); // NOLINT(concurrency-mt-unsafe)
    }
}

static int is_wanted(const char *part, const char *this)
{
    return strcmp(part, "all") == 0 || strcmp(part, this) == 0;
}

int main(int argc, char **argv)
{
    static many_bench b = {.threads = 64, .workers = 2, .seconds = 5, .rounds = 7, .keys = 100000};
    const char *part = "all";
    int status;

    read_options(&b, &part, argc, argv);
    status = open_all(&b);
    if (status != 0)
        return status;
    printf("%u workers, groups of at most %u, %u seconds a measurement, %u rounds, %u keys\n",
           b.workers, b.group != 0 ? b.group : MANY_DEFAULT_GROUP, b.seconds, b.rounds, b.keys);
    if (is_wanted(part, "rates"))
        run_rates(&b);
    if (is_wanted(part, "waits"))
        many_run_waits(&b);
    if (is_wanted(part, "ways"))
        many_run_ways(&b);
    close_all(&b);
    return 0;
}
