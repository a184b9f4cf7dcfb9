/*
 * test_struct_size.c: structs of callers that were built with another version of them.
 */
#include "unit.h"

#include "util/struct_size.h"

/* A struct in its first release, as this library knows it, and as a later one will. */
typedef struct first {
    size_t size;
    int64_t a;
} first;

typedef struct second {
    size_t size;
    int64_t a;
    int64_t b;
} second;

typedef struct third {
    size_t size;
    int64_t a;
    int64_t b;
    int64_t c;
} third;

static const bb_struct_type type = {"bb_thing", sizeof(first), sizeof(second)};

/* `given` ends where its block ends, so that the sanitizers see what is read past it. */
static int32_t read_tight(size_t block, const third *given, size_t size, second *known,
                          bb_error *error)
{
    unsigned char *tight_block = must_alloc(block);
    int32_t code;

    memcpy(tight_block, given, block < sizeof *given ? block : sizeof *given);
    memcpy(tight_block, &size, sizeof size);
    bb_error_init(error);
    *known = (second){.size = sizeof *known, .a = 100, .b = 200};
    code = bb_struct_read(&type, known, tight_block, error);
    assert_int_equal(known->size, sizeof *known);
    free(tight_block);
    return code;
}

static void test_abi_an_older_callers_struct_leaves_defaults(void **state)
{
    third given = {.a = 1};
    second known;
    bb_error error;

    (void)state;
    assert_int_equal(read_tight(sizeof(first), &given, sizeof(first), &known, &error), BB_OK);
    assert_int_equal(known.a, 1);
    assert_int_equal(known.b, 200);
    given.b = 2;
    assert_int_equal(read_tight(sizeof(second), &given, sizeof(second), &known, &error), BB_OK);
    assert_int_equal(known.a, 1);
    assert_int_equal(known.b, 2);
}

static void test_abi_a_newer_callers_unknown_member_must_be_zero(void **state)
{
    third given = {.a = 1, .b = 2};
    second known;
    bb_error error;

    (void)state;
    assert_int_equal(read_tight(sizeof given, &given, sizeof given, &known, &error), BB_OK);
    assert_int_equal(known.b, 2);
    for (int bit = 0; bit < 64; bit++) {
        given.c = (int64_t)(UINT64_C(1) << bit);
        assert_int_equal(read_tight(sizeof given, &given, sizeof given, &known, &error),
                         BB_ERR_ARGUMENT);
        assert_int_equal(known.a, 100);
        assert_int_equal(error.code, BB_ERR_ARGUMENT);
        assert_non_null(strstr(error.message, "bb_thing"));
    }
}

static void test_abi_sizes_of_no_version_are_not_read(void **state)
{
    static const size_t sizes[] = {0, 1, sizeof(size_t), sizeof(first) - 1, 4097, SIZE_MAX};
    third given = {.a = 1};
    second known;
    bb_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(read_tight(sizeof(size_t), &given, sizes[i], &known, &error),
                         BB_ERR_ARGUMENT);
        assert_int_equal(known.a, 100);
        assert_non_null(strstr(error.message, "bb_thing_init()"));
    }
}

static void test_abi_what_backends_hand_back_is_viewed(void **state)
{
    first older = {sizeof older, 1};
    second same = {sizeof same, 1, 2};
    third newer = {sizeof newer, 1, 2, 3};
    second room = {.size = sizeof room, .b = 200};
    const second *seen = bb_struct_view(&type, &room, &older);

    (void)state;
    assert_ptr_equal(seen, &room);
    assert_int_equal(room.size, sizeof room);
    assert_int_equal(room.a, 1);
    assert_int_equal(room.b, 200);
    assert_ptr_equal(bb_struct_view(&type, &room, &same), &same);
    assert_ptr_equal(bb_struct_view(&type, &room, &newer), &newer);
    older.size--;
    assert_null(bb_struct_view(&type, &room, &older));
}

static void test_abi_results_are_filled_to_the_callers_size(void **state)
{
    const second result = {sizeof result, 1, 2};
    third newer = {sizeof newer, 9, 9, 9};
    second older = {sizeof(first), 9, 9}; /* its caller has no `b` there */

    (void)state;
    assert_int_equal(bb_struct_fill(&type, &older, &result), 1);
    assert_int_equal(older.size, sizeof(first));
    assert_int_equal(older.a, 1);
    assert_int_equal(older.b, 9);
    assert_int_equal(bb_struct_fill(&type, &newer, &result), 1);
    assert_int_equal(newer.size, sizeof newer);
    assert_int_equal(newer.b, 2);
    assert_int_equal(newer.c, 9);
    older.size = sizeof(first) - 1;
    older.a = 7;
    assert_int_equal(bb_struct_fill(&type, &older, &result), 0);
    assert_int_equal(older.a, 7);
}

static void test_abi_an_error_of_no_known_size_is_left_alone(void **state)
{
    bb_error error;
    bb_error before;

    (void)state;
    memset(&error, 0x5A, sizeof error);
    error.size = 8;
    before = error;
    assert_int_equal(bb_error_set(&error, BB_ERR_BUSY, "text"), BB_ERR_BUSY);
    assert_memory_equal(&error, &before, sizeof error);
    bb_error_init(&error);
    error.size = sizeof error + 8;
    assert_int_equal(bb_error_set(&error, BB_ERR_BUSY, "text"), BB_ERR_BUSY);
    assert_string_equal(error.message, "text");
}

/* The sizes of version 0.1 on this machine; tests/abi runs such a program. */
static void test_abi_the_first_release_is_accepted_of_all(void **state)
{
    static const bb_struct_type *const types[] = {
#define XX(name, last, bytes) &name##_type,
        BB_FIRST_RELEASE_MAP(XX)
#undef XX
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        size_t size = types[i]->first_size;
        assert_true(bb_struct_is_known(types[i], &size));
        assert_true(types[i]->first_size <= types[i]->size);
        size--;
        assert_false(bb_struct_is_known(types[i], &size));
    }
}

/* What the inline init functions do, for callers who cannot call those. */
static void test_abi_a_struct_is_initialized_by_its_callers_size(void **state)
{
    third given;
    bb_request request;
    bb_request same;

    (void)state;
    memset(&given, 0xA5, sizeof given);
    bb_struct_init(&given, sizeof(second)); /* as a program that knows no `c` */
    assert_int_equal(given.size, sizeof(second));
    assert_int_equal(given.a, 0);
    assert_int_equal(given.b, 0);
    assert_int_equal((uint64_t)given.c, UINT64_C(0xA5A5A5A5A5A5A5A5));
    bb_struct_init(&given, sizeof(size_t) - 1);
    assert_int_equal(given.size, sizeof(second));
    bb_struct_init(NULL, sizeof given);
    memset(&request, 0xA5, sizeof request);
    memset(&same, 0x5A, sizeof same);
    bb_request_init(&request);
    bb_struct_init(&same, sizeof same);
    assert_memory_equal(&request, &same, sizeof request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abi_an_older_callers_struct_leaves_defaults),
        cmocka_unit_test(test_abi_a_newer_callers_unknown_member_must_be_zero),
        cmocka_unit_test(test_abi_sizes_of_no_version_are_not_read),
        cmocka_unit_test(test_abi_what_backends_hand_back_is_viewed),
        cmocka_unit_test(test_abi_results_are_filled_to_the_callers_size),
        cmocka_unit_test(test_abi_an_error_of_no_known_size_is_left_alone),
        cmocka_unit_test(test_abi_the_first_release_is_accepted_of_all),
        cmocka_unit_test(test_abi_a_struct_is_initialized_by_its_callers_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
