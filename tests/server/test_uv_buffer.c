/*
 * test_uv_buffer.c: what bb-contacts-uv hands to libuv to be sent.
 */
#include "buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_A2_all_of_an_answer_over_4_GiB_is_sent(void **state)
{
    static const char body[] = "its first bytes";
    static const size_t lengths[] = {0, 1, UINT32_MAX, (size_t)UINT32_MAX + 1, 5240183030};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uv_buf_t buffer = buffer_of(body, lengths[i]);
        assert_ptr_equal(buffer.base, body);
        assert_int_equal(buffer.len, lengths[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A2_all_of_an_answer_over_4_GiB_is_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
