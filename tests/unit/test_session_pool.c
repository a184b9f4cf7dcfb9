/*
 * test_session_pool.c: sessions are opened when needed, lent to one thread, and replaced (E7, E11).
 */
#include "scripted.h"

#include <time.h>

#include "execute/session_pool.h"

typedef struct pool {
    script script;
    unit_memory memory;
    bb_storage *storage;
    bb_session_pool sessions;
    size_t number; /* of the session that a thread waited for */
} pool;

static void open_pool(pool *p, uint32_t max)
{
    memset(p, 0, sizeof *p);
    script_init(&p->script);
    unit_memory_init(&p->memory);
    assert_int_equal(
        bb_storage_new(&script_table, &p->script, &p->memory.allocator, &p->storage, NULL), BB_OK);
    assert_int_equal(bb_session_pool_init(&p->sessions, p->storage, &p->memory.allocator, max),
                     BB_OK);
}

static void close_pool(pool *p)
{
    bb_session_pool_close(&p->sessions);
    bb_storage_close(p->storage);
    assert_int_equal(p->script.closed, p->script.has_no_session ? 0 : p->script.opened);
    unit_memory_check(&p->memory);
    script_destroy(&p->script);
}

static int32_t take(pool *p, int64_t timeout_ms, void **session)
{
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    code = bb_session_pool_take(&p->sessions, bb_deadline_in(timeout_ms), session, &error);
    if (code != BB_OK)
        assert_null(*session);
    return code;
}

static size_t number_of(const void *session)
{
    return ((const script_session *)session)->number;
}

static void test_E7_the_session_given_back_last_is_lent_first(void **state)
{
    void *sessions[3];
    pool p;

    (void)state;
    open_pool(&p, 3);
    assert_int_equal(p.script.opens, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(take(&p, 1000, &sessions[i]), BB_OK);
        assert_int_equal(number_of(sessions[i]), i + 1);
    }
    bb_session_pool_give(&p.sessions, sessions[0], 0);
    bb_session_pool_give(&p.sessions, sessions[2], 0);
    assert_int_equal(take(&p, 1000, &sessions[2]), BB_OK);
    assert_int_equal(number_of(sessions[2]), 3);
    assert_int_equal(take(&p, 1000, &sessions[0]), BB_OK);
    assert_int_equal(number_of(sessions[0]), 1);
    for (size_t i = 0; i < 3; i++)
        bb_session_pool_give(&p.sessions, sessions[i], 0);
    assert_int_equal(p.script.opened, 3);
    close_pool(&p);
}

static void test_E11_all_sessions_lent_is_busy_at_the_deadline(void **state)
{
    void *sessions[2];
    void *third;
    int64_t start = bb_deadline_in(60000);
    pool p;

    (void)state;
    open_pool(&p, 2);
    assert_int_equal(take(&p, 1000, &sessions[0]), BB_OK);
    assert_int_equal(take(&p, 1000, &sessions[1]), BB_OK);
    assert_int_equal(take(&p, 0, &third), BB_ERR_BUSY);
    assert_int_equal(take(&p, 80, &third), BB_ERR_BUSY);
    assert_in_range(bb_deadline_left(start), 60000 - 30000, 60000 - 79);
    bb_session_pool_give(&p.sessions, sessions[0], 0);
    /* there is a place, so the deadline does not matter */
    assert_int_equal(take(&p, 0, &third), BB_OK);
    bb_session_pool_give(&p.sessions, third, 0);
    bb_session_pool_give(&p.sessions, sessions[1], 0);
    close_pool(&p);
}

static void test_E11_a_session_that_does_not_open_takes_no_place(void **state)
{
    void *session;
    pool p;

    (void)state;
    open_pool(&p, 1);
    for (size_t i = 0; i < SCRIPT_STEPS; i++)
        p.script.open_codes[i] = i % 2 ? BB_ERR_UNAVAILABLE : BB_ERR_LOST;
    for (size_t i = 0; i < SCRIPT_STEPS; i++)
        assert_int_equal(take(&p, 0, &session), p.script.open_codes[i]);
    assert_int_equal(p.sessions.open_count, 0);
    assert_int_equal(take(&p, 0, &session), BB_OK);
    bb_session_pool_give(&p.sessions, session, 0);
    close_pool(&p);
}

/* Opens a pool whose store grants a first session and refuses a second one, and asks for that
 * twice: the second time must not reach the store. Returns 0, which says nothing, if a slow machine
 * asked so late that it might. */
static int ask_again_at_once(pool *p, void **first)
{
    int64_t in_time = bb_deadline_in(900);
    size_t opens[2];
    int32_t codes[2];
    void *second[2];

    open_pool(p, 3);
    p->script.open_codes[1] = BB_ERR_UNAVAILABLE;
    assert_int_equal(take(p, 1000, first), BB_OK);
    for (size_t i = 0; i < 2; i++) {
        codes[i] = take(p, 60, &second[i]);
        opens[i] = p->script.opens;
    }
    if (bb_deadline_left(in_time) == 0) {
        for (size_t i = 0; i < 2; i++) {
            if (codes[i] == BB_OK)
                bb_session_pool_give(&p->sessions, second[i], 0);
        }
        bb_session_pool_give(&p->sessions, *first, 0);
        close_pool(p);
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(codes[i], BB_ERR_BUSY);
        assert_int_equal(opens[i], 2);
    }
    return 1;
}

/* Such as max_connections of PostgreSQL. */
static void test_E11_a_store_without_room_for_more_lends_what_there_is(void **state)
{
    void *first;
    void *second;
    pool p;

    (void)state;
    while (!ask_again_at_once(&p, &first))
        ;
    bb_session_pool_give(&p.sessions, first, 0);
    assert_int_equal(take(&p, 0, &second), BB_OK);
    assert_int_equal(number_of(second), 1);
    /* later it is */
    assert_int_equal(take(&p, 60000, &first), BB_OK);
    assert_int_equal(number_of(first), 2);
    bb_session_pool_give(&p.sessions, first, 0);
    bb_session_pool_give(&p.sessions, second, 0);
    close_pool(&p);
}

static void test_E9_a_broken_session_is_closed_and_leaves_its_place(void **state)
{
    void *session;
    pool p;

    (void)state;
    open_pool(&p, 1);
    for (size_t i = 1; i <= 5; i++) {
        assert_int_equal(take(&p, 0, &session), BB_OK);
        assert_int_equal(number_of(session), i);
        bb_session_pool_give(&p.sessions, session, 1);
        assert_int_equal(p.script.closed, i);
        assert_int_equal(p.sessions.open_count, 0);
    }
    close_pool(&p);
}

/* storage.h does not ask for sessions that are no NULL: a backend may need none. */
static void test_E7_a_backend_without_session_state_may_say_NULL(void **state)
{
    void *session = &session;
    pool p;

    (void)state;
    open_pool(&p, 1);
    p.script.has_no_session = 1;
    assert_int_equal(take(&p, 0, &session), BB_OK);
    assert_null(session);
    bb_session_pool_give(&p.sessions, session, 0);
    assert_int_equal(take(&p, 0, &session), BB_OK);
    assert_int_equal(p.script.opens, 1);
    assert_int_equal(p.sessions.open_count, 1);
    bb_session_pool_give(&p.sessions, session, 0);
    close_pool(&p);
}

static void test_A3_a_pool_without_memory_is_reported(void **state)
{
    bb_session_pool sessions;
    unit_memory memory;

    (void)state;
    unit_memory_init(&memory);
    unit_memory_fail(&memory, 1, 0);
    assert_int_equal(bb_session_pool_init(&sessions, NULL, &memory.allocator, 16), BB_ERR_NOMEM);
    unit_memory_check(&memory);
}

/* ------------------------------------------------------------------------------------- threads */

/* Returns NULL once it had a session. */
static void *wait_for_session(void *ctx)
{
    pool *p = ctx;
    void *session;

    if (take(p, 60000, &session) != BB_OK)
        return p;
    p->number = number_of(session);
    bb_session_pool_give(&p->sessions, session, 0);
    return NULL;
}

static void pause_a_moment(void)
{
    struct timespec moment = {0, 30000000};

    nanosleep(&moment, NULL);
}

static void test_E7_who_waits_gets_the_session_given_back(void **state)
{
    pthread_t thread;
    void *session;
    void *failed;
    pool p;

    (void)state;
    for (int is_broken = 0; is_broken < 2; is_broken++) {
        open_pool(&p, 1);
        assert_int_equal(take(&p, 0, &session), BB_OK);
        assert_int_equal(pthread_create(&thread, NULL, wait_for_session, &p), 0);
        pause_a_moment(); /* most likely it waits by now */
        bb_session_pool_give(&p.sessions, session, is_broken);
        pthread_join(thread, &failed);
        assert_null(failed);
        assert_int_equal(p.number, is_broken ? 2 : 1);
        close_pool(&p);
    }
}

/* A thread that was refused a session waits for another's only while there is one. */
static void test_E11_who_waits_is_told_when_no_session_is_left(void **state)
{
    pthread_t thread;
    void *session;
    void *failed;
    int64_t start = bb_deadline_in(60000);
    pool p;

    (void)state;
    open_pool(&p, 2);
    p.script.open_codes[1] = BB_ERR_UNAVAILABLE;
    assert_int_equal(take(&p, 0, &session), BB_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_session, &p), 0);
    pause_a_moment();
    bb_session_pool_give(&p.sessions, session, 1);
    pthread_join(thread, &failed);
    assert_non_null(failed);
    assert_in_range(bb_deadline_left(start), 30000, 60000);
    close_pool(&p);
}

/* A store with room for one session is asked for two at once, and the refusal comes first. The
 * refused thread waits for what becomes of the other session. */
static void open_two_at_once(int32_t code_of_other)
{
    pthread_t threads[2];
    void *failed[2];
    pool p;

    open_pool(&p, 2);
    p.script.open_codes[0] = code_of_other;
    p.script.open_codes[1] = BB_ERR_UNAVAILABLE;
    p.script.held_open = 1;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_session, &p), 0);
        script_wait_opens(&p.script, i + 1);
    }
    pause_a_moment(); /* most likely the second has been refused by now */
    script_release_open(&p.script);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], &failed[i]);
    for (size_t i = 0; i < 2; i++) {
        if (code_of_other == BB_OK)
            assert_null(failed[i]);
        else
            assert_non_null(failed[i]);
    }
    assert_int_equal(p.script.opens, 2);
    close_pool(&p);
}

static void test_E11_who_is_refused_waits_for_those_being_opened(void **state)
{
    (void)state;
    open_two_at_once(BB_OK);
}

static void test_E11_all_being_refused_waits_for_none(void **state)
{
    (void)state;
    open_two_at_once(BB_ERR_UNAVAILABLE);
}

enum { ROUNDS = 300, THREADS = 6 };

/* Takes sessions, uses them, and breaks some; returns NULL if it always had one. */
static void *use_sessions(void *ctx)
{
    pool *p = ctx;
    size_t failures = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        void *session;
        bb_error error;
        bb_error_init(&error);
        if (take(p, 60000, &session) != BB_OK) {
            failures++;
            continue;
        }
        script_migrate(session, 0, &error);
        bb_session_pool_give(&p->sessions, session, i % 7 == 0);
    }
    return failures == 0 ? NULL : p;
}

static void test_E7_a_session_is_used_by_one_thread_at_a_time(void **state)
{
    pthread_t threads[THREADS];
    void *failed;
    pool p;

    (void)state;
    open_pool(&p, 2);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_sessions, &p), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(p.script.calls, THREADS * ROUNDS);
    assert_int_equal(p.script.shared, 0);
    assert_in_range(p.script.most_inside, 1, 2);
    assert_in_range(p.sessions.open_count, 0, 2);
    close_pool(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E7_the_session_given_back_last_is_lent_first),
        cmocka_unit_test(test_E11_all_sessions_lent_is_busy_at_the_deadline),
        cmocka_unit_test(test_E11_a_session_that_does_not_open_takes_no_place),
        cmocka_unit_test(test_E11_a_store_without_room_for_more_lends_what_there_is),
        cmocka_unit_test(test_E9_a_broken_session_is_closed_and_leaves_its_place),
        cmocka_unit_test(test_E7_a_backend_without_session_state_may_say_NULL),
        cmocka_unit_test(test_A3_a_pool_without_memory_is_reported),
        cmocka_unit_test(test_E7_who_waits_gets_the_session_given_back),
        cmocka_unit_test(test_E11_who_waits_is_told_when_no_session_is_left),
        cmocka_unit_test(test_E11_who_is_refused_waits_for_those_being_opened),
        cmocka_unit_test(test_E11_all_being_refused_waits_for_none),
        cmocka_unit_test(test_E7_a_session_is_used_by_one_thread_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
