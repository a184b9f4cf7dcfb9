/*
 * test_queue.c: the queue of waiting requests: bounded, fair between chatbots, groups without
 * contacts that are named twice (E1, E7, E11).
 */
#include "unit.h"

#include "dispatch/queue.h"

enum { MOST_JOBS = 600, NO_MARGIN = 0, SOON = 10, LATE = 1000 };

/* A job with one record, or with as many as `records` says. */
typedef struct made_job {
    bb_job job;
    bb_batch batch;
    bb_record one;
    bb_record *records;
    char key[32];
} made_job;

typedef struct fixture {
    unit_memory memory;
    bb_queue queue;
    made_job made[MOST_JOBS];
    size_t count;
    bb_job *taken[MOST_JOBS];
} fixture;

static const uint8_t seed[BB_HASH_SEED_SIZE] = "0123456789abcde";

static bb_queue_limits wide(void)
{
    bb_queue_limits limits = {.max_queued = 1000,
                              .max_queued_bytes = 1000000,
                              .max_group_requests = 100,
                              .max_group_contacts = 1000,
                              .max_group_bytes = 1000000};

    return limits;
}

static fixture *open_queue(bb_queue_limits limits)
{
    fixture *f = must_alloc(sizeof *f);

    memset(f, 0, sizeof *f);
    unit_memory_init(&f->memory);
    assert_int_equal(bb_queue_init(&f->queue, &f->memory.allocator, seed, &limits), BB_OK);
    return f;
}

static void close_queue(fixture *f)
{
    int64_t next;

    bb_queue_take_expired(&f->queue, INT64_MAX, &next);
    assert_int_equal(f->queue.count, 0);
    bb_queue_free(&f->queue);
    unit_memory_check(&f->memory);
    for (size_t i = 0; i < f->count; i++) {
        if (f->made[i].records != &f->made[i].one)
            free(f->made[i].records);
    }
    free(f);
}

/* A job of a chatbot with `records` contacts whose keys begin with `key`. */
static made_job *make(fixture *f, int64_t chatbot_id, const char *key, size_t records)
{
    made_job *m = &f->made[f->count++];

    assert_true(f->count <= MOST_JOBS);
    m->records = records == 1 ? &m->one : must_alloc(records * sizeof *m->records);
    snprintf(m->key, sizeof m->key, "%s", key);
    for (size_t i = 0; i < records; i++) {
        memset(&m->records[i], 0, sizeof m->records[i]);
        m->records[i].external_id.data = m->key; /* longer and longer parts of it, so all differ */
        m->records[i].external_id.len = records == 1 ? strlen(m->key) : i + 1;
    }
    m->batch.records = m->records;
    m->batch.record_count = records;
    m->job.batch = &m->batch;
    m->job.access.chatbot_id = chatbot_id;
    m->job.access.deadline = LATE;
    m->job.bytes = 10;
    return m;
}

static bb_job *push(fixture *f, int64_t chatbot_id, const char *key)
{
    made_job *m = make(f, chatbot_id, key, 1);

    assert_int_equal(bb_queue_push(&f->queue, &m->job), BB_OK);
    return &m->job;
}

static int32_t try_push(fixture *f, int64_t chatbot_id, size_t bytes)
{
    char key[32];
    made_job *m;

    snprintf(key, sizeof key, "k%zu", f->count);
    m = make(f, chatbot_id, key, 1);
    m->job.bytes = bytes;
    return bb_queue_push(&f->queue, &m->job);
}

static size_t take(fixture *f)
{
    return bb_queue_take(&f->queue, NO_MARGIN, f->taken);
}

/* The chatbots of what was taken, a digit each. */
static const char *taken_chatbots(const fixture *f, size_t count)
{
    static char text[MOST_JOBS + 1];

    for (size_t i = 0; i < count; i++)
        text[i] = (char)('0' + f->taken[i]->access.chatbot_id);
    text[count] = '\0';
    return text;
}

/* -------------------------------------------------------------------------------------- bounds */

static void test_E11_one_chatbot_fills_half_of_the_queue(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;

    (void)state;
    limits.max_queued = 12;
    f = open_queue(limits);
    for (int i = 0; i < 6; i++)
        assert_int_equal(try_push(f, 1, 1), BB_OK);
    assert_int_equal(try_push(f, 1, 1), BB_ERR_QUEUE_FULL);
    for (int i = 0; i < 3; i++) /* of the six that are free */
        assert_int_equal(try_push(f, 2, 1), BB_OK);
    assert_int_equal(try_push(f, 2, 1), BB_ERR_QUEUE_FULL);
    assert_int_equal(try_push(f, 3, 1), BB_OK);
    assert_int_equal(try_push(f, 4, 1), BB_OK);
    assert_int_equal(try_push(f, 5, 1), BB_OK);
    assert_int_equal(try_push(f, 6, 1), BB_ERR_QUEUE_FULL); /* full */
    assert_int_equal(f->queue.count, 12);
    assert_true(take(f) > 0);
    assert_int_equal(try_push(f, 6, 1), BB_OK);
    close_queue(f);
}

static void test_E11_bytes_are_bounded_likewise(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;

    (void)state;
    limits.max_queued_bytes = 1000;
    f = open_queue(limits);
    assert_int_equal(try_push(f, 1, 1001), BB_ERR_QUEUE_FULL);
    assert_int_equal(try_push(f, 1, 400), BB_OK);
    assert_int_equal(try_push(f, 1, 400), BB_ERR_QUEUE_FULL); /* would leave less than it has */
    assert_int_equal(try_push(f, 1, 100), BB_OK);
    assert_int_equal(try_push(f, 2, 501), BB_ERR_QUEUE_FULL);
    assert_int_equal(try_push(f, 2, 500), BB_OK);
    assert_int_equal(f->queue.bytes, 1000);
    assert_int_equal(try_push(f, 3, 1), BB_ERR_QUEUE_FULL);
    assert_int_equal(try_push(f, 3, 0), BB_OK);
    close_queue(f);
}

static void test_E11_a_queue_of_one(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;

    (void)state;
    limits.max_queued = 1;
    f = open_queue(limits);
    assert_int_equal(try_push(f, 1, 1), BB_OK);
    assert_int_equal(try_push(f, 2, 1), BB_ERR_QUEUE_FULL);
    close_queue(f);
}

static void test_E11_without_memory_for_a_line(void **state)
{
    fixture *f = open_queue(wide());

    (void)state;
    unit_memory_fail(&f->memory, 1, 0);
    assert_int_equal(try_push(f, 1, 1), BB_ERR_NOMEM);
    assert_int_equal(f->queue.count, 0);
    assert_int_equal(try_push(f, 1, 1), BB_OK);
    unit_memory_fail(&f->memory, 1, 1);
    assert_int_equal(try_push(f, 1, 1), BB_OK); /* the chatbot's line is there */
    assert_int_equal(take(f), 2);
    assert_int_equal(try_push(f, 2, 1), BB_OK); /* and is used again */
    close_queue(f);
}

static void test_E11_a_queue_without_memory(void **state)
{
    bb_queue_limits limits = wide();

    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        unit_memory memory;
        bb_queue queue;
        unit_memory_init(&memory);
        unit_memory_fail(&memory, n, 0);
        assert_int_equal(bb_queue_init(&queue, &memory.allocator, seed, &limits), BB_ERR_NOMEM);
        unit_memory_check(&memory);
    }
}

/* -------------------------------------------------------------------------------------- groups */

static void test_E7_lines_take_turns(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;
    char key[16];

    (void)state;
    limits.max_group_requests = 4;
    f = open_queue(limits);
    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "a%d", i);
        push(f, 1, key);
    }
    push(f, 2, "b1");
    push(f, 2, "b2");
    push(f, 3, "c");
    assert_string_equal(taken_chatbots(f, take(f)), "1231");
    assert_string_equal(taken_chatbots(f, take(f)), "2111");
    assert_string_equal(taken_chatbots(f, take(f)), "111");
    assert_int_equal(f->queue.count, 0);
    close_queue(f);
}

static void test_E7_within_a_line_in_order_of_arrival(void **state)
{
    fixture *f = open_queue(wide());

    (void)state;
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        push(f, 1, key);
    }
    assert_int_equal(take(f), 50);
    for (size_t i = 0; i < 50; i++)
        assert_ptr_equal(f->taken[i], &f->made[i].job);
    close_queue(f);
}

static void test_E1_no_contact_is_named_twice_in_a_group(void **state)
{
    fixture *f = open_queue(wide());

    (void)state;
    push(f, 1, "same");
    push(f, 1, "other");
    push(f, 1, "same");
    push(f, 1, "another"); /* behind it in the line, so it waits too */
    push(f, 2, "same");    /* of another chatbot: another contact */
    assert_string_equal(taken_chatbots(f, take(f)), "121");
    assert_ptr_equal(f->taken[2], &f->made[1].job);
    assert_string_equal(taken_chatbots(f, take(f)), "11");
    assert_ptr_equal(f->taken[0], &f->made[2].job);
    close_queue(f);
}

static void test_E1_an_ordered_store_may_be_given_them(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;

    (void)state;
    limits.is_ordered = 1;
    f = open_queue(limits);
    push(f, 1, "same");
    push(f, 1, "same");
    push(f, 1, "same");
    assert_int_equal(take(f), 3);
    close_queue(f);
}

static void test_E7_bounds_of_a_group(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;

    (void)state;
    limits.max_group_contacts = 10;
    f = open_queue(limits);
    bb_queue_push(&f->queue, &make(f, 1, "abcdefgh", 8)->job);
    bb_queue_push(&f->queue, &make(f, 2, "abc", 3)->job);
    bb_queue_push(&f->queue, &make(f, 3, "ab", 2)->job);
    bb_queue_push(&f->queue, &make(f, 4, "x", 1)->job);
    assert_string_equal(taken_chatbots(f, take(f)), "13"); /* 8 and 2 */
    /* the one that was passed over is first now; one that is too large for any group is taken all
     * the same */
    bb_queue_push(&f->queue, &make(f, 5, "abcdefghijklmnopqrst", 20)->job);
    assert_string_equal(taken_chatbots(f, take(f)), "24");
    assert_string_equal(taken_chatbots(f, take(f)), "5");
    close_queue(f);

    limits = wide();
    limits.max_group_bytes = 25;
    f = open_queue(limits);
    push(f, 1, "a");
    push(f, 2, "b");
    push(f, 3, "c");
    assert_string_equal(taken_chatbots(f, take(f)), "12");
    assert_string_equal(taken_chatbots(f, take(f)), "3");
    close_queue(f);
}

/* However much comes from others, the one that was passed over is the first of the next group. */
static void test_E7_a_large_request_is_not_passed_over_twice(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;
    bb_job *large;

    (void)state;
    limits.max_group_contacts = 10;
    f = open_queue(limits);
    push(f, 1, "a");
    large = &make(f, 2, "abcdefghij", 10)->job;
    bb_queue_push(&f->queue, large);
    for (int i = 0; i < 5; i++)
        push(f, 3 + i, "x");
    assert_string_equal(taken_chatbots(f, take(f)), "134567");
    push(f, 1, "b");
    assert_int_equal(take(f), 1);
    assert_ptr_equal(f->taken[0], large);
    close_queue(f);
}

static void test_E11_what_cannot_share_goes_alone(void **state)
{
    fixture *f = open_queue(wide());
    bb_job *hurried;
    bb_job *question;

    (void)state;
    push(f, 1, "a");
    hurried = push(f, 2, "b");
    hurried->access.deadline = SOON;
    question = push(f, 3, "c");
    question->batch = NULL;
    push(f, 4, "d");
    assert_int_equal(bb_queue_take(&f->queue, SOON + 1, f->taken), 2);
    assert_string_equal(taken_chatbots(f, 2), "14");
    assert_int_equal(bb_queue_take(&f->queue, SOON + 1, f->taken), 1);
    assert_ptr_equal(f->taken[0], hurried);
    push(f, 4, "e");
    assert_int_equal(bb_queue_take(&f->queue, SOON + 1, f->taken), 1);
    assert_ptr_equal(f->taken[0], question);
    close_queue(f);
}

/* ------------------------------------------------------------------------------------- tickets */

static void test_E11_tickets_find_what_waits(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;
    uint64_t tickets[100];

    (void)state;
    limits.max_queued = 300; /* fewer buckets than tickets */
    f = open_queue(limits);
    assert_null(bb_queue_find(&f->queue, 1));
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        tickets[i] = push(f, i % 7 + 1, key)->ticket;
        assert_true(tickets[i] != 0);
    }
    for (int i = 0; i < 100; i += 3)
        bb_queue_remove(&f->queue, bb_queue_find(&f->queue, tickets[i]));
    for (int i = 0; i < 100; i++) {
        const bb_job *found = bb_queue_find(&f->queue, tickets[i]);
        if (i % 3 == 0)
            assert_null(found);
        else
            assert_ptr_equal(found, &f->made[i].job);
    }
    close_queue(f);
}

/* Puts back what was taken, by turns as slow and as suspect. */
static void quarantine(fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        f->taken[i]->is_slow = i % 2 == 1;
        bb_queue_quarantine(&f->queue, f->taken[i]);
    }
}

/* Jobs expire wherever they wait. */
static void test_E11_what_expires_is_taken_out(void **state)
{
    bb_queue_limits limits = wide();
    size_t kept = 0;
    int64_t next;
    fixture *f;

    (void)state;
    limits.max_group_requests = 20;
    f = open_queue(limits);
    assert_null(bb_queue_take_expired(&f->queue, LATE, &next));
    assert_int_equal(next, INT64_MAX);
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        push(f, i % 4 + 1, key)->access.deadline = i % 3 == 0 ? SOON : LATE;
        kept += i % 3 != 0;
    }
    assert_int_equal(take(f), 20);
    quarantine(f, 20);
    assert_int_equal(f->queue.count, 40);
    for (const bb_job *job = bb_queue_take_expired(&f->queue, SOON, &next); job != NULL;
         job = job->next)
        assert_int_equal(job->access.deadline, SOON);
    assert_int_equal(next, LATE);
    assert_int_equal(f->queue.count, kept);
    bb_queue_take_expired(&f->queue, LATE, &next);
    assert_int_equal(next, INT64_MAX);
    assert_int_equal(f->queue.count, 0);
    assert_int_equal(f->queue.bytes, 0);
    assert_int_equal(f->queue.ready, 0);
    assert_int_equal(f->queue.slow_chatbots, 0);
    close_queue(f);
}

/* ------------------------------------------------------------------------ what was not done yet */

/* The line of a slow chatbot shares no group with others until it is no longer slow. */
static void test_E7_a_slow_chatbot_has_groups_of_its_own(void **state)
{
    fixture *f = open_queue(wide());
    bb_job *slow = push(f, 1, "a");
    bb_flow *flow;

    (void)state;
    push(f, 1, "b");
    push(f, 2, "c");
    assert_int_equal(bb_queue_take(&f->queue, NO_MARGIN, f->taken), 3);
    slow->is_slow = 1;
    bb_queue_quarantine(&f->queue, slow);
    assert_true(bb_queue_is_slow(&f->queue, 1));
    assert_false(bb_queue_is_slow(&f->queue, 2));
    push(f, 1, "d");
    push(f, 2, "e");
    push(f, 1, "f");
    assert_int_equal(f->queue.ready, 1);
    assert_string_equal(taken_chatbots(f, take(f)), "2");
    assert_string_equal(taken_chatbots(f, bb_queue_take_of_slow(&f->queue, NO_MARGIN, f->taken)),
                        "11");
    assert_int_equal(bb_queue_take_of_slow(&f->queue, NO_MARGIN, f->taken), 0);
    push(f, 1, "g");
    assert_ptr_equal(bb_queue_take_slow(&f->queue), slow);
    assert_null(bb_queue_take_slow(&f->queue));
    flow = slow->flow;
    assert_int_equal(f->queue.ready, 0); /* while it is tried, too */
    bb_queue_end_slow(&f->queue, flow, 1);
    assert_false(bb_queue_is_slow(&f->queue, 1));
    assert_string_equal(taken_chatbots(f, take(f)), "1");
    close_queue(f);
}

/* Suspects are tried alone, those of a slow chatbot in its turn. */
static void test_E7_suspects_of_a_slow_chatbot_wait_for_its_turn(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    fixture *f = open_queue(wide());
    bb_job *jobs[4];
    bb_flow *flow;

    (void)state;
    for (int i = 0; i < 4; i++)
        jobs[i] = push(f, i == 2 ? 2 : 1, keys[i]);
    assert_int_equal(take(f), 4);
    for (int i = 0; i < 4; i++)
        bb_queue_quarantine(&f->queue, jobs[i]);
    assert_ptr_equal(bb_queue_take_suspect(&f->queue), jobs[0]);
    jobs[0]->is_slow = 1;
    bb_queue_quarantine(&f->queue, jobs[0]);
    push(f, 1, "e");
    push(f, 1, "f");
    assert_ptr_equal(bb_queue_take_suspect(&f->queue), jobs[2]);
    assert_null(bb_queue_take_suspect(&f->queue));
    assert_int_equal(bb_queue_take_of_slow(&f->queue, NO_MARGIN, f->taken), 1);
    assert_ptr_equal(f->taken[0], jobs[3]);
    assert_ptr_equal(bb_queue_find(&f->queue, jobs[1]->ticket), jobs[1]);
    assert_ptr_equal(bb_queue_take_slow(&f->queue), jobs[0]);
    flow = jobs[0]->flow;
    bb_queue_end_slow(&f->queue, flow, 1);
    assert_int_equal(take(f), 1); /* not slow any more, and still alone */
    assert_ptr_equal(f->taken[0], jobs[1]);
    assert_int_equal(take(f), 2);
    close_queue(f);
}

/* Makes a chatbot slow by a job that was alone, and is waiting again. */
static bb_job *make_slow(fixture *f, int64_t chatbot_id)
{
    bb_job *job = push(f, chatbot_id, "slow");

    assert_int_equal(take(f), 1);
    job->is_slow = 1;
    bb_queue_quarantine(&f->queue, job);
    assert_true(bb_queue_is_slow(&f->queue, chatbot_id));
    return job;
}

/* A slow one that is cancelled, or whose time is over, says nothing of what it waited for: its
 * chatbot stays slow until something of it has been done. */
static void test_E11_a_slow_chatbot_is_remembered(void **state)
{
    fixture *f = open_queue(wide());
    bb_job *job = make_slow(f, 1);

    (void)state;
    assert_ptr_equal(bb_queue_take_slow(&f->queue), job);
    bb_queue_quarantine(&f->queue, job);
    bb_queue_forget_slow(&f->queue, 1); /* it is known to wait */
    assert_true(bb_queue_is_slow(&f->queue, 1));
    bb_queue_remove(&f->queue, job);
    assert_true(bb_queue_is_slow(&f->queue, 1));
    assert_int_equal(f->queue.slow_chatbots, 0);
    push(f, 1, "next");
    push(f, 2, "other");
    assert_string_equal(taken_chatbots(f, take(f)), "2");
    assert_int_equal(bb_queue_take_of_slow(&f->queue, NO_MARGIN, f->taken), 1);
    push(f, 1, "one more");
    assert_int_equal(f->queue.ready, 0);
    bb_queue_forget_slow(&f->queue, 1);
    assert_false(bb_queue_is_slow(&f->queue, 1));
    assert_int_equal(f->queue.ready, 1);
    bb_queue_forget_slow(&f->queue, 1);
    close_queue(f);
}

/* One that was being tried at its end is remembered like one that waited; and what is remembered
 * and waits again is not forgotten for what comes first. */
static void test_E11_a_slow_chatbot_is_remembered_after_its_last_try(void **state)
{
    fixture *f = open_queue(wide());
    const bb_job *job = make_slow(f, 1);

    (void)state;
    assert_ptr_equal(bb_queue_take_slow(&f->queue), job);
    bb_queue_end_slow(&f->queue, job->flow, 0);
    assert_true(bb_queue_is_slow(&f->queue, 1));
    push(f, 1, "again");
    assert_int_equal(bb_queue_take_of_slow(&f->queue, NO_MARGIN, f->taken), 1);
    f->taken[0]->is_slow = 1;
    bb_queue_quarantine(&f->queue, f->taken[0]);
    assert_int_equal(f->queue.remembered, 0);
    assert_int_equal(f->queue.slow_chatbots, 1);
    assert_ptr_equal(bb_queue_take_slow(&f->queue), f->taken[0]);
    bb_queue_end_slow(&f->queue, f->taken[0]->flow, 1);
    assert_false(bb_queue_is_slow(&f->queue, 1));
    close_queue(f);
}

/* So many are remembered, and then the one that has been for longest is forgotten, whatever waits
 * in its line. */
static void test_E11_not_all_slow_chatbots_are_remembered(void **state)
{
    enum { FIRST = 10 };
    fixture *f = open_queue(wide());
    bb_job *job = make_slow(f, FIRST);

    (void)state;
    bb_queue_remove(&f->queue, job);
    push(f, FIRST, "next");
    for (int64_t i = 1; i <= BB_MOST_REMEMBERED; i++) {
        assert_int_equal(f->queue.ready, 0);
        job->access.chatbot_id = FIRST + i;
        bb_queue_quarantine(&f->queue, job);
        bb_queue_remove(&f->queue, job);
    }
    assert_int_equal(f->queue.remembered, BB_MOST_REMEMBERED);
    assert_int_equal(f->queue.ready, 1);
    assert_false(bb_queue_is_slow(&f->queue, FIRST));
    assert_true(bb_queue_is_slow(&f->queue, FIRST + 1));
    assert_true(bb_queue_is_slow(&f->queue, FIRST + BB_MOST_REMEMBERED));
    bb_queue_forget_slow(&f->queue, FIRST + 2); /* from the middle */
    bb_queue_forget_slow(&f->queue, FIRST + BB_MOST_REMEMBERED);
    assert_int_equal(f->queue.remembered, BB_MOST_REMEMBERED - 2);
    close_queue(f);
}

/* A job that comes back was let in before, so it is never refused; others may be. */
static void test_E11_what_comes_back_is_never_refused(void **state)
{
    bb_queue_limits limits = wide();
    bb_job *back;
    fixture *f;

    (void)state;
    limits.max_queued = 2;
    limits.max_queued_bytes = 20;
    f = open_queue(limits);
    back = push(f, 1, "a");
    assert_int_equal(take(f), 1);
    push(f, 1, "b");
    push(f, 2, "c");
    back->is_slow = 1;
    bb_queue_quarantine(&f->queue, back);
    assert_int_equal(f->queue.count, 3);
    assert_int_equal(try_push(f, 3, 0), BB_ERR_QUEUE_FULL);
    assert_int_equal(take(f), 1); /* c */
    assert_int_equal(try_push(f, 3, 0), BB_ERR_QUEUE_FULL);
    close_queue(f);
}

/* A slow job counts for its chatbot, so that one cannot fill the queue with them. */
static void test_E11_slow_jobs_count_for_their_chatbot(void **state)
{
    bb_queue_limits limits = wide();
    fixture *f;

    (void)state;
    limits.max_queued = 12;
    f = open_queue(limits);
    for (int i = 0; i < 6; i++)
        assert_int_equal(try_push(f, 1, 1), BB_OK);
    for (size_t i = take(f); i-- > 0;) {
        f->taken[i]->is_slow = 1;
        bb_queue_quarantine(&f->queue, f->taken[i]);
    }
    assert_int_equal(try_push(f, 1, 1), BB_ERR_QUEUE_FULL);
    assert_int_equal(try_push(f, 2, 1), BB_OK);
    close_queue(f);
}

/* Without memory for a flow, its chatbot is not known to be slow; nothing else is lost. */
static void test_E11_a_slow_job_without_memory(void **state)
{
    fixture *f = open_queue(wide());
    made_job *m = make(f, 1, "a", 1); /* it never was in the queue */

    (void)state;
    m->job.is_slow = 1;
    unit_memory_fail(&f->memory, 1, 1);
    bb_queue_quarantine(&f->queue, &m->job);
    assert_false(bb_queue_is_slow(&f->queue, 1));
    assert_ptr_equal(bb_queue_find(&f->queue, m->job.ticket), &m->job);
    assert_ptr_equal(bb_queue_take_slow(&f->queue), &m->job);
    bb_queue_end_slow(&f->queue, m->job.flow, 1);
    unit_memory_fail(&f->memory, 0, 0);
    bb_queue_quarantine(&f->queue, &m->job);
    assert_true(bb_queue_is_slow(&f->queue, 1));
    bb_queue_remove(&f->queue, &m->job);
    close_queue(f);
}

/* A random run, compared with counts. Every third job that is taken comes back at least once. */
typedef struct random_run {
    fixture *f;
    uint64_t random;
    size_t done;
} random_run;

static void finish_or_quarantine(random_run *run, bb_job *job)
{
    bb_flow *flow = job->flow;

    assert_int_equal(job->bytes, 10);
    if (test_random(&run->random, 3) == 0) {
        job->is_slow |= (int)test_random(&run->random, 2);
        bb_queue_quarantine(&run->f->queue, job);
        return;
    }
    job->bytes = 0; /* so that taking it a second time would show */
    run->done++;
    bb_queue_end_slow(&run->f->queue, flow, test_random(&run->random, 2) == 0);
    if (test_random(&run->random, 4) == 0)
        bb_queue_forget_slow(&run->f->queue, job->access.chatbot_id);
}

static void push_one(random_run *run)
{
    char key[16];
    made_job *m;

    snprintf(key, sizeof key, "%u-abcdef", test_random(&run->random, 5));
    m = make(run->f, (int64_t)test_random(&run->random, 6), key, 1 + test_random(&run->random, 4));
    assert_int_equal(bb_queue_push(&run->f->queue, &m->job), BB_OK);
}

static void take_some(random_run *run)
{
    fixture *f = run->f;
    bb_job *job = NULL;
    size_t count = 0;

    switch (test_random(&run->random, 4)) {
    case 0:
        count = f->queue.ready > 0 ? take(f) : 0;
        assert_in_range(count, f->queue.ready > 0 && count == 0, 9);
        break;
    case 1:
        count = bb_queue_take_of_slow(&f->queue, NO_MARGIN, f->taken);
        assert_in_range(count, 0, 9);
        break;
    case 2:
        job = bb_queue_take_suspect(&f->queue);
        break;
    default:
        job = bb_queue_take_slow(&f->queue);
        break;
    }
    if (job != NULL)
        finish_or_quarantine(run, job);
    for (size_t i = 0; i < count; i++) {
        assert_null(f->taken[i]->flow);
        finish_or_quarantine(run, f->taken[i]);
    }
}

/* Compares the queue's counts with its contents. */
static void check_counts(const random_run *run)
{
    const bb_queue *queue = &run->f->queue;
    size_t ready = 0;
    size_t contacts = 0;
    size_t all = 0;

    for (size_t i = 0; i < run->f->count; i++) {
        const bb_job *job = &run->f->made[i].job;
        all += job->list != NULL;
        if (job->list != NULL && job->flow != NULL && job->list == &job->flow->line &&
            !job->flow->is_slow) {
            ready++;
            contacts += job->batch->record_count;
        }
    }
    assert_int_equal(queue->count, all);
    assert_int_equal(queue->bytes, all * 10);
    assert_int_equal(queue->ready, ready);
    assert_int_equal(queue->ready_contacts, contacts);
}

static void test_E7_nothing_is_lost_or_taken_twice(void **state)
{
    bb_queue_limits limits = wide();
    random_run run = {.random = 7};

    (void)state;
    limits.max_group_requests = 9;
    limits.max_group_contacts = 12;
    for (int round = 0; round < 20; round++) {
        run.f = open_queue(limits);
        run.done = 0;
        while (run.f->count < MOST_JOBS || run.f->queue.count > 0) {
            if (run.f->count < MOST_JOBS && test_random(&run.random, 3) > 0)
                push_one(&run);
            else
                take_some(&run);
            check_counts(&run);
        }
        assert_int_equal(run.done, MOST_JOBS);
        assert_int_equal(run.f->queue.slow_chatbots, 0);
        assert_int_equal(run.f->queue.slow_count, 0);
        close_queue(run.f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E11_one_chatbot_fills_half_of_the_queue),
        cmocka_unit_test(test_E11_bytes_are_bounded_likewise),
        cmocka_unit_test(test_E11_a_queue_of_one),
        cmocka_unit_test(test_E11_without_memory_for_a_line),
        cmocka_unit_test(test_E11_a_queue_without_memory),
        cmocka_unit_test(test_E7_lines_take_turns),
        cmocka_unit_test(test_E7_within_a_line_in_order_of_arrival),
        cmocka_unit_test(test_E1_no_contact_is_named_twice_in_a_group),
        cmocka_unit_test(test_E1_an_ordered_store_may_be_given_them),
        cmocka_unit_test(test_E7_bounds_of_a_group),
        cmocka_unit_test(test_E7_a_large_request_is_not_passed_over_twice),
        cmocka_unit_test(test_E11_what_cannot_share_goes_alone),
        cmocka_unit_test(test_E11_tickets_find_what_waits),
        cmocka_unit_test(test_E11_what_expires_is_taken_out),
        cmocka_unit_test(test_E7_a_slow_chatbot_has_groups_of_its_own),
        cmocka_unit_test(test_E7_suspects_of_a_slow_chatbot_wait_for_its_turn),
        cmocka_unit_test(test_E11_a_slow_chatbot_is_remembered),
        cmocka_unit_test(test_E11_a_slow_chatbot_is_remembered_after_its_last_try),
        cmocka_unit_test(test_E11_not_all_slow_chatbots_are_remembered),
        cmocka_unit_test(test_E11_what_comes_back_is_never_refused),
        cmocka_unit_test(test_E11_slow_jobs_count_for_their_chatbot),
        cmocka_unit_test(test_E11_a_slow_job_without_memory),
        cmocka_unit_test(test_E7_nothing_is_lost_or_taken_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
