/*
 * test_json_check.c: the grammar of RFC 8259 and UTF-8 (C1, C5), by fault class.
 */
#include "unit.h"

#include "json/check.h"

/* Checks the next value, going into arrays and objects of so many levels. */
static int step_through(bb_json_checker *checker, unsigned levels)
{
    char first = bb_json_checker_peek(checker);
    bb_json_step step;
    bb_slice slice;

    if (levels == 0 || (first != '{' && first != '['))
        return bb_json_checker_value(checker, &slice) && slice.data[0] == first;
    if (!bb_json_checker_enter(checker))
        return 0;
    for (step = bb_json_checker_next(checker, &slice); step == BB_JSON_MORE;
         step = bb_json_checker_next(checker, &slice)) {
        if (first == '{' && (slice.data[0] != '"' || slice.data[slice.len - 1] != '"'))
            return 0;
        if (!step_through(checker, levels - 1))
            return 0;
    }
    return step == BB_JSON_END;
}

/* The answer and the facts are the same however far the caller goes in. */
static void expect_steps(bb_slice text, int is_json, const bb_json_facts *facts)
{
    for (unsigned levels = 0; levels < 4; levels++) {
        unit_memory memory;
        bb_json_checker checker;
        int is_passed;
        bb_slice copy = tight(text);
        unit_memory_init(&memory);
        bb_json_checker_init(&checker, &memory.allocator, copy);
        is_passed = step_through(&checker, levels) && bb_json_checker_at_end(&checker);
        if (is_passed != is_json)
            fail_msg("in steps: %.*s", (int)text.len, text.data);
        if (is_json) {
            assert_int_equal(checker.facts.depth, facts->depth);
            assert_int_equal(checker.facts.has_nul, facts->has_nul);
            assert_int_equal(checker.depth, 0);
        }
        bb_json_checker_free(&checker);
        unit_memory_check(&memory);
        free_tight(copy);
    }
}

static int check_facts(bb_slice text, bb_json_facts *facts)
{
    unit_memory memory;
    bb_slice copy = tight(text);
    int is_json;

    unit_memory_init(&memory);
    is_json = bb_json_check(&memory.allocator, copy.data, copy.len, facts);
    unit_memory_check(&memory);
    assert_false(facts->is_out_of_memory);
    free_tight(copy);
    if (text.len > 0)
        expect_steps(text, is_json, facts);
    return is_json;
}

static int check(bb_slice text)
{
    bb_json_facts facts;

    return check_facts(text, &facts);
}

static int check_bytes(const char *data, size_t len)
{
    bb_slice text = {data, len};

    return check(text);
}

static void expect_all(const bb_slice *texts, size_t count, int expected)
{
    for (size_t i = 0; i < count; i++) {
        if (check(texts[i]) != expected)
            fail_msg("%zu: %.*s", i, (int)texts[i].len, texts[i].data);
    }
}

#define EXPECT_ALL(texts, expected) expect_all((texts), COUNT_OF(texts), (expected))

/* ------------------------------------------------------------------------------------- scalars */

static void test_C1_every_kind_of_value_is_json(void **state)
{
    static const bb_slice good[] = {ROW("null"),
                                    ROW("true"),
                                    ROW("false"),
                                    ROW("0"),
                                    ROW("-1.5e3"),
                                    ROW("\"\""),
                                    ROW("\"text\""),
                                    ROW("[]"),
                                    ROW("{}"),
                                    ROW("[[]]"),
                                    ROW("[{}]"),
                                    ROW("{\"\":0}"),
                                    ROW("{\"a\":{\"b\":[1,\"2\",null,true,false]}}"),
                                    ROW("[1,2,3]"),
                                    ROW("{\"a\":1,\"a\":2}"),
                                    ROW("{\"a\":[],\"b\":{}}"),
                                    ROW("[null,true,false,0,\"\",[],{}]")};

    (void)state;
    EXPECT_ALL(good, 1);
}

static void test_C1_no_text_is_no_json(void **state)
{
    static const bb_slice bad[] = {ROW(""), ROW(" "), ROW("\n\t \r")};
    bb_json_facts facts;

    (void)state;
    EXPECT_ALL(bad, 0);
    assert_int_equal(bb_json_check(NULL, NULL, 0, &facts), 0);
    assert_false(facts.is_out_of_memory);
}

static void test_C1_words_are_taken_by_the_letter(void **state)
{
    static const bb_slice bad[] = {
        ROW("True"),     ROW("TRUE"),      ROW("tru"),      ROW("truee"), ROW("true1"),
        ROW("[tru]"),    ROW("[truth]"),   ROW("nul"),      ROW("nulll"), ROW("Null"),
        ROW("fals"),     ROW("falsy"),     ROW("[fals e]"), ROW("NaN"),   ROW("nan"),
        ROW("Infinity"), ROW("-Infinity"), ROW("-NaN"),     ROW("inf"),   ROW("undefined"),
        ROW("None"),     ROW("yes"),       ROW("t"),        ROW("n"),     ROW("f"),
        ROW("text"),     ROW("nul\0"),     ROW("true\0"),   ROW("[nul"),  ROW("[truefalse]")};

    (void)state;
    EXPECT_ALL(bad, 0);
}

static void test_C1_numbers_are_json(void **state)
{
    static const bb_slice good[] = {
        ROW("0"),
        ROW("-0"),
        ROW("0.0"),
        ROW("-0.0"),
        ROW("10"),
        ROW("-10"),
        ROW("1e5"),
        ROW("1E5"),
        ROW("1e+5"),
        ROW("1E-5"),
        ROW("0e0"),
        ROW("0E+00"),
        ROW("1e0009"),
        ROW("1.5e10"),
        ROW("-1.5E-10"),
        ROW("0.00001"),
        ROW("1.0000"),
        ROW("9e999"),
        ROW("-1e400000"),
        ROW("[0,-0,1.0]"),
        ROW("123456789012345678901234567890.123456789012345678901234567890e-12345678901234")};

    (void)state;
    EXPECT_ALL(good, 1);
}

static void test_C1_faulty_numbers_are_refused(void **state)
{
    static const bb_slice bad[] = {
        ROW("01"),         ROW("-01"),       ROW("00"),          ROW("-00.5"),
        ROW("-"),          ROW("--1"),       ROW("+1"),          ROW(".5"),
        ROW("-.5"),        ROW("1."),        ROW("-1."),         ROW("1.e5"),
        ROW("1e"),         ROW("1e+"),       ROW("1E-"),         ROW("1e1.5"),
        ROW("1ee5"),       ROW("1e+-5"),     ROW("0x10"),        ROW("0X1"),
        ROW("1_000"),      ROW("1,000"),     ROW("1 000"),       ROW("-a"),
        ROW("1a"),         ROW("2.e+3"),     ROW("0e"),          ROW("0.e1"),
        ROW("0.1.2"),      ROW("1e5e5"),     ROW("-\"1\""),      ROW("[1.]"),
        ROW("[-]"),        ROW("[1e]"),      ROW("[01]"),        ROW("[1+2]"),
        ROW("[1-2]"),      ROW("[0-1]"),     ROW("1/2"),         ROW("1f"),
        ROW("1L"),         ROW("0b1"),       ROW("0o7"),         ROW("- 1"),
        ROW("1 .5"),       ROW("1. 5"),      ROW("1e 5"),        ROW("1 e5"),
        ROW("1\0"),        ROW("1\0.5"),     ROW("\xD9\xA1"),    ROW("[1\xD9\xA1"),
        ROW("{\"a\":1.}"), ROW("{\"a\":-}"), ROW("\xEF\xBC\x91")};

    (void)state;
    EXPECT_ALL(bad, 0);
}

/* ---------------------------------------------------------------------------------- white space */

static void test_C1_white_space_is_allowed_between_tokens(void **state)
{
    static const bb_slice good[] = {ROW(" 1"),
                                    ROW("1 "),
                                    ROW("\t\r\n 1\n\r\t "),
                                    ROW(" [ 1 , 2 ] "),
                                    ROW("[ ]"),
                                    ROW("{ }"),
                                    ROW("\n{\n\"a\"\n:\n1\n,\n\"b\"\n:\n[\n]\n}\n"),
                                    ROW("{\t\"a\"\r:\r1\t}")};

    (void)state;
    EXPECT_ALL(good, 1);
}

static void test_C1_other_white_space_is_refused(void **state)
{
    static const bb_slice bad[] = {ROW("\v1"),
                                   ROW("1\f"),
                                   ROW("[\v]"),
                                   ROW("[1,\f2]"),
                                   ROW("\xC2\xA0"
                                       "1"),
                                   ROW("1\xC2\x85"),
                                   ROW("[\xE2\x80\xA8]"),
                                   ROW("\xE3\x80\x80[]"),
                                   ROW("[\xE2\x81\xA0]"),
                                   ROW("1\0"),
                                   ROW("\0"
                                       "1"),
                                   ROW("[1]\x1F"),
                                   ROW("[\x7F]"),
                                   ROW("\\n1"),
                                   ROW("[\\u0020]"),
                                   ROW("1\x08")};

    (void)state;
    EXPECT_ALL(bad, 0);
}

static void test_C1_byte_order_mark_is_refused(void **state)
{
    static const bb_slice bad[] = {
        ROW("\xEF\xBB\xBF{}"),      ROW("{}\xEF\xBB\xBF"),    ROW("\xEF\xBB\xBF"),
        ROW("[\xEF\xBB\xBF]"),      ROW("\xFE\xFF\0[\0]"),    ROW("\xFF\xFE[\0]\0"),
        ROW("\xFF\xFE\0\0[\0\0\0"), ROW("\xEF\xBB\xBF\"a\""), ROW("\xEF\xBB{}")};

    (void)state;
    EXPECT_ALL(bad, 0);
    /* inside a string it is a character like any other */
    assert_true(check(LITERAL("\"\xEF\xBB\xBF\"")));
}

/* Between the brackets of an array, every byte on its own: white space, digits, nothing else. */
static void test_C1_every_byte_in_an_array(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = {'[', (char)byte, ']'};
        int expected = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' ||
                       (byte >= '0' && byte <= '9');
        if (check_bytes(text, sizeof text) != expected)
            fail_msg("byte 0x%02x", (unsigned)byte);
    }
}

static void test_C1_nothing_but_white_space_may_follow(void **state)
{
    static const bb_slice values[] = {ROW("{}"), ROW("[1]"), ROW("\"a\""), ROW("true")};

    (void)state;
    for (size_t v = 0; v < COUNT_OF(values); v++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[16];
            size_t len = values[v].len;
            int is_space = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
            memcpy(text, values[v].data, len);
            text[len] = (char)byte;
            if (check_bytes(text, len + 1) != is_space)
                fail_msg("%s and byte 0x%02x", values[v].data, (unsigned)byte);
        }
    }
}

/* ------------------------------------------------------------------------------------- strings */

static void test_C1_every_byte_in_a_string(void **state)
{
    (void)state;
    for (size_t before = 0; before < 18; before++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[24] = "\"abcdefghijklmnopqr";
            int expected = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            text[1 + before] = (char)byte;
            text[2 + before] = '"';
            if (check_bytes(text, before + 3) != expected)
                fail_msg("byte 0x%02x after %zu", (unsigned)byte, before);
        }
    }
}

static void test_C1_every_byte_after_a_backslash(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[4] = {'"', '\\', (char)byte, '"'};
        int expected = byte != 0 && strchr("\"\\/bfnrt", byte) != NULL;
        if (check_bytes(text, sizeof text) != expected)
            fail_msg("byte 0x%02x", (unsigned)byte);
    }
    assert_true(check(LITERAL("\"\\\"\"")));
}

static int is_hex(int byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
           (byte >= 'A' && byte <= 'F');
}

static void test_C1_every_byte_as_a_hexadecimal_digit(void **state)
{
    (void)state;
    for (size_t place = 0; place < 4; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[] = "\"\\u1234\"";
            text[3 + place] = (char)byte;
            if (check_bytes(text, sizeof text - 1) != is_hex(byte))
                fail_msg("byte 0x%02x at %zu", (unsigned)byte, place);
        }
    }
}

static void test_C1_faulty_strings_are_refused(void **state)
{
    static const bb_slice bad[] = {ROW("\""),
                                   ROW("\"a"),
                                   ROW("a\""),
                                   ROW("'a'"),
                                   ROW("\"\\\""),
                                   ROW("\"\\"),
                                   ROW("\"\\u"),
                                   ROW("\"\\u\""),
                                   ROW("\"\\u0\""),
                                   ROW("\"\\u00\""),
                                   ROW("\"\\u000\""),
                                   ROW("\"\\u000"),
                                   ROW("\"\\u0041"),
                                   ROW("\"\\U0041\""),
                                   ROW("\"\\x41\""),
                                   ROW("\"\\a\""),
                                   ROW("\"\\v\""),
                                   ROW("\"\\0\""),
                                   ROW("\"\\'\""),
                                   ROW("\"\\ \""),
                                   ROW("\"\\\n\""),
                                   ROW("\"\\\xC3\xA9\""),
                                   ROW("\"\\uD8G0\""),
                                   ROW("\"\\u 041\""),
                                   ROW("\"\\u+041\""),
                                   ROW("\"\\u-041\""),
                                   ROW("\"\\u0x41\""),
                                   ROW("\"\\u{41}\""),
                                   ROW("\"a\nb\""),
                                   ROW("\"a\tb\""),
                                   ROW("\"a\0b\""),
                                   ROW("\"\0"),
                                   ROW("\"a\"\"b\""),
                                   ROW("\"a\" \"b\""),
                                   ROW("\xE2\x80\x9C"
                                       "a\xE2\x80\x9D"),
                                   ROW("\"\\u004\xC3\xA9\""),
                                   ROW("\\u0022a\\u0022"),
                                   ROW("`a`"),
                                   ROW("\"a\\")};

    (void)state;
    EXPECT_ALL(bad, 0);
}

/* Lengths around the steps of eight bytes, at every alignment. */
static void test_C1_strings_of_every_length_end_where_they_end(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 8; lead++) {
        for (size_t len = 0; len <= 40; len++) {
            char text[64];
            memset(text, ' ', lead);
            memset(text + lead, 'x', len + 2);
            text[lead] = '"';
            assert_false(check_bytes(text, lead + len + 1));
            assert_false(check_bytes(text, lead + len + 2));
            text[lead + len + 1] = '"';
            assert_true(check_bytes(text, lead + len + 2));
        }
    }
}

static void test_C1_faults_are_seen_at_every_place_of_a_string(void **state)
{
    static const char faults[] = {'"', '\\', '\0', '\x1F', '\n', '\x80', '\xBF', '\xC3', '\xFF'};

    (void)state;
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t f = 0; f < sizeof faults; f++) {
                char text[64];
                memset(text, 'x', len + 2);
                text[0] = '"';
                text[len + 1] = '"';
                text[1 + at] = faults[f];
                if (check_bytes(text, len + 2))
                    fail_msg("fault %zu at %zu of %zu", f, at, len);
            }
        }
    }
}

/* ---------------------------------------------------------------------------- surrogates, NUL */

static void test_C5_every_escaped_unit_but_a_lone_surrogate_is_json(void **state)
{
    (void)state;
    for (unsigned unit = 0; unit < 0x10000; unit++) {
        char text[16];
        bb_json_facts facts;
        int expected = unit < 0xD800 || unit > 0xDFFF;
        int len = snprintf(text, sizeof text, unit % 2 ? "\"\\u%04x\"" : "\"\\u%04X\"", unit);
        bb_slice slice = {text, (size_t)len};
        if (check_facts(slice, &facts) != expected)
            fail_msg("unit %04x", unit);
        assert_int_equal(facts.has_nul, unit == 0);
    }
}

static void test_C5_a_high_surrogate_needs_a_low_one(void **state)
{
    static const unsigned seconds[] = {0x0000, 0x0041, 0xD7FF, 0xD800, 0xDBFF, 0xDC00,
                                       0xDC01, 0xDE00, 0xDFFF, 0xE000, 0xFFFF};

    (void)state;
    for (unsigned high = 0xD800; high <= 0xDFFF; high++) {
        for (size_t i = 0; i < COUNT_OF(seconds); i++) {
            char text[24];
            int expected = high <= 0xDBFF && seconds[i] >= 0xDC00 && seconds[i] <= 0xDFFF;
            int len = snprintf(text, sizeof text, "\"\\u%04x\\u%04X\"", high, seconds[i]);
            if (check_bytes(text, (size_t)len) != expected)
                fail_msg("%s", text);
        }
    }
}

static void test_C5_broken_surrogate_pairs_are_refused(void **state)
{
    static const bb_slice bad[] = {ROW("\"\\uD83D"),
                                   ROW("\"\\uD83D\""),
                                   ROW("\"\\uD83D\\"),
                                   ROW("\"\\uD83D\\u"),
                                   ROW("\"\\uD83D\\uDE0"),
                                   ROW("\"\\uD83D\\uDE0\""),
                                   ROW("\"\\uD83D\\n\""),
                                   ROW("\"\\uD83Dx\\uDE00\""),
                                   ROW("\"\\uD83D \\uDE00\""),
                                   ROW("\"\\uD83DuDE00\""),
                                   ROW("\"\\uD83D\\xDE00\""),
                                   ROW("\"\\uD83D\\UDE00\""),
                                   ROW("\"\\uDE00\\uD83D\""),
                                   ROW("\"\\uD83D\\uD83D\\uDE00\""),
                                   ROW("\"\\uD83D\\uDE00\\uDE00\""),
                                   ROW("\"\\uD83D\\\\uDE00\""),
                                   ROW("{\"\\uDC00\":1}"),
                                   ROW("\"\\uD83D\xF0\x9F\x98\x80\"")};

    (void)state;
    EXPECT_ALL(bad, 0);
    assert_true(check(LITERAL("\"\\uD83D\\uDE00\\uD83D\\uDE00\"")));
    assert_true(check(LITERAL("{\"\\uD83D\\uDE00\":\"\\uDBFF\\uDFFF\"}")));
}

static void test_C5_escaped_NUL_is_noticed_wherever_it_stands(void **state)
{
    static const struct {
        bb_slice text;
        int has_nul;
    } cases[] = {{ROW("\"\\u0000\""), 1},
                 {ROW("{\"\\u0000\":1}"), 1},
                 {ROW("[[{\"a\":\"x\\u0000y\"}]]"), 1},
                 {ROW("\"\\\\u0000\""), 0},
                 {ROW("\"\\\\\\u0000\""), 1},
                 {ROW("\"\\\\\\\\u0000\""), 0},
                 {ROW("\"\\u0001\""), 0},
                 {ROW("\"\\u0010\\u00000\""), 1},
                 {ROW("\"u0000\""), 0},
                 {ROW("\"\\u1000\\u0100\\u0010\""), 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bb_json_facts facts;
        assert_true(check_facts(cases[i].text, &facts));
        if (facts.has_nul != cases[i].has_nul)
            fail_msg("%s", cases[i].text.data);
    }
}

/* --------------------------------------------------------------------------------------- UTF-8 */

static size_t put_utf8(char *to, uint32_t point)
{
    unsigned char *out = (unsigned char *)to;

    if (point < 0x80) {
        out[0] = (unsigned char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (unsigned char)(0xC0 | point >> 6);
        out[1] = (unsigned char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (unsigned char)(0xE0 | point >> 12);
        out[1] = (unsigned char)(0x80 | (point >> 6 & 63));
        out[2] = (unsigned char)(0x80 | (point & 63));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | point >> 18);
    out[1] = (unsigned char)(0x80 | (point >> 12 & 63));
    out[2] = (unsigned char)(0x80 | (point >> 6 & 63));
    out[3] = (unsigned char)(0x80 | (point & 63));
    return 4;
}

/* Whether bytes are UTF-8, by decoding and encoding again. */
static int is_utf8(const char *text, size_t len)
{
    static const unsigned char masks[] = {0x7F, 0x1F, 0x0F, 0x07};
    const unsigned char *p = (const unsigned char *)text;

    for (size_t at = 0; at < len;) {
        size_t size = p[at] < 0x80 ? 1 : p[at] < 0xC0 ? 0 : p[at] < 0xE0 ? 2 : p[at] < 0xF0 ? 3 : 4;
        char again[4];
        uint32_t point;
        if (size == 0 || p[at] >= 0xF8 || size > len - at)
            return 0;
        point = p[at] & masks[size - 1];
        for (size_t i = 1; i < size; i++)
            point = point << 6 | (p[at + i] & 63);
        if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return 0;
        if (put_utf8(again, point) != size || memcmp(again, p + at, size) != 0)
            return 0;
        at += size;
    }
    return 1;
}

static void expect_utf8(const char *bytes, size_t len)
{
    char text[8] = {'"'};

    memcpy(text + 1, bytes, len);
    text[len + 1] = '"';
    if (check_bytes(text, len + 2) != is_utf8(bytes, len))
        fail_msg("%02x %02x %02x %02x", (unsigned)(unsigned char)bytes[0],
                 (unsigned)(unsigned char)bytes[1], len > 2 ? (unsigned)(unsigned char)bytes[2] : 0,
                 len > 3 ? (unsigned)(unsigned char)bytes[3] : 0);
    /* cut off inside; nothing past the end is read */
    assert_false(check_bytes(text, len + 1));
}

/* The bytes at the borders of every range of RFC 3629, section 4. */
static const unsigned char border_bytes[] = {0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
                                             0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
                                             0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFC, 0xFF};

static void test_C5_sequences_of_two_and_three_bytes(void **state)
{
    (void)state;
    for (unsigned a = 0x80; a < 0x100; a++) {
        for (unsigned b = 0x80; b < 0x100; b++) {
            char two[2] = {(char)a, (char)b};
            expect_utf8(two, sizeof two);
        }
    }
    for (unsigned a = 0x80; a < 0x100; a++) {
        for (size_t b = 0; b < sizeof border_bytes; b++) {
            for (size_t c = 0; c < sizeof border_bytes; c++) {
                char three[3] = {(char)a, (char)border_bytes[b], (char)border_bytes[c]};
                expect_utf8(three, sizeof three);
            }
        }
    }
}

static void test_C5_sequences_of_four_bytes(void **state)
{
    static const unsigned char leads[] = {0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5};
    const size_t count = sizeof border_bytes;

    (void)state;
    for (size_t i = 0; i < sizeof leads * count * count * count; i++) {
        char four[4] = {(char)leads[i / (count * count * count)],
                        (char)border_bytes[i / (count * count) % count],
                        (char)border_bytes[i / count % count], (char)border_bytes[i % count]};
        expect_utf8(four, sizeof four);
    }
}

static void test_C5_faulty_utf8_is_refused(void **state)
{
    static const bb_slice bad[] = {ROW("\"\xC0\x80\""),                 /* U+0000 in two bytes */
                                   ROW("\"\xC0\xAF\""),                 /* an overlong slash */
                                   ROW("\"\xE0\x80\xAF\""),             /* and in three */
                                   ROW("\"\xF0\x80\x80\xAF\""),         /* and in four */
                                   ROW("\"\xE0\x9F\xBF\""),             /* U+07FF in three */
                                   ROW("\"\xF0\x8F\xBF\xBF\""),         /* U+FFFF in four */
                                   ROW("\"\xED\xA0\x80\""),             /* U+D800 */
                                   ROW("\"\xED\xBF\xBF\""),             /* U+DFFF */
                                   ROW("\"\xED\xA0\xBD\xED\xB8\x80\""), /* a pair of them */
                                   ROW("\"\xF4\x90\x80\x80\""),         /* U+110000 */
                                   ROW("\"\xF8\x88\x80\x80\x80\""),     /* five bytes */
                                   ROW("\"\xFC\x84\x80\x80\x80\x80\""), /* six */
                                   ROW("\"\xFE\""),
                                   ROW("\"\xFF\""),
                                   ROW("\"\x80\""),
                                   ROW("\"a\xBF"
                                       "b\""),
                                   ROW("\"\xC3\""), /* the quote is not what it lacks */
                                   ROW("\"\xE2\x82\""),
                                   ROW("\"\xF0\x9F\x98\""),
                                   ROW("\"\xC3"),
                                   ROW("\"\xE2\x82"),
                                   ROW("\"\xF0\x9F\x98"),
                                   ROW("\"\xE9\""), /* Latin-1 */
                                   ROW("{\"\xE9\":1}"),
                                   ROW("[\xC3\xA9]"),
                                   ROW("\"\xC3\xA9\xA9\"")};

    (void)state;
    EXPECT_ALL(bad, 0);
    assert_true(check(LITERAL("\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\"")));
    assert_true(check(LITERAL("\"\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"")));
}

static void test_C5_every_character_is_json(void **state)
{
    (void)state;
    for (uint32_t first = 0x20; first < 0x110000; first += 512) {
        static char text[4 * 512 + 2];
        size_t len = 1;
        text[0] = '"';
        for (uint32_t point = first; point < first + 512 && point < 0x110000; point++) {
            if (point == '"' || point == '\\' || (point >= 0xD800 && point <= 0xDFFF))
                continue;
            len += put_utf8(text + len, point);
        }
        text[len++] = '"';
        if (!check_bytes(text, len))
            fail_msg("from U+%04x on", (unsigned)first);
    }
}

/* ----------------------------------------------------------------------------------- structure */

static void test_C1_faulty_arrays_are_refused(void **state)
{
    static const bb_slice bad[] = {ROW("["),          ROW("]"),
                                   ROW("[1"),         ROW("[1,"),
                                   ROW("[,"),         ROW("[,1]"),
                                   ROW("[1,]"),       ROW("[1,,2]"),
                                   ROW("[,]"),        ROW("[1 2]"),
                                   ROW("[1;2]"),      ROW("[1:2]"),
                                   ROW("[\"a\":1]"),  ROW("[1]]"),
                                   ROW("[[1]"),       ROW("[1}"),
                                   ROW("[}"),         ROW("[1],"),
                                   ROW("[1],2"),      ROW("1,2"),
                                   ROW("[1][2]"),     ROW("[\"a\" \"b\"]"),
                                   ROW("[\"a\"1]"),   ROW("[*]"),
                                   ROW("[a]"),        ROW("[1/*c*/]"),
                                   ROW("[1]//c"),     ROW("#\n[1]"),
                                   ROW("[1,\n2,\n]"), ROW("(1)"),
                                   ROW("<null>"),     ROW("[<null>]"),
                                   ROW("[[],[]"),     ROW("[\"\x00\"]"),
                                   ROW("[1,\0]"),     ROW("[\"a]"),
                                   ROW("['a']"),      ROW("[{}"),
                                   ROW("[{]"),        ROW("[{]}"),
                                   ROW("[...]"),      ROW("[-]"),
                                   ROW("[1 true]"),   ROW("[[]1]"),
                                   ROW("[1[]]")};

    (void)state;
    EXPECT_ALL(bad, 0);
}

static void test_C1_faulty_objects_are_refused(void **state)
{
    static const bb_slice bad[] = {ROW("{"),
                                   ROW("}"),
                                   ROW("{]"),
                                   ROW("{\"a\""),
                                   ROW("{\"a\":"),
                                   ROW("{\"a\":1"),
                                   ROW("{\"a\":1,"),
                                   ROW("{\"a\"}"),
                                   ROW("{\"a\":}"),
                                   ROW("{:1}"),
                                   ROW("{,}"),
                                   ROW("{,\"a\":1}"),
                                   ROW("{\"a\":1,}"),
                                   ROW("{\"a\":1,,\"b\":2}"),
                                   ROW("{a:1}"),
                                   ROW("{'a':1}"),
                                   ROW("{1:1}"),
                                   ROW("{null:1}"),
                                   ROW("{[]:1}"),
                                   ROW("{{}:1}"),
                                   ROW("{\"a\" 1}"),
                                   ROW("{\"a\"=1}"),
                                   ROW("{\"a\"=>1}"),
                                   ROW("{\"a\"::1}"),
                                   ROW("{\"a\":1:2}"),
                                   ROW("{\"a\":1 \"b\":2}"),
                                   ROW("{\"a\":1;\"b\":2}"),
                                   ROW("{\"a\",1}"),
                                   ROW("{\"a\":1]"),
                                   ROW("{\"a\":1}}"),
                                   ROW("{\"a\":[}"),
                                   ROW("{\"a\":{}"),
                                   ROW("{\"a\":1}{\"b\":2}"),
                                   ROW("{\"a\":1},"),
                                   ROW("{\"a\":1}#"),
                                   ROW("{\"a\":1/**/}"),
                                   ROW("{/**/\"a\":1}"),
                                   ROW("{\"a\":\"b\"\"c\":1}"),
                                   ROW("{\"a\":1 b}"),
                                   ROW("{\"a\":a}"),
                                   ROW("{\"a\n\":1}"),
                                   ROW("{\"a\":'b'}"),
                                   ROW("{\"a\":1,\"b\"}"),
                                   ROW("{\"a\":1,2}"),
                                   ROW("{\"a\":1,\"b\":}"),
                                   ROW("{true}"),
                                   ROW("{\"a\":\"b\""),
                                   ROW("{\"a\":\"b"),
                                   ROW("{\"\\uD800\":1}"),
                                   ROW("{\"a\":,}"),
                                   ROW("{\"a\":1,null:2}"),
                                   ROW("{\"a\":\0}"),
                                   ROW("{\"a\"\0:1}"),
                                   ROW("{\0}")};

    (void)state;
    EXPECT_ALL(bad, 0);
}

/* --------------------------------------------------------------------------------------- depth */

static void test_C7_a_hundred_thousand_levels_are_json(void **state)
{
    enum { LEVELS = 100000 };
    static const char *const opens[] = {"[", "{\"a\":", "[[{\"a\":"};
    static const char *const closes[] = {"]", "}", "}]]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(opens); i++) {
        test_text b = {0};
        bb_json_facts facts;
        test_append_times(&b, opens[i], LEVELS);
        assert_false(check(built(&b)));
        test_append_text(&b, "1");
        assert_false(check(built(&b)));
        test_append_times(&b, closes[i], LEVELS - 1);
        assert_false(check(built(&b)));
        test_append_text(&b, closes[i]);
        assert_true(check_facts(built(&b), &facts));
        assert_int_equal(facts.depth, LEVELS * strlen(closes[i]));
        test_append_text(&b, closes[i]);
        assert_false(check(built(&b)));
        free(b.data);
    }
}

static void test_C7_depth_is_counted(void **state)
{
    static const struct {
        bb_slice text;
        size_t depth;
    } cases[] = {{ROW("1"), 0},       {ROW("[]"), 1},         {ROW("{}"), 1},
                 {ROW("[[],[]]"), 2}, {ROW("[[[]],[]]"), 3},  {ROW("[{\"a\":[]},1]"), 3},
                 {ROW("\"[[[\""), 0}, {ROW("{\"[[\":{}}"), 2}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bb_json_facts facts;
        assert_true(check_facts(cases[i].text, &facts));
        if (facts.depth != cases[i].depth)
            fail_msg("%s: %zu", cases[i].text.data, facts.depth);
    }
}

/* Every level knows whether it is an array or an object, below and above the first 512 too. */
static void test_C1_each_level_is_closed_by_its_own_bracket(void **state)
{
    enum { LEVELS = 1200 };
    uint64_t seed = 7;
    char kinds[LEVELS];
    test_text b = {0};
    size_t closers;

    (void)state;
    for (size_t i = 0; i < LEVELS; i++) {
        kinds[i] = test_random(&seed, 2) ? '}' : ']';
        test_append_text(&b, kinds[i] == '}' ? "{\"a\":" : "[");
    }
    test_append_text(&b, "1");
    closers = b.len;
    for (size_t i = LEVELS; i-- > 0;)
        test_append_bytes(&b, &kinds[i], 1);
    assert_true(check(built(&b)));
    for (size_t i = 0; i < LEVELS; i++) {
        char right = b.data[closers + i];
        b.data[closers + i] = right == '}' ? ']' : '}';
        if (check(built(&b)))
            fail_msg("level %zu", LEVELS - i);
        b.data[closers + i] = right;
    }
    free(b.data);
}

static void test_C7_running_out_of_memory_is_told_apart_from_faulty_json(void **state)
{
    char *open = repeat("[", 5000);
    test_text b = {0};
    unit_memory memory;
    bb_json_facts facts;
    size_t n = 1;

    (void)state;
    test_append_text(&b, open);
    test_append_times(&b, "]", 5000);
    unit_memory_init(&memory);
    for (;; n++) {
        unit_memory_fail(&memory, n, 0);
        if (bb_json_check(&memory.allocator, b.data, b.len, &facts))
            break;
        assert_true(facts.is_out_of_memory);
        unit_memory_check(&memory);
    }
    assert_true(n > 2); /* it failed before */
    assert_int_equal(facts.depth, 5000);
    unit_memory_check(&memory);
    unit_memory_fail(&memory, 0, 0);
    assert_false(bb_json_check(&memory.allocator, open, 5000, &facts));
    assert_false(facts.is_out_of_memory);
    unit_memory_check(&memory);
    free(open);
    free(b.data);
}

static void test_C7_no_memory_is_taken_for_512_levels(void **state)
{
    test_text b = {0};
    unit_memory memory;
    bb_json_facts facts;

    (void)state;
    test_append_times(&b, "[", 512);
    test_append_times(&b, "]", 512);
    unit_memory_init(&memory);
    unit_memory_fail(&memory, 1, 1);
    assert_true(bb_json_check(&memory.allocator, b.data, b.len, &facts));
    assert_int_equal(memory.calls, 0);
    free(b.data);
}

/* --------------------------------------------------------------------- a reference, and mutants */

static const char document[] =
    " {\"users\" : [ {\"external_id\":\"u-1\",\"name\":\"J\xC3\xBCrgen \xF0\x9F\x98\x80\","
    "\"email\":null, \"esc\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\","
    "\"n\":[0,-0,1.50,-2e10,3E-7,4.5e+6,12345678901234567890],\n\t\"t\":true,\"f\":false,"
    "\"o\":{\"\":{},\"a\":[]},\"plain text of more than eight bytes\":[[[\"x\"]]]}]\r\n}";

static void test_C1_every_prefix_of_a_document_is_refused(void **state)
{
    (void)state;
    assert_true(check(LITERAL(document)));
    for (size_t len = 0; len < sizeof document - 1; len++) {
        if (check_bytes(document, len))
            fail_msg("the first %zu bytes", len);
    }
}

/* A recursive reading of RFC 8259's grammar: the end of what is there, or NULL. */
static const char *ref_value(const char *p, const char *end);

static const char *ref_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

static const char *ref_char(const char *p, const char *end, char c)
{
    return p != NULL && p < end && *p == c ? p + 1 : NULL;
}

static int ref_unit(const char *p, const char *end)
{
    char digits[5] = "";

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 0; i < 4; i++) {
        if (!is_hex((unsigned char)p[2 + i]))
            return -1;
        digits[i] = p[2 + i];
    }
    return (int)strtol(digits, NULL, 16);
}

static const char *ref_string(const char *p, const char *end)
{
    const char *start;

    p = ref_char(p, end, '"');
    for (start = p; p != NULL && p < end && *p != '"';) {
        int unit;
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p != '\\') {
            p++;
            continue;
        }
        unit = ref_unit(p, end);
        if (unit >= 0xDC00 && unit <= 0xDFFF)
            return NULL;
        if (unit >= 0xD800 && unit <= 0xDBFF) {
            int low = ref_unit(p + 6, end);
            if (low < 0xDC00 || low > 0xDFFF)
                return NULL;
            p += 12;
        } else if (unit >= 0) {
            p += 6;
        } else if (end - p >= 2 && p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL) {
            p += 2;
        } else {
            return NULL;
        }
    }
    if (p == NULL || p >= end || !is_utf8(start, (size_t)(p - start)))
        return NULL;
    return p + 1;
}

static const char *ref_digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p > start ? p : NULL;
}

static const char *ref_number(const char *p, const char *end)
{
    if (p < end && *p == '-')
        p++;
    p = p < end && *p == '0' ? p + 1 : ref_digits(p, end);
    if (p != NULL && p < end && *p == '.')
        p = ref_digits(p + 1, end);
    if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = ref_digits(p, end);
    }
    return p;
}

static const char *ref_item(const char *p, const char *end, int is_object)
{
    if (is_object) {
        p = ref_string(ref_space(p, end), end);
        p = p == NULL ? NULL : ref_char(ref_space(p, end), end, ':');
    }
    p = p == NULL ? NULL : ref_value(ref_space(p, end), end);
    return p == NULL ? NULL : ref_space(p, end);
}

static const char *ref_container(const char *p, const char *end, int is_object)
{
    char close = is_object ? '}' : ']';
    const char *inside = ref_space(p + 1, end);

    if (inside < end && *inside == close)
        return inside + 1;
    for (p = inside;; p++) {
        p = ref_item(p, end, is_object);
        if (p == NULL || p >= end)
            return NULL;
        if (*p != ',')
            return *p == close ? p + 1 : NULL;
    }
}

static const char *ref_value(const char *p, const char *end)
{
    static const char *const words[] = {"true", "false", "null"};

    if (p >= end)
        return NULL;
    if (*p == '{' || *p == '[')
        return ref_container(p, end, *p == '{');
    if (*p == '"')
        return ref_string(p, end);
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(end - p) >= len && memcmp(p, words[i], len) == 0)
            return p + len;
    }
    return ref_number(p, end);
}

static int ref_check(const char *text, size_t len)
{
    const char *end = text + len;
    const char *p = ref_value(ref_space(text, end), end);

    return p != NULL && ref_space(p, end) == end;
}

static void test_C1_mutants_are_judged_as_by_a_second_reading_of_the_grammar(void **state)
{
    static const char bytes[] = "{}[]\",:\\ue0123456789dD8cCaA.-+ \n\t\x01\x7F\x80\xBF\xC3\xED\xA0";
    uint64_t seed = 42;
    size_t good = 0;
    char text[sizeof document + 8];

    (void)state;
    for (int round = 0; round < 200000; round++) {
        size_t len = sizeof document - 1;
        size_t changes = 1 + test_random(&seed, 3);
        int expected;
        memcpy(text, document, len);
        for (size_t i = 0; i < changes; i++) {
            size_t at = test_random(&seed, len);
            size_t kind = test_random(&seed, 3);
            if (kind == 0) {
                memmove(text + at, text + at + 1, --len - at);
            } else {
                if (kind == 1)
                    memmove(text + at + 1, text + at, len++ - at);
                text[at] = bytes[test_random(&seed, sizeof bytes)];
            }
        }
        expected = ref_check(text, len);
        good += (size_t)expected;
        if (check_bytes(text, len) != expected)
            fail_msg("expected %d: %.*s", expected, (int)len, text);
    }
    assert_in_range(good, 10000, 190000); /* both kinds occurred */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C1_every_kind_of_value_is_json),
        cmocka_unit_test(test_C1_no_text_is_no_json),
        cmocka_unit_test(test_C1_words_are_taken_by_the_letter),
        cmocka_unit_test(test_C1_numbers_are_json),
        cmocka_unit_test(test_C1_faulty_numbers_are_refused),
        cmocka_unit_test(test_C1_white_space_is_allowed_between_tokens),
        cmocka_unit_test(test_C1_other_white_space_is_refused),
        cmocka_unit_test(test_C1_byte_order_mark_is_refused),
        cmocka_unit_test(test_C1_every_byte_in_an_array),
        cmocka_unit_test(test_C1_nothing_but_white_space_may_follow),
        cmocka_unit_test(test_C1_every_byte_in_a_string),
        cmocka_unit_test(test_C1_every_byte_after_a_backslash),
        cmocka_unit_test(test_C1_every_byte_as_a_hexadecimal_digit),
        cmocka_unit_test(test_C1_faulty_strings_are_refused),
        cmocka_unit_test(test_C1_strings_of_every_length_end_where_they_end),
        cmocka_unit_test(test_C1_faults_are_seen_at_every_place_of_a_string),
        cmocka_unit_test(test_C5_every_escaped_unit_but_a_lone_surrogate_is_json),
        cmocka_unit_test(test_C5_a_high_surrogate_needs_a_low_one),
        cmocka_unit_test(test_C5_broken_surrogate_pairs_are_refused),
        cmocka_unit_test(test_C5_escaped_NUL_is_noticed_wherever_it_stands),
        cmocka_unit_test(test_C5_sequences_of_two_and_three_bytes),
        cmocka_unit_test(test_C5_sequences_of_four_bytes),
        cmocka_unit_test(test_C5_faulty_utf8_is_refused),
        cmocka_unit_test(test_C5_every_character_is_json),
        cmocka_unit_test(test_C1_faulty_arrays_are_refused),
        cmocka_unit_test(test_C1_faulty_objects_are_refused),
        cmocka_unit_test(test_C7_a_hundred_thousand_levels_are_json),
        cmocka_unit_test(test_C7_depth_is_counted),
        cmocka_unit_test(test_C1_each_level_is_closed_by_its_own_bracket),
        cmocka_unit_test(test_C7_running_out_of_memory_is_told_apart_from_faulty_json),
        cmocka_unit_test(test_C7_no_memory_is_taken_for_512_levels),
        cmocka_unit_test(test_C1_every_prefix_of_a_document_is_refused),
        cmocka_unit_test(test_C1_mutants_are_judged_as_by_a_second_reading_of_the_grammar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
