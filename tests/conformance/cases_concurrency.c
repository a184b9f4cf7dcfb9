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

/* What a store answers once the deadline has passed: that it gave up; or the write itself, if it
 * never waits. */
static int is_given_up(const bb_case *c, int32_t code)
{
    return code == BB_ERR_BUSY ||
           (code == BB_OK && (c->options->differences & BB_CONFORMANCE_NO_LOCK_WAIT));
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
        CHECK(c, is_given_up(c, code));
        CHECK(c, milliseconds_now() - start < c->options->late_ms);
        /* the session goes on, and what was refused was not stored */
        kept = write_one(c, &record);
        CHECK_GOOD(c);
        CHECK(c, kept.outcomes[0] == (code == BB_OK ? BB_UNCHANGED : BB_CREATED));
        kept_write_free(&kept);
    }
}

enum { SHORT_MS = 300 };

/* Two writes of one contact: the put() of the first waits until it is told to go on, so its rows
 * stay locked until then; the second has a deadline. */
typedef struct two_writers {
    bb_case *c;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    int entered;            /* the first is in put(), or has ended */
    int released;
    int answered; /* the second */
    int32_t first_code;
    int32_t second_code;
} two_writers;

static void set_and_tell(two_writers *w, int *flag)
{
    pthread_mutex_lock(&w->lock);
    *flag = 1;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static int32_t put_and_wait(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                            const bb_contact *before)
{
    two_writers *w = ctx;

    (void)index;
    (void)outcome;
    (void)contact;
    (void)before;
    set_and_tell(w, &w->entered);
    pthread_mutex_lock(&w->lock);
    while (!w->released)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return BB_OK;
}

/* On a session of its own. */
static void *write_first(void *arg)
{
    two_writers *w = arg;
    const bb_storage_vtable *vtable = w->c->vtable;
    bb_record record = record_of("locked");
    const bb_record *records[1] = {&record};
    bb_access access = principal_access(w->c, WORKSPACE, 0, CHATBOT);
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = records,
                      .record_count = 1,
                      .put = put_and_wait,
                      .put_ctx = w};
    void *session = NULL;
    bb_error error;

    bb_error_init(&error);
    set_name(&record, "by the first");
    w->first_code = vtable->session_open(w->c->store.store, soon(), &session, &error);
    if (w->first_code == BB_OK) {
        w->first_code = vtable->write(session, &write, &error);
        vtable->session_close(session);
    }
    set_and_tell(w, &w->entered); /* even if put() was never called, so that nobody waits for it */
    return NULL;
}

/* On the case's session. */
static void *write_second(void *arg)
{
    two_writers *w = arg;
    bb_record record = record_of("locked");
    bb_access access = principal_access(w->c, WORKSPACE, 0, CHATBOT);
    kept_write kept;

    set_name(&record, "by the second");
    access.deadline = bb_deadline_in(SHORT_MS);
    kept = write_as(w->c->session, w->c->vtable, &access, &record, 1, SIZE_MAX);
    w->second_code = kept.code;
    kept_write_free(&kept);
    set_and_tell(w, &w->answered);
    return NULL;
}

/* Waits for the second to answer, until it is too late. */
static int wait_for_answer(two_writers *w)
{
    int64_t until = milliseconds_now() + SHORT_MS + w->c->options->late_ms;
    struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    int answered;

    pthread_mutex_lock(&w->lock);
    while (!w->answered && pthread_cond_timedwait(&w->changed, &w->lock, &at) == 0)
        ;
    answered = w->answered;
    pthread_mutex_unlock(&w->lock);
    return answered;
}

/* Runs both; returns whether the second answered while the first was still in put(). */
static int run_two_writers(two_writers *w)
{
    pthread_t first, second;
    int answered = 0;

    if (pthread_create(&first, NULL, write_first, w) != 0)
        return 0;
    pthread_mutex_lock(&w->lock);
    while (!w->entered)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (pthread_create(&second, NULL, write_second, w) == 0) {
        answered = wait_for_answer(w);
        set_and_tell(w, &w->released);
        pthread_join(second, NULL);
    }
    set_and_tell(w, &w->released);
    pthread_join(first, NULL);
    return answered;
}

void case_deadline_behind_writer(bb_case *c)
{
    two_writers w = {.c = c, .lock = PTHREAD_MUTEX_INITIALIZER};
    bb_record record = record_of("locked");
    pthread_condattr_t by_clock;
    kept_write kept;

    fixture_open(c);
    CHECK_GOOD(c);
    if (c->options->differences & BB_CONFORMANCE_NO_LOCK_WAIT) {
        case_skip(c, "the store locks for moments only");
        return;
    }
    kept = write_one(c, &record);
    kept_write_free(&kept);
    CHECK_GOOD(c);
    pthread_condattr_init(&by_clock);
    pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w.changed, &by_clock);
    pthread_condattr_destroy(&by_clock);
    CHECK(c, run_two_writers(&w)); /* within late_ms of its deadline, whatever the first does */
    pthread_cond_destroy(&w.changed);
    CHECK_CODE(c, BB_OK, w.first_code);
    CHECK(c,
          w.second_code == BB_OK || w.second_code == BB_ERR_BUSY || w.second_code == BB_ERR_RETRY);
    kept = write_one(c, &record); /* the session goes on */
    CHECK_GOOD(c);
    kept_write_free(&kept);
}
