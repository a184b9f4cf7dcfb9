/*
 * test_process.c: a process is told from its children by fork().
 */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "util/process.h"

/* What a child says, or its own child. */
static int ask_child(const bb_process *process, int generations)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(generations > 1 ? ask_child(process, generations - 1) : bb_process_is_this(process));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_E8_a_child_is_another_process(void **state)
{
    bb_process process;

    (void)state;
    bb_process_remember(&process);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bb_process_is_this(&process), 1);
        assert_int_equal(ask_child(&process, 1), 0);
        assert_int_equal(ask_child(&process, 2), 0);
        assert_int_equal(bb_process_is_this(&process), 1);
        bb_process_forget(&process);
        bb_process_remember(&process);
        bb_process_forget(&process); /* as on a kernel without such pages */
        assert_null(process.mark);
    }
}

/* This is why there is a page: a child may have its parent's id, as the first process of a
 * namespace of its own might. */
static void test_E8_a_child_of_the_same_id_is_another_process(void **state)
{
    bb_process process;
    int status;
    pid_t child;

    (void)state;
    bb_process_remember(&process);
    if (process.mark == NULL)
        skip();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        process.id = getpid();
        _exit(bb_process_is_this(&process));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    bb_process_forget(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_E8_a_child_is_another_process),
        cmocka_unit_test(test_E8_a_child_of_the_same_id_is_another_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
