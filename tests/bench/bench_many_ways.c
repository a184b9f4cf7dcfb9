/*
 * bench_many_ways.c: the ways to have many requests under way at once, beside each other: threads
 * that block, without workers and with them, callbacks, and a completion queue.
 */
#include "bench_many_ways.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "measure.h"
#include "server_time.h"

enum { MOST_AT_ONCE = 1000, WAYS_PATIENCE_MS = 600000, CALLER_STACK = 256 * 1024 };

/* A store, and a handle for each way. */
typedef struct ways_bench {
    many_bench many; /* whose endpoint's handle has no workers */
    unsigned at_once;
    long postmaster; /* or 0 */
} ways_bench;

/* ------------------------------------------------------------------------------------- blocking */

typedef struct caller {
    pthread_t thread;
    const many_bench *bench;
    bb_contacts *contacts;
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
        many_send(c->bench, c->contacts, &body);
        c->done++;
    }
    free(body.data);
    return NULL;
}

static void start_caller(caller *c)
{
    pthread_attr_t attributes;

    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, CALLER_STACK) != 0 ||
        pthread_create(&c->thread, &attributes, call_until_stopped, c) != 0)
        bench_stop("pthread_create", "failed");
    pthread_attr_destroy(&attributes);
}

/* Returns how many requests were answered. */
static unsigned long run_blocking(const ways_bench *b, bb_contacts *contacts)
{
    static caller callers[MOST_AT_ONCE];
    const struct timespec duration = {.tv_sec = b->many.seconds};
    atomic_int stop = 0;
    unsigned long done = 0;
    uint64_t seed = (uint64_t)bench_now_ms() * MOST_AT_ONCE;

    for (unsigned i = 0; i < b->at_once; i++) {
        callers[i] = (caller){
            .bench = &b->many, .contacts = contacts, .stop = &stop, .random = seed + i + 1};
        start_caller(&callers[i]);
    }
    nanosleep(&duration, NULL);
    atomic_store(&stop, 1);
    for (unsigned i = 0; i < b->at_once; i++) {
        pthread_join(callers[i].thread, NULL);
        done += callers[i].done;
    }
    return done;
}

static unsigned long run_without_workers(const ways_bench *b)
{
    return run_blocking(b, b->many.endpoint.contacts);
}

static unsigned long run_with_workers(const ways_bench *b)
{
    return run_blocking(b, b->many.with_workers);
}

/* ------------------------------------------------------------------------------------ callbacks */

typedef struct answers {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    unsigned open;
    unsigned long done;
} answers;

static void count_answer(void *answers_, bb_result *result)
{
    answers *a = answers_;

    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_submit", bb_result_body(result, NULL));
    bb_result_free(result);
    pthread_mutex_lock(&a->mutex);
    a->open--;
    a->done++;
    pthread_cond_signal(&a->answered);
    pthread_mutex_unlock(&a->mutex);
}

/* Waits until fewer than `most` are open, and then counts `more` as open. */
static void wait_for_open(answers *a, unsigned most, unsigned more)
{
    pthread_mutex_lock(&a->mutex);
    while (a->open >= most)
        pthread_cond_wait(&a->answered, &a->mutex);
    a->open += more;
    pthread_mutex_unlock(&a->mutex);
}

static unsigned long run_callbacks(const ways_bench *b)
{
    answers a = {.open = 0};
    test_text body = {0};
    double end = bench_now_ms() + b->many.seconds * 1e3;
    uint64_t random = (uint64_t)end;

    pthread_mutex_init(&a.mutex, NULL);
    pthread_cond_init(&a.answered, NULL);
    while (bench_now_ms() < end) {
        bb_request request;
        bb_result *result;
        many_fill(&b->many, &random, &body);
        wait_for_open(&a, b->at_once, 1);
        request = many_request(&b->many, "123", &body);
        result = bb_contacts_submit(b->many.with_workers, &request, count_answer, &a, NULL);
        if (result != NULL)
            bench_stop("bb_contacts_submit", bb_result_body(result, NULL));
    }
    wait_for_open(&a, 1, 0);
    pthread_cond_destroy(&a.answered);
    pthread_mutex_destroy(&a.mutex);
    free(body.data);
    return a.done;
}

/* --------------------------------------------------------------------------- completion queues */

enum { TAKEN_AT_ONCE = 256 };

static void submit_to_queue(const ways_bench *b, bb_completions *completions, uint64_t *random,
                            test_text *body)
{
    bb_request request;
    int32_t code;

    many_fill(&b->many, random, body);
    request = many_request(&b->many, "123", body);
    code = bb_completions_submit(completions, &request, 0, NULL);
    if (code != BB_OK)
        bench_stop("bb_completions_submit", bb_code_name(code));
}

/* Waits for what is there, as an event loop does if `is_watched`, else inside the library. */
static size_t take_from_queue(bb_completions *completions, int is_watched, bb_completion *taken)
{
    struct pollfd watched = {.fd = -1, .events = POLLIN};
    size_t count = 0;

    if (is_watched) {
        watched.fd = bb_completions_fd(completions);
        poll(&watched, 1, -1);
    }
    if (bb_completions_take(completions, taken, TAKEN_AT_ONCE, is_watched ? 0 : -1, &count) !=
        BB_OK)
        bench_stop("bb_completions_take", "failed");
    for (size_t i = 0; i < count; i++) {
        if (bb_result_http_status(taken[i].result) != 200)
            bench_stop("bb_completions_submit", bb_result_body(taken[i].result, NULL));
        bb_result_free(taken[i].result);
    }
    return count;
}

/* One thread submits and takes. */
static unsigned long run_queue(const ways_bench *b, int is_watched)
{
    static bb_completion taken[TAKEN_AT_ONCE];
    bb_completions *completions;
    test_text body = {0};
    double end = bench_now_ms() + b->many.seconds * 1e3;
    uint64_t random = (uint64_t)end;
    unsigned long done = 0;
    size_t open = 0;

    if (bb_completions_open(b->many.with_workers, NULL, &completions, NULL) != BB_OK)
        bench_stop("bb_completions_open", "failed");
    bb_completion_init(&taken[0]);
    do {
        size_t count;
        for (; open < b->at_once && bench_now_ms() < end; open++)
            submit_to_queue(b, completions, &random, &body);
        count = take_from_queue(completions, is_watched, taken);
        open -= count;
        done += count;
    } while (open > 0);
    bb_completions_close(completions);
    free(body.data);
    return done;
}

static unsigned long run_queue_watched(const ways_bench *b)
{
    return run_queue(b, 1);
}

static unsigned long run_queue_waiting(const ways_bench *b)
{
    return run_queue(b, 0);
}

/* -------------------------------------------------------------------------------------- figures */

static const struct way {
    const char *name;
    unsigned long (*run)(const ways_bench *bench);
} ways[] = {
    {"blocking, no workers", run_without_workers},
    {"blocking, 2 workers", run_with_workers},
    {"callback, 2 workers", run_callbacks},
    {"completion queue and poll(), 2 workers", run_queue_watched},
    {"completion queue, waiting, 2 workers", run_queue_waiting},
};

enum { WAYS = sizeof ways / sizeof ways[0] };

typedef struct figures {
    bench_series rate;
    bench_series client; /* microseconds of the processors, a request */
    bench_series server;
} figures;

static double client_cpu_ms(void)
{
    struct rusage own;

    getrusage(RUSAGE_SELF, &own);
    return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1e3 +
           (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e3;
}

static double server_cpu_ms(const ways_bench *b)
{
    return b->postmaster != 0 ? bench_server_cpu_ms(b->postmaster) : 0;
}

static void measure(const ways_bench *b, const struct way *way, figures *f)
{
    double client = client_cpu_ms();
    double server = server_cpu_ms(b);
    double start = bench_now_ms();
    double done = (double)way->run(b);

    bench_add(&f->rate, done * 1e3 / (bench_now_ms() - start));
    bench_add(&f->client, (client_cpu_ms() - client) * 1e3 / done);
    bench_add(&f->server, (server_cpu_ms(b) - server) * 1e3 / done);
}

/* The ratios are those of the rates, to the first row's. */
static void print_figures(const ways_bench *b, const figures *all)
{
    printf("\n| %s, %u at once | requests a second | 10 to 90 %% | first to it | 10 to 90 %% |\n"
           "|---|---:|---|---:|---|\n",
           bb_storage_name(b->many.endpoint.store.storage), b->at_once);
    for (unsigned way = 0; way < WAYS; way++)
        bench_row(ways[way].name, &all[way].rate, &all[0].rate);
    printf("\nProcessor us a request, client and server:");
    for (unsigned way = 0; way < WAYS; way++)
        printf(" %.1f + %.1f (%s)%s", bench_percentile(&all[way].client, 50),
               bench_percentile(&all[way].server, 50), ways[way].name,
               way + 1 < WAYS ? ";" : ".\n");
    fflush(stdout);
}

static void run_at_once(ways_bench *b, unsigned at_once)
{
    static figures all[WAYS];

    b->at_once = at_once;
    for (unsigned way = 0; way < WAYS; way++)
        all[way].rate.count = all[way].client.count = all[way].server.count = 0;
    for (unsigned round = 0; round < b->many.rounds; round++) {
        for (unsigned turn = 0; turn < WAYS; turn++) {
            unsigned way = (round + turn) % WAYS;
            measure(b, &ways[way], &all[way]);
        }
    }
    print_figures(b, all);
}

static void run_on(const many_bench *numbers, const char *backend)
{
    static ways_bench b;
    bb_config config;

    b = (ways_bench){.many = *numbers};
    bb_config_init(&config);
    config.timeout_ms = WAYS_PATIENCE_MS;
    if (test_endpoint_open(&b.many.endpoint, backend, &config) != 0)
        return;
    config.workers = 2;
    if (bb_contacts_open(b.many.endpoint.store.storage, &config, &b.many.with_workers, NULL) !=
        BB_OK)
        bench_stop("handle", "cannot be opened");
    if (strcmp(backend, "postgres") == 0)
        b.postmaster = bench_postmaster(&b.many.endpoint.store);
    many_add_key(&b.many);
    run_at_once(&b, 64);
    run_at_once(&b, MOST_AT_ONCE);
    bb_contacts_close(b.many.with_workers);
    test_endpoint_close(&b.many.endpoint);
}

void many_run_ways(const many_bench *bench)
{
    run_on(bench, "sqlite");
    run_on(bench, "postgres");
}
