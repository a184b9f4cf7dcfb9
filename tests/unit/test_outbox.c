/*
 * test_outbox.c: what waits to be taken: its order, its file descriptor of either kind, and its
 * bound on log lines.
 */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "dispatch/outboxes.h"
#include "request/response.h"
#include "util/alloc.h"

enum { MOST = 8, LINES = 3, ROUNDS = 20000 };

static const bb_ready_fd_open_fn kinds[] = {bb_ready_fd_open, bb_ready_fd_open_pipe};

typedef struct fixture {
    unit_memory memory;
    bb_outbox *box;
    bb_completion taken[MOST];
} fixture;

static void open_box(fixture *f, uint32_t max_lines, bb_ready_fd_open_fn open_fd)
{
    unit_memory_init(&f->memory);
    for (size_t i = 0; i < MOST; i++)
        bb_completion_init(&f->taken[i]);
    assert_int_equal(bb_outbox_open(&f->memory.allocator, max_lines, open_fd, &f->box), BB_OK);
}

static void close_box(fixture *f)
{
    bb_outbox_close(f->box);
    unit_memory_check(&f->memory);
}

static bb_outbox_entry *expect(fixture *f, uint64_t tag)
{
    bb_outbox_entry *entry = unit_alloc(&f->memory, sizeof *entry);

    if (entry == NULL)
        abort();
    *entry = (bb_outbox_entry){.block = entry, .tag = tag};
    assert_true(bb_outbox_expect(f->box));
    return entry;
}

static void put(fixture *f, uint64_t tag)
{
    bb_outbox_put(f->box, expect(f, tag), bb_response_plain(BB_STATUS_SUCCESS), 0);
}

static void put_line(fixture *f, const char *line)
{
    bb_outbox_put_line(f->box, BB_LOG_WARN, line, strlen(line));
}

static size_t take(fixture *f, size_t max)
{
    size_t taken = 99;

    assert_int_equal(bb_outbox_take(f->box, f->taken, max, 0, &taken), BB_OK);
    return taken;
}

static int is_readable(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    int count = poll(&watched, 1, 0);

    assert_int_equal(watched.revents & ~POLLIN, 0);
    return count == 1;
}

static void test_E7_what_came_first_is_taken_first(void **state)
{
    fixture f;

    (void)state;
    open_box(&f, LINES, bb_ready_fd_open);
    assert_int_equal(take(&f, MOST), 0);
    put(&f, 1);
    put_line(&f, "two");
    put(&f, UINT64_MAX);
    assert_int_equal(take(&f, 2), 2);
    assert_int_equal(f.taken[0].tag, 1);
    assert_int_equal(bb_result_status(f.taken[0].result), BB_STATUS_SUCCESS);
    assert_int_equal(f.taken[0].level, 0);
    assert_int_equal(f.taken[0].line_len, 0);
    assert_string_equal(f.taken[0].line, "");
    assert_int_equal(f.taken[1].tag, 0);
    assert_null(f.taken[1].result);
    assert_int_equal(f.taken[1].level, BB_LOG_WARN);
    assert_int_equal(f.taken[1].line_len, 3);
    assert_string_equal(f.taken[1].line, "two");
    assert_int_equal(take(&f, MOST), 1);
    assert_true(f.taken[0].tag == UINT64_MAX);
    assert_int_equal(take(&f, MOST), 0);
    close_box(&f);
}

static void test_E7_the_descriptor_is_readable_while_something_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        fixture f;
        int fd;
        open_box(&f, LINES, kinds[i]);
        put(&f, 1); /* before anybody has asked for the descriptor */
        fd = bb_outbox_fd(f.box);
        assert_true(is_readable(fd));
        assert_int_equal(bb_outbox_fd(f.box), fd);
        put(&f, 2);
        put_line(&f, "three");
        assert_true(is_readable(fd));
        assert_int_equal(take(&f, 1), 1);
        assert_true(is_readable(fd));
        assert_int_equal(take(&f, 2), 2);
        assert_false(is_readable(fd));
        assert_int_equal(take(&f, MOST), 0);
        assert_false(is_readable(fd));
        for (size_t k = 0; k < ROUNDS; k++) { /* nothing adds up */
            put_line(&f, "again");
            if (k % 1000 == 0)
                assert_true(is_readable(fd));
            assert_int_equal(take(&f, MOST), 1);
        }
        assert_false(is_readable(fd));
        bb_outbox_end(f.box);
        assert_false(is_readable(fd));
        close_box(&f);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
    }
}

static void test_E7_the_last_of_several_answers_wakes(void **state)
{
    fixture f;
    int fd;

    (void)state;
    open_box(&f, LINES, bb_ready_fd_open);
    fd = bb_outbox_fd(f.box);
    bb_outbox_put(f.box, expect(&f, 1), bb_response_plain(BB_STATUS_SUCCESS), 1);
    bb_outbox_put(f.box, expect(&f, 2), bb_response_plain(BB_STATUS_SUCCESS), 1);
    assert_false(is_readable(fd));
    put(&f, 3);
    assert_true(is_readable(fd));
    assert_int_equal(take(&f, MOST), 3);
    assert_false(is_readable(fd));
    /* one who comes before the last takes what is there */
    bb_outbox_put(f.box, expect(&f, 4), bb_response_plain(BB_STATUS_SUCCESS), 1);
    assert_int_equal(take(&f, MOST), 1);
    assert_false(is_readable(fd));
    close_box(&f);
}

typedef struct waiting {
    pthread_t thread;
    bb_outbox *box;
    uint64_t tag;
} waiting;

static void *take_one(void *waiting_)
{
    waiting *w = waiting_;
    bb_completion completion;
    size_t taken = 0;

    bb_completion_init(&completion);
    assert_int_equal(bb_outbox_take(w->box, &completion, 1, -1, &taken), BB_OK);
    assert_int_equal(taken, 1);
    w->tag = completion.tag;
    return NULL;
}

/* Whether they wait already or are about to, each gets one. */
static void test_E7_who_leaves_something_wakes_the_next(void **state)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        waiting waiters[MOST];
        bb_outbox *box;
        uint64_t tags = 0;
        assert_int_equal(bb_outbox_open(&allocator, 0, bb_ready_fd_open, &box), BB_OK);
        for (size_t i = 0; i < MOST; i++) {
            waiters[i] = (waiting){.box = box};
            assert_int_equal(pthread_create(&waiters[i].thread, NULL, take_one, &waiters[i]), 0);
        }
        for (size_t i = 0; i < MOST; i++) {
            bb_outbox_entry *entry = must_alloc(sizeof *entry);
            *entry = (bb_outbox_entry){.block = entry, .tag = UINT64_C(1) << i};
            assert_true(bb_outbox_expect(box));
            bb_outbox_put(box, entry, bb_response_plain(BB_STATUS_SUCCESS), i + 1 < MOST);
        }
        for (size_t i = 0; i < MOST; i++) {
            pthread_join(waiters[i].thread, NULL);
            tags += waiters[i].tag;
        }
        assert_int_equal(tags, (1 << MOST) - 1);
        bb_outbox_close(box);
    }
}

static void test_E7_programs_that_are_executed_do_not_get_the_descriptor(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        bb_ready_fd ready;
        assert_int_equal(kinds[i](&ready), 1);
        assert_int_equal(fcntl(ready.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(ready.write_fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(ready.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        assert_int_equal(fcntl(ready.write_fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        bb_ready_fd_close(&ready);
        assert_int_equal(fcntl(ready.fd, F_GETFD), -1);
        assert_int_equal(fcntl(ready.write_fd, F_GETFD), -1);
    }
}

static void test_A5_lines_past_the_bound_are_counted(void **state)
{
    fixture f;

    (void)state;
    open_box(&f, LINES, bb_ready_fd_open);
    put_line(&f, "one");
    put_line(&f, "two");
    put_line(&f, "three");
    put_line(&f, "dropped");
    put_line(&f, "dropped");
    put(&f, 1); /* answers have no bound */
    assert_int_equal(take(&f, MOST), 4);
    assert_string_equal(f.taken[0].line, "one");
    assert_string_equal(f.taken[2].line, "three");
    assert_int_equal(f.taken[0].lines_dropped, 2);
    assert_int_equal(f.taken[3].lines_dropped, 2);
    assert_int_equal(f.taken[3].tag, 1);
    put_line(&f, "");
    assert_int_equal(take(&f, MOST), 1);
    assert_null(f.taken[0].result);
    assert_int_equal(f.taken[0].level, BB_LOG_WARN);
    assert_string_equal(f.taken[0].line, "");
    assert_int_equal(f.taken[0].lines_dropped, 2);
    put_line(&f, "left behind");
    close_box(&f);
}

static void test_A5_a_line_is_cut_to_its_place(void **state)
{
    char *line = repeat("x", BB_LOG_LINE_SIZE + 100);
    fixture f;

    (void)state;
    open_box(&f, 1, bb_ready_fd_open);
    put_line(&f, line);
    assert_int_equal(take(&f, MOST), 1);
    assert_int_equal(f.taken[0].line_len, BB_LOG_LINE_SIZE - 1);
    line[BB_LOG_LINE_SIZE - 1] = '\0';
    assert_string_equal(f.taken[0].line, line);
    close_box(&f);
    free(line);
}

static void test_A5_without_places_lines_are_not_even_counted(void **state)
{
    fixture f;

    (void)state;
    open_box(&f, 0, bb_ready_fd_open);
    put_line(&f, "nobody wants it");
    assert_int_equal(take(&f, MOST), 0);
    put(&f, 1);
    assert_int_equal(take(&f, MOST), 1);
    assert_int_equal(f.taken[0].lines_dropped, 0);
    close_box(&f);
}

static void test_E11_after_the_end_what_is_there_can_be_taken(void **state)
{
    size_t taken = 99;
    fixture f;

    (void)state;
    open_box(&f, LINES, bb_ready_fd_open);
    put(&f, 1);
    bb_outbox_end(f.box);
    put_line(&f, "too late");
    assert_int_equal(bb_outbox_take(f.box, f.taken, MOST, -1, &taken), BB_OK);
    assert_int_equal(taken, 1);
    assert_int_equal(bb_outbox_take(f.box, f.taken, MOST, -1, &taken), BB_ERR_CLOSED);
    assert_int_equal(taken, 0);
    close_box(&f);
}

static void test_E11_what_comes_after_the_close_is_freed(void **state)
{
    bb_outbox_entry *entry;
    fixture f;

    (void)state;
    open_box(&f, LINES, bb_ready_fd_open);
    entry = expect(&f, 2);
    put(&f, 1); /* never taken */
    bb_outbox_close(f.box);
    assert_true(f.memory.live > 0);
    bb_outbox_put(f.box, entry, bb_response_plain(BB_STATUS_SUCCESS), 0);
    unit_memory_check(&f.memory);
}

/* Elements of a caller of a version to come. */
typedef struct larger {
    bb_completion known;
    uint64_t more[3];
} larger;

static void test_abi_an_array_of_larger_structs(void **state)
{
    larger array[2];
    size_t taken = 0;
    fixture f;

    (void)state;
    memset(array, 0, sizeof array);
    array[0].known.size = sizeof array[0];
    array[0].more[0] = 77;
    open_box(&f, 0, bb_ready_fd_open);
    put(&f, 5);
    put(&f, 6);
    assert_int_equal(bb_outbox_take(f.box, &array[0].known, 2, 0, &taken), BB_OK);
    assert_int_equal(taken, 2);
    assert_int_equal(array[0].known.tag, 5);
    assert_int_equal(array[1].known.tag, 6);
    assert_int_equal(array[1].known.size, sizeof array[1]);
    assert_int_equal(array[0].more[0], 77);
    close_box(&f);
}

static void test_A2_opening_without_memory(void **state)
{
    unit_memory memory;
    bb_outbox *box = NULL;
    int32_t code = BB_ERR_NOMEM;

    (void)state;
    unit_memory_init(&memory);
    for (size_t n = 1; code != BB_OK; n++) {
        unit_memory_fail(&memory, n, 0);
        code = bb_outbox_open(&memory.allocator, LINES, bb_ready_fd_open, &box);
        assert_int_equal(code, n <= 2 ? BB_ERR_NOMEM : BB_OK);
        if (code != BB_OK)
            unit_memory_check(&memory);
    }
    bb_outbox_close(box);
    unit_memory_check(&memory);
}

static void test_A2_opening_without_descriptors(void **state)
{
    struct rlimit usual;
    struct rlimit none;
    unit_memory memory;
    bb_outbox *box = NULL;
    int32_t codes[COUNT_OF(kinds)];

    (void)state;
    unit_memory_init(&memory);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = usual;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        codes[i] = bb_outbox_open(&memory.allocator, LINES, kinds[i], &box);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(codes[i], BB_ERR_INTERNAL);
    unit_memory_check(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E7_what_came_first_is_taken_first),
        cmocka_unit_test(test_E7_the_descriptor_is_readable_while_something_is_there),
        cmocka_unit_test(test_E7_the_last_of_several_answers_wakes),
        cmocka_unit_test(test_E7_who_leaves_something_wakes_the_next),
        cmocka_unit_test(test_E7_programs_that_are_executed_do_not_get_the_descriptor),
        cmocka_unit_test(test_A5_lines_past_the_bound_are_counted),
        cmocka_unit_test(test_A5_a_line_is_cut_to_its_place),
        cmocka_unit_test(test_A5_without_places_lines_are_not_even_counted),
        cmocka_unit_test(test_E11_after_the_end_what_is_there_can_be_taken),
        cmocka_unit_test(test_E11_what_comes_after_the_close_is_freed),
        cmocka_unit_test(test_abi_an_array_of_larger_structs),
        cmocka_unit_test(test_A2_opening_without_memory),
        cmocka_unit_test(test_A2_opening_without_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
