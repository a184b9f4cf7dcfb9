/*
 * test_credentials.c: header, key and chatbot id as far as they need no storage (B1 to B3).
 */
#include "unit.h"

#include "request/credentials.h"

static int32_t read_header(bb_slice header)
{
    uint8_t hash[BB_KEY_HASH_SIZE];
    bb_slice copy = tight(header);
    int32_t status = bb_authorization_read(copy, hash);

    free_tight(copy);
    return status;
}

static void expect_headers(const bb_slice *headers, size_t count, int32_t status)
{
    for (size_t i = 0; i < count; i++) {
        if (read_header(headers[i]) != status)
            fail_msg("%zu: %.*s", i, (int)headers[i].len, headers[i].data);
    }
}

static void test_B1_no_header_or_an_empty_one_is_no_key(void **state)
{
    static const bb_slice headers[] = {ROW(""), ROW(" "), ROW("\t \t")};
    uint8_t hash[BB_KEY_HASH_SIZE];

    (void)state;
    expect_headers(headers, COUNT_OF(headers), BB_STATUS_NO_KEY);
    assert_int_equal(bb_authorization_read((bb_slice){NULL, 0}, hash), BB_STATUS_NO_KEY);
}

static void test_B1_the_scheme_may_be_in_any_case_with_any_spaces(void **state)
{
    static const bb_slice headers[] = {
        ROW("Bearer oc_live_abc"),      ROW("bearer oc_live_abc"),
        ROW("BEARER oc_live_abc"),      ROW("bEaReR oc_live_abc"),
        ROW("Bearer      oc_live_abc"), ROW(" Bearer oc_live_abc"),
        ROW("Bearer oc_live_abc  "),    ROW("\tBearer oc_live_abc\t"),
        ROW("Bearer oc_t_x"),           ROW("Bearer oc_TEST1_-._~+/="),
        ROW("Bearer oc_live__"),        ROW("Bearer oc_live_a_b_c")};

    (void)state;
    expect_headers(headers, COUNT_OF(headers), BB_STATUS_SUCCESS);
}

static void test_B1_anything_else_is_an_invalid_key(void **state)
{
    static const bb_slice headers[] = {ROW("Bearer"),
                                       ROW("Bearer "),
                                       ROW("B"),
                                       ROW("Beareroc_live_abc"),
                                       ROW("Bearer\toc_live_abc"),
                                       ROW("Bearer \toc_live_abc"),
                                       ROW("Bearer: oc_live_abc"),
                                       ROW("Basic oc_live_abc"),
                                       ROW("Token oc_live_abc"),
                                       ROW("oc_live_abc"),
                                       ROW("Bearer oc_live_abc x"),
                                       ROW("Bearer oc_live_abc,x"),
                                       ROW("Bearer oc_live_abc\0"),
                                       ROW("Bearer oc_live_a\0c"),
                                       ROW("Bearer oc_live_abc\n"),
                                       ROW("Bearer oc_live_abc\r\nX: y"),
                                       ROW("Bearer Bearer oc_live_abc"),
                                       ROW("Bearer \"oc_live_abc\""),
                                       ROW("Bearer oc_live"),
                                       ROW("Bearer oc_live_"),
                                       ROW("Bearer oc__abc"),
                                       ROW("Bearer oc_"),
                                       ROW("Bearer oc"),
                                       ROW("Bearer _live_abc"),
                                       ROW("Bearer OC_live_abc"),
                                       ROW("Bearer oc-live-abc"),
                                       ROW("Bearer xoc_live_abc"),
                                       ROW("Bearer oc_li-ve_abc"),
                                       ROW("Bearer oc_liv\xC3\xA9_abc"),
                                       ROW("Bearer oc_live_\xC3\xA9"),
                                       ROW("Bearer oc_live_a%20b"),
                                       ROW("Bearer oc_live_a b"),
                                       ROW("\"Bearer oc_live_abc\""),
                                       ROW("Bearer oc_live_abc;"),
                                       ROW("Bearer\xC2\xA0oc_live_abc"),
                                       ROW("Bea\0rer oc_live_abc"),
                                       ROW("\0"),
                                       ROW("\x02"
                                           "earer oc_live_abc"),
                                       ROW("Bearer sk_live_abc")};

    (void)state;
    expect_headers(headers, COUNT_OF(headers), BB_STATUS_INVALID_KEY);
}

static void test_B1_keys_have_a_length_limit(void **state)
{
    (void)state;
    for (size_t len = BB_MAX_KEY - 2; len <= BB_MAX_KEY + 2; len++) {
        char *pad = repeat("x", len - 8);
        test_text header = {0};
        test_append_text(&header, "Bearer oc_live_");
        test_append_text(&header, pad);
        assert_int_equal(read_header(built(&header)),
                         len <= BB_MAX_KEY ? BB_STATUS_SUCCESS : BB_STATUS_INVALID_KEY);
        free(header.data);
        free(pad);
    }
}

static void test_B1_every_byte_in_a_key(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char key[] = "oc_live_a?b";
        char env[] = "oc_li?ve_ab";
        int is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= 'A' && byte <= 'Z');
        key[9] = (char)byte;
        env[5] = (char)byte;
        assert_int_equal(bb_key_is_well_formed((bb_slice){key, sizeof key - 1}),
                         is_alnum || (byte != 0 && strchr("-._~+/=", byte) != NULL));
        /* an underscore ends <env> earlier */
        assert_int_equal(bb_key_is_well_formed((bb_slice){env, sizeof env - 1}),
                         is_alnum || byte == '_');
    }
    assert_false(bb_key_is_well_formed((bb_slice){NULL, 0}));
}

/* The digests were computed with another program. */
static void test_B2_keys_are_hashed_with_SHA_256(void **state)
{
    static const struct {
        bb_slice header;
        const char *hash;
    } cases[] = {{ROW("Bearer oc_live_abc"),
                  "9d234155cc538221bdfcf413bee4a4afb677c3f6d9b452765f8f99352f05a773"},
                 {ROW("  bEARER   oc_live_abc "),
                  "9d234155cc538221bdfcf413bee4a4afb677c3f6d9b452765f8f99352f05a773"},
                 {ROW("Bearer oc_test_0123456789"),
                  "9b93035969bd7b824d96eb9d1f298f5d9e088055d7ff305ffab8e2a5dbd269e4"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t hash[BB_KEY_HASH_SIZE];
        char hex[2 * BB_KEY_HASH_SIZE + 1];
        assert_int_equal(bb_authorization_read(cases[i].header, hash), BB_STATUS_SUCCESS);
        for (size_t j = 0; j < sizeof hash; j++)
            snprintf(hex + 2 * j, 3, "%02x", hash[j]);
        assert_string_equal(hex, cases[i].hash);
    }
}

static void test_B3_chatbot_ids_are_positive_integers_of_63_bits(void **state)
{
    static const struct {
        bb_slice segment;
        int64_t id;
    } cases[] = {{ROW("1"), 1},
                 {ROW("123"), 123},
                 {ROW("9223372036854775807"), INT64_MAX},
                 {ROW("9223372036854775806"), INT64_MAX - 1},
                 {ROW("0000000000000000000000000000000000000007"), 7},
                 {ROW("09223372036854775807"), INT64_MAX},
                 {ROW("9223372036854775808"), 0},
                 {ROW("9223372036854775810"), 0},
                 {ROW("9223372036854775900"), 0},
                 {ROW("10000000000000000000"), 0},
                 {ROW("18446744073709551615"), 0},
                 {ROW("18446744073709551617"), 0},
                 {ROW("99999999999999999999999999999999999999999"), 0},
                 {ROW("0"), 0},
                 {ROW("000"), 0},
                 {ROW(""), 0},
                 {ROW("-1"), 0},
                 {ROW("+1"), 0},
                 {ROW(" 1"), 0},
                 {ROW("1 "), 0},
                 {ROW("1\n"), 0},
                 {ROW("1\0"), 0},
                 {ROW("\0"
                      "1"),
                  0},
                 {ROW("1.0"), 0},
                 {ROW("1e3"), 0},
                 {ROW("0x10"), 0},
                 {ROW("12a"), 0},
                 {ROW("a12"), 0},
                 {ROW("1/2"), 0},
                 {ROW("1:"), 0},
                 {ROW("%31"), 0},
                 {ROW("\xD9\xA1"), 0},
                 {ROW("\xB1"), 0},
                 {ROW("contacts"), 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bb_slice copy = tight(cases[i].segment);
        if (bb_chatbot_id_read(copy) != cases[i].id)
            fail_msg("%zu: %s", i, cases[i].segment.data);
        free_tight(copy);
    }
    assert_int_equal(bb_chatbot_id_read((bb_slice){NULL, 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_B1_no_header_or_an_empty_one_is_no_key),
        cmocka_unit_test(test_B1_the_scheme_may_be_in_any_case_with_any_spaces),
        cmocka_unit_test(test_B1_anything_else_is_an_invalid_key),
        cmocka_unit_test(test_B1_keys_have_a_length_limit),
        cmocka_unit_test(test_B1_every_byte_in_a_key),
        cmocka_unit_test(test_B2_keys_are_hashed_with_SHA_256),
        cmocka_unit_test(test_B3_chatbot_ids_are_positive_integers_of_63_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
