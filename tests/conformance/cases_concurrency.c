/*
 * cases_concurrency.c: writers at the same time (E7), and deadlines (E11).
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "cases.h"
#include "history.h"

void case_serial(bb_case *c)
{
    history_plan plan = {.prefix = "serial ",
                         .threads = c->options->threads,
                         .writes = c->options->writes,
                         .keys = 150,
                         .batch_min = 50,
                         .batch_max = 50,
                         .values = 1000,
                         .seed = c->options->seed};

    fixture_open(c);
    CHECK_GOOD(c);
    history_run(c, &plan);
}

/* Few keys and two values: most records change nothing on a key while another write changes it. A
 * backend that does not lock unchanged contacts goes wrong there. */
void case_serial_skew(bb_case *c)
{
    history_plan plan = {.prefix = "skew ",
                         .threads = c->options->threads,
                         .writes = c->options->writes,
                         .keys = 4,
                         .batch_min = 2,
                         .batch_max = 3,
                         .values = 2,
                         .seed = c->options->seed};

    fixture_open(c);
    CHECK_GOOD(c);
    history_run(c, &plan);
}

void case_create_race(bb_case *c)
{
    enum { ROUNDS = 20 };
    char prefix[24];
    history_plan plan = {.prefix = prefix,
                         .threads = c->options->threads,
                         .writes = 1,
                         .keys = 20,
                         .batch_min = 20,
                         .batch_max = 20,
                         .values = 100};

    fixture_open(c);
    CHECK_GOOD(c);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        snprintf(prefix, sizeof prefix, "race %d ", (int)round);
        plan.seed = c->options->seed + round;
        history_run(c, &plan);
        CHECK_GOOD(c);
    }
}

/* ----------------------------------------------------------------------------------- deadlines */

static int64_t milliseconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void case_deadline_passed(bb_case *c)
{
    bb_record record = record_of("late");
    int64_t start = milliseconds_now();
    int64_t deadlines[] = {0, 1, start - 1};
    kept_write kept;
    int32_t code;

    fixture_open(c);
    CHECK_GOOD(c);
    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        bb_access access = principal_access(c, WORKSPACE, 0, CHATBOT);
        access.deadline = deadlines[i];
        start = milliseconds_now();
        record.external_id = text(i == 0 ? "late" : i == 1 ? "later" : "latest");
        kept = write_as(c->session, c->vtable, &access, &record, 1, SIZE_MAX);
        code = kept.code;
        kept_write_free(&kept);
        CHECK(c, code == BB_OK || code == BB_ERR_BUSY);
        CHECK(c, milliseconds_now() - start < LATE_MS);
        /* the session goes on, and what was refused was not stored */
        kept = write_one(c, &record);
        CHECK_GOOD(c);
        CHECK(c, kept.outcomes[0] == (code == BB_OK ? BB_UNCHANGED : BB_CREATED));
        kept_write_free(&kept);
    }
}

/* A write whose put() waits until it is told to go on: its rows stay locked until then. */
typedef struct blocker {
    bb_case *c;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int entered;
    int released;
    int32_t code;
} blocker;

static int32_t put_and_wait(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                            const bb_contact *before)
{
    blocker *b = ctx;

    (void)index;
    (void)outcome;
    (void)contact;
    (void)before;
    pthread_mutex_lock(&b->lock);
    b->entered = 1;
    pthread_cond_broadcast(&b->changed);
    while (!b->released)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return BB_OK;
}

static void *write_and_wait(void *arg)
{
    blocker *b = arg;
    const bb_storage_vtable *vtable = b->c->vtable;
    bb_record record = record_of("locked");
    const bb_record *records[1] = {&record};
    bb_access access = principal_access(b->c, WORKSPACE, 0, CHATBOT);
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = records,
                      .record_count = 1,
                      .put = put_and_wait,
                      .put_ctx = b};
    void *session = NULL;
    bb_error error;

    bb_error_init(&error);
    set_name(&record, "by the first");
    b->code = vtable->session_open(b->c->store.store, soon(), &session, &error);
    if (b->code == BB_OK) {
        b->code = vtable->write(session, &write, &error);
        vtable->session_close(session);
    }
    pthread_mutex_lock(&b->lock);
    b->entered = 1; /* set even if put() was never called, so that nobody waits for it */
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Writes the same contact while the other write holds it. */
static void write_behind(bb_case *c)
{
    bb_record record = record_of("locked");
    bb_access access = principal_access(c, WORKSPACE, 0, CHATBOT);
    int64_t start = milliseconds_now();
    kept_write kept;

    set_name(&record, "by the second");
    access.deadline = bb_deadline_in(300);
    kept = write_as(c->session, c->vtable, &access, &record, 1, SIZE_MAX);
    CHECK(c, kept.code == BB_OK || kept.code == BB_ERR_BUSY || kept.code == BB_ERR_RETRY);
    CHECK(c, milliseconds_now() - start < LATE_MS);
    kept_write_free(&kept);
}

void case_deadline_behind_writer(bb_case *c)
{
    blocker b = {.c = c, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    bb_record record = record_of("locked");
    kept_write kept;
    pthread_t thread;

    fixture_open(c);
    CHECK_GOOD(c);
    if (c->options->differences & BB_CONFORMANCE_NO_LOCK_WAIT) {
        case_skip(c, "the store locks for moments only");
        return;
    }
    kept = write_one(c, &record);
    kept_write_free(&kept);
    CHECK_GOOD(c);
    CHECK(c, pthread_create(&thread, NULL, write_and_wait, &b) == 0);
    pthread_mutex_lock(&b.lock);
    while (!b.entered)
        pthread_cond_wait(&b.changed, &b.lock);
    pthread_mutex_unlock(&b.lock);
    write_behind(c);
    pthread_mutex_lock(&b.lock);
    b.released = 1;
    pthread_cond_broadcast(&b.changed);
    pthread_mutex_unlock(&b.lock);
    pthread_join(thread, NULL);
    CHECK_GOOD(c);
    CHECK_CODE(c, BB_OK, b.code);
    kept = write_one(c, &record); /* the session goes on */
    CHECK_GOOD(c);
    kept_write_free(&kept);
}
