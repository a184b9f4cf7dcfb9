/*
 * test_util.c: buffer, arena, allocator, deadlines, error texts, random bytes, hashes and
 * conditions.
 */
#include "unit.h"

#include "util/arena.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/condition.h"
#include "util/hash.h"
#include "util/random.h"
#include "json/quote.h"

/* --------------------------------------------------------------------------------------- buffer */

static void test_buffer_grows_to_its_cap_and_no_further(void **state)
{
    static const size_t caps[] = {1, 2, 255, 256, 257, 1000, 4096};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        unit_memory memory;
        bb_buffer buffer;
        unit_memory_init(&memory);
        bb_buffer_init(&buffer, &memory.allocator, caps[i]);
        for (size_t j = 0; j < caps[i]; j++)
            bb_buffer_append_char(&buffer, 'x');
        assert_false(buffer.failed);
        assert_int_equal(buffer.len, caps[i]);
        assert_true(memory.peak_bytes <= 2 * caps[i]);
        bb_buffer_append(&buffer, "", 0);
        assert_false(buffer.failed);
        bb_buffer_append_char(&buffer, 'x');
        assert_true(buffer.failed);
        assert_null(buffer.data);
        assert_int_equal(buffer.len, 0);
        assert_int_equal(memory.live, 0); /* freed on failure */
        bb_buffer_append_text(&buffer, "nothing happens");
        assert_null(buffer.data);
        bb_buffer_reset(&buffer);
        bb_buffer_append_char(&buffer, 'y');
        assert_false(buffer.failed);
        assert_int_equal(buffer.data[0], 'y');
        bb_buffer_free(&buffer);
        unit_memory_check(&memory);
    }
}

static void test_buffer_refuses_what_no_size_holds(void **state)
{
    unit_memory memory;
    bb_buffer buffer;

    (void)state;
    unit_memory_init(&memory);
    bb_buffer_init(&buffer, &memory.allocator, 1000);
    bb_buffer_append_char(&buffer, 'x');
    assert_null(bb_buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);
    unit_memory_check(&memory);
}

static void test_buffer_keeps_its_bytes_while_it_grows(void **state)
{
    unit_memory memory;
    bb_buffer buffer;

    (void)state;
    unit_memory_init(&memory);
    bb_buffer_init(&buffer, &memory.allocator, SIZE_MAX);
    for (size_t i = 0; i < 5000; i++) {
        char *to = bb_buffer_reserve(&buffer, 3);
        assert_non_null(to);
        memcpy(to, "abc", 2);
        bb_buffer_wrote(&buffer, 2);
    }
    assert_int_equal(buffer.len, 10000);
    for (size_t i = 0; i < buffer.len; i++)
        assert_int_equal(buffer.data[i], i % 2 ? 'b' : 'a');
    bb_buffer_free(&buffer);
    unit_memory_check(&memory);
}

static void test_buffer_writes_integers(void **state)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, 1000000, INT64_MAX, INT64_MIN, INT64_MIN + 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        bb_allocator memory = bb_allocator_or_default(NULL);
        bb_buffer buffer;
        char expected[32];
        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        bb_buffer_init(&buffer, &memory, 100);
        bb_buffer_append_i64(&buffer, values[i]);
        assert_slice(((bb_slice){buffer.data, buffer.len}), expected);
        bb_buffer_free(&buffer);
    }
}

static void test_E3_every_byte_is_escaped_as_JSON_wants(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
        bb_allocator memory = bb_allocator_or_default(NULL);
        char text[3] = {'<', (char)byte, '>'};
        char expected[16];
        bb_buffer buffer;
        const char *found = NULL;
        for (size_t i = 0; i < sizeof shorts - 1; i += 2) {
            if (shorts[i] == (char)byte)
                found = &shorts[i + 1];
        }
        if (found != NULL)
            snprintf(expected, sizeof expected, "\"<\\%c>\"", *found);
        else if (byte < 0x20)
            snprintf(expected, sizeof expected, "\"<\\u%04x>\"", (unsigned)byte);
        else
            snprintf(expected, sizeof expected, "\"<%c>\"", byte);
        bb_buffer_init(&buffer, &memory, 100);
        bb_json_append_string(&buffer, text, sizeof text);
        assert_slice(((bb_slice){buffer.data, buffer.len}), expected);
        bb_buffer_free(&buffer);
    }
}

/* ---------------------------------------------------------------------------------------- arena */

static void test_arena_pieces_are_aligned_and_apart(void **state)
{
    enum { PIECES = 2000 };
    static unsigned char *pieces[PIECES];
    static size_t sizes[PIECES];
    uint64_t seed = 3;
    unit_memory memory;
    bb_arena arena;

    (void)state;
    unit_memory_init(&memory);
    bb_arena_init(&arena, &memory.allocator);
    for (size_t i = 0; i < PIECES; i++) {
        sizes[i] = 1 + test_random(&seed, i % 50 == 0 ? 200000 : 100);
        if (i % 3 == 0) {
            pieces[i] = (unsigned char *)bb_arena_alloc_bytes(&arena, sizes[i]);
        } else {
            pieces[i] = bb_arena_alloc(&arena, sizes[i]);
            assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        }
        assert_non_null(pieces[i]);
        memset(pieces[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        assert_int_equal(pieces[i][0], i % 251);
        assert_int_equal(pieces[i][sizes[i] - 1], i % 251);
    }
    bb_arena_free(&arena);
    unit_memory_check(&memory);
}

static void test_arena_takes_back_what_was_not_needed(void **state)
{
    unit_memory memory;
    bb_arena arena;
    char *first;

    (void)state;
    unit_memory_init(&memory);
    bb_arena_init(&arena, &memory.allocator);
    first = bb_arena_alloc_bytes(&arena, 1000);
    assert_non_null(first);
    for (int i = 0; i < 100000; i++) {
        bb_arena_trim(&arena, first + 10);
        assert_ptr_equal(bb_arena_alloc_bytes(&arena, 900), first + 10);
    }
    assert_int_equal(memory.calls, 1);
    bb_arena_free(&arena);
    unit_memory_check(&memory);
}

static void test_arena_sizes_that_overflow_are_refused(void **state)
{
    unit_memory memory;
    bb_arena arena;

    (void)state;
    unit_memory_init(&memory);
    bb_arena_init(&arena, &memory.allocator);
    assert_non_null(bb_arena_alloc(&arena, 1));
    assert_null(bb_arena_alloc(&arena, SIZE_MAX));
    assert_null(bb_arena_alloc_bytes(&arena, SIZE_MAX - 8));
    assert_null(bb_arena_alloc_array(&arena, SIZE_MAX / 8 + 1, 8));
    assert_null(bb_alloc_array(&memory.allocator, SIZE_MAX / 8 + 1, 8));
    assert_non_null(bb_arena_alloc(&arena, 100)); /* still good */
    bb_arena_free(&arena);
    bb_arena_free(&arena);
    unit_memory_check(&memory);
}

static void test_alloc_copies_end_in_NUL(void **state)
{
    unit_memory memory;
    char *copy;

    (void)state;
    unit_memory_init(&memory);
    copy = bb_strndup(&memory.allocator, "abcdef", 3);
    assert_string_equal(copy, "abc");
    bb_free(&memory.allocator, copy);
    copy = bb_strndup(&memory.allocator, NULL, 0);
    assert_string_equal(copy, "");
    bb_free(&memory.allocator, copy);
    assert_null(bb_strndup(&memory.allocator, "", SIZE_MAX));
    bb_free(&memory.allocator, NULL);
    unit_memory_check(&memory);
}

/* ---------------------------------------------------------------------------- clock and random */

static void test_deadlines(void **state)
{
    (void)state;
    assert_int_equal(bb_deadline_left(0), 0);
    assert_int_equal(bb_deadline_left(INT64_MIN), 0);
    assert_int_equal(bb_deadline_left(bb_deadline_in(0)), 0);
    assert_int_equal(bb_deadline_left(bb_deadline_in(-5)), 0);
    assert_in_range(bb_deadline_left(bb_deadline_in(5000)), 1, 5000);
    assert_int_equal(bb_deadline_left(bb_deadline_in(INT64_MAX)), INT32_MAX);
    assert_int_equal(bb_deadline_in(INT64_MAX), INT64_MAX);
    assert_true(bb_wall_clock_us() > INT64_C(1600000000000000));
}

static int32_t refuse_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    (void)out;
    (void)len;
    return 5;
}

static void test_random_bytes_fill_any_length(void **state)
{
    unsigned char bytes[1000];
    size_t zeros = 0;

    (void)state;
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(bb_random_fill(NULL, NULL, bytes, 999), 0);
    assert_int_equal(bytes[999], 0);
    for (size_t i = 0; i < 999; i++)
        zeros += bytes[i] == 0;
    assert_true(zeros < 50); /* four on average */
    assert_int_equal(bb_random_fill(refuse_random, NULL, bytes, 1), 5);
}

/* --------------------------------------------------------------------------------------- errors */

static void test_codes_have_names_and_texts(void **state)
{
    (void)state;
    for (int32_t code = BB_OK; code <= BB_ERR_TOO_LARGE; code++) {
        assert_memory_equal(bb_code_name(code), code == BB_OK ? "BB_OK" : "BB_ERR_", 5);
        assert_string_not_equal(bb_code_text(code), "unknown code");
    }
    assert_string_equal(bb_code_name(BB_ERR_BUSY), "BB_ERR_BUSY");
    assert_string_equal(bb_code_name(BB_ERR_TOO_LARGE + 1), "BB_ERR_UNKNOWN");
    assert_string_equal(bb_code_name(-1), "BB_ERR_UNKNOWN");
    assert_string_equal(bb_code_text(INT32_MAX), "unknown code");
    assert_string_equal(bb_version(), "0.1.0");
}

static void test_errors_are_cut_between_characters(void **state)
{
    static const char *const units[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    const size_t room = sizeof((bb_error *)0)->message - 1;

    (void)state;
    for (size_t u = 0; u < COUNT_OF(units); u++) {
        size_t size = strlen(units[u]);
        for (size_t pad = 0; pad < 4; pad++) {
            char *text = repeat(units[u], 200);
            bb_error error;
            size_t len;
            bb_error_init(&error);
            assert_int_equal(bb_error_set(&error, BB_ERR_BUSY, "%.*s%s", (int)pad, "abc", text),
                             BB_ERR_BUSY);
            len = strlen(error.message);
            assert_int_equal(error.code, BB_ERR_BUSY);
            assert_true(len <= room);
            if (size * 200 + pad <= room) {
                assert_int_equal(len, size * 200 + pad);
            } else {
                assert_int_equal((len - pad) % size, 0); /* whole characters */
                assert_true(len + 2 * size > room);
            }
            assert_memory_equal(error.message + pad, text, len - pad);
            free(text);
        }
    }
    assert_int_equal(bb_error_set(NULL, BB_ERR_NOMEM, "%d", 1), BB_ERR_NOMEM);
}

/* --------------------------------------------------------------------------- hashes, conditions */

/* The values are those of the algorithms' authors: others would rename what servers know by it. */
static void test_hash_fnv_is_what_it_is_everywhere(void **state)
{
    (void)state;
    assert_true(bb_hash_fnv(BB_HASH_FNV_START, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(bb_hash_fnv(BB_HASH_FNV_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(bb_hash_fnv(BB_HASH_FNV_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(bb_hash_fnv(bb_hash_fnv(BB_HASH_FNV_START, "foo", 3), "bar", 3) ==
                UINT64_C(0x85944171f73967e8));
}

static void test_hash_of_a_contact_differs_by_all_that_names_it(void **state)
{
    static const uint8_t seed[BB_HASH_SEED_SIZE] = "0123456789abcde";
    static const uint8_t other[BB_HASH_SEED_SIZE] = "0123456789abcdf";
    uint64_t hash = bb_hash_contact(seed, 1, LITERAL("a"));

    (void)state;
    assert_true(hash == bb_hash_contact(seed, 1, LITERAL("a")));
    assert_true(hash != bb_hash_contact(seed, 1, LITERAL("b")));
    assert_true(hash != bb_hash_contact(seed, 1, LITERAL("a\0")));
    assert_true(hash != bb_hash_contact(seed, 2, LITERAL("a")));
    assert_true(hash != bb_hash_contact(other, 1, LITERAL("a")));
}

/* What nobody wakes goes on at its deadline, and not before. */
static void test_condition_waits_by_the_clock_of_deadlines(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    int64_t deadline = bb_deadline_in(20);
    int64_t until_us = bb_monotonic_us() + 20000;
    pthread_cond_t condition;

    (void)state;
    assert_int_equal(bb_condition_init(&condition), 0);
    pthread_mutex_lock(&mutex);
    while (bb_condition_wait_us(&condition, &mutex, until_us))
        continue;
    assert_true(bb_monotonic_us() >= until_us);
    while (bb_condition_wait(&condition, &mutex, deadline))
        continue;
    assert_int_equal(bb_deadline_left(deadline), 0);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer_grows_to_its_cap_and_no_further),
        cmocka_unit_test(test_buffer_refuses_what_no_size_holds),
        cmocka_unit_test(test_buffer_keeps_its_bytes_while_it_grows),
        cmocka_unit_test(test_buffer_writes_integers),
        cmocka_unit_test(test_E3_every_byte_is_escaped_as_JSON_wants),
        cmocka_unit_test(test_arena_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_arena_takes_back_what_was_not_needed),
        cmocka_unit_test(test_arena_sizes_that_overflow_are_refused),
        cmocka_unit_test(test_alloc_copies_end_in_NUL),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_random_bytes_fill_any_length),
        cmocka_unit_test(test_codes_have_names_and_texts),
        cmocka_unit_test(test_errors_are_cut_between_characters),
        cmocka_unit_test(test_hash_fnv_is_what_it_is_everywhere),
        cmocka_unit_test(test_hash_of_a_contact_differs_by_all_that_names_it),
        cmocka_unit_test(test_condition_waits_by_the_clock_of_deadlines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
