/*
 * bench_many_waits.c: how long a single contact waits: in a queue that is half full, and alone.
 */
#include "bench_many_waits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

/* The queue is the library's default; half of it waits, besides what is being written. */
enum { MAX_QUEUED = 4096, MOST_OPEN = 8192, LONE_REQUESTS = 300 };

void many_fill(const many_bench *b, uint64_t *random, test_text *body)
{
    bench_contact contact = {.external_id = ""};

    bench_contact_make(&contact, test_random(random, b->keys), test_random(random, 1000000));
    bench_contacts_body(body, &contact, 1);
}

bb_request many_request(const many_bench *b, const char *chatbot, const test_text *body)
{
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = chatbot;
    request.chatbot_id_len = strlen(chatbot);
    request.authorization = b->header;
    request.authorization_len = strlen(b->header);
    request.body = body->data;
    request.body_len = body->len;
    return request;
}

void many_send(const many_bench *b, bb_contacts *contacts, const test_text *body)
{
    bb_request request = many_request(b, "123", body);
    bb_result *result = bb_contacts_upsert(contacts, &request);

    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_upsert", bb_result_body(result, NULL));
    bb_result_free(result);
}

/* --------------------------------------------------------------------------- a half full queue */

/* Enough requests are kept open to fill half of the queue: each answer is followed by another
 * request. */
typedef struct flood {
    const many_bench *bench;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    unsigned open;
    double *waits;
    size_t count, room;
    size_t queued_sum, queued_looks;
} flood;

/* One of them. */
typedef struct sent {
    flood *flood;
    double start;
} sent;

static void answered(void *sent_, bb_result *result)
{
    sent *s = sent_;
    flood *f = s->flood;
    double wait = bench_now_ms() - s->start;

    if (bb_result_http_status(result) != 200)
        bench_stop("bb_contacts_submit", bb_result_body(result, NULL));
    bb_result_free(result);
    free(s);
    pthread_mutex_lock(&f->mutex);
    if (f->count < f->room)
        f->waits[f->count++] = wait;
    f->open--;
    pthread_cond_signal(&f->answered);
    pthread_mutex_unlock(&f->mutex);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL)
        bench_stop("memory", "ran out");
    return memory;
}

static void submit_one(flood *f, uint64_t *random, test_text *body)
{
    static const char *const chatbots[MANY_CHATBOTS] = {"123", "124", "125", "126"};
    sent *s = allocate(sizeof *s);
    bb_request request;
    bb_result *result;

    many_fill(f->bench, random, body);
    request = many_request(f->bench, chatbots[test_random(random, MANY_CHATBOTS)], body);
    s->flood = f;
    s->start = bench_now_ms();
    result = bb_contacts_submit(f->bench->with_workers, &request, answered, s, NULL);
    if (result != NULL)
        bench_stop("bb_contacts_submit", bb_result_body(result, NULL));
}

static void look_at_queue(flood *f)
{
    bb_stats stats;

    bb_stats_init(&stats);
    if (bb_contacts_stats(f->bench->with_workers, &stats) != BB_OK)
        return;
    f->queued_sum += stats.queued;
    f->queued_looks++;
}

static void keep_flooding(flood *f, unsigned most_open)
{
    test_text body = {0};
    double end = bench_now_ms() + f->bench->seconds * 1e3;
    uint64_t random = (uint64_t)end;

    /* longer on a slow machine, until the queue has been half full for a while */
    for (unsigned i = 0; bench_now_ms() < end || i < 2 * most_open; i++) {
        pthread_mutex_lock(&f->mutex);
        while (f->open >= most_open)
            pthread_cond_wait(&f->answered, &f->mutex);
        f->open++;
        pthread_mutex_unlock(&f->mutex);
        submit_one(f, &random, &body);
        if (random % 64 == 0)
            look_at_queue(f);
    }
    pthread_mutex_lock(&f->mutex);
    while (f->open > 0)
        pthread_cond_wait(&f->answered, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
    free(body.data);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Requests sent while the queue filled up are left out, as they waited less. */
static void run_flood(const many_bench *b)
{
    flood f = {.bench = b, .room = 4000000};
    unsigned group = b->group != 0 ? b->group : MANY_DEFAULT_GROUP;
    unsigned most_open = MAX_QUEUED / 2 + b->workers * group;
    size_t first = most_open;

    if (most_open > MOST_OPEN)
        bench_stop("--workers and --group", "are too many for half a queue");
    f.waits = allocate(f.room * sizeof *f.waits);
    pthread_mutex_init(&f.mutex, NULL);
    pthread_cond_init(&f.answered, NULL);
    keep_flooding(&f, most_open);
    if (f.count <= first)
        bench_stop("the flood", "was over before the queue was half full");
    qsort(f.waits + first, f.count - first, sizeof *f.waits, compare);
    f.count -= first;
    printf("\n| %zu requests through a queue with %zu of %d waiting | ms | of the median |\n"
           "|---|---:|---:|\n",
           f.count, f.queued_looks > 0 ? f.queued_sum / f.queued_looks : 0, MAX_QUEUED);
    for (unsigned per_mille = 500; per_mille < 1000; per_mille += per_mille < 900 ? 400 : 90) {
        double wait = f.waits[first + (f.count - 1) * per_mille / 1000];
        printf("| %g %% took at most | %.1f | %.2f |\n", per_mille / 10.0, wait,
               wait / f.waits[first + (f.count - 1) / 2]);
    }
    pthread_cond_destroy(&f.answered);
    pthread_mutex_destroy(&f.mutex);
    free(f.waits);
}

/* ----------------------------------------------------------------------------- one alone */

static double time_alone(const many_bench *b, bb_contacts *contacts, const test_text *body)
{
    double start = bench_now_ms();

    many_send(b, contacts, body);
    return bench_now_ms() - start;
}

static void run_alone(const many_bench *b)
{
    static bench_series with, without;
    bb_contacts *alone = b->endpoint.contacts;
    test_text body = {0};
    uint64_t random = 1;

    for (unsigned i = 0; i < LONE_REQUESTS * b->seconds; i++) {
        many_fill(b, &random, &body);
        if (i % 2 == 0)
            bench_add(&with, time_alone(b, b->with_workers, &body));
        many_fill(b, &random, &body);
        bench_add(&without, time_alone(b, alone, &body));
        many_fill(b, &random, &body);
        if (i % 2 != 0)
            bench_add(&with, time_alone(b, b->with_workers, &body));
    }
    printf("\n| a lone request | ms | 10 to 90 %% | workers to it | 10 to 90 %% |\n"
           "|---|---:|---|---:|---|\n");
    bench_row("with workers", &with, &with);
    bench_row("without", &without, &with);
    free(body.data);
}

void many_run_waits(const many_bench *b)
{
    run_alone(b);
    run_flood(b);
}
