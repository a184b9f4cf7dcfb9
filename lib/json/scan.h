/*
 * scan.h: skips JSON text that needs no attention; eight bytes at a time inside a string.
 */
#ifndef BB_JSON_SCAN_H
#define BB_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BB_JSON_ONES  UINT64_C(0x0101010101010101)
#define BB_JSON_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t bb_json_load8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

/* Not 0 if one of the eight bytes is `byte`: the classic test for a zero byte, on the difference.
 */
static inline uint64_t bb_json_has_byte(uint64_t word, unsigned char byte)
{
    uint64_t zeroed = word ^ (BB_JSON_ONES * byte);

    return (zeroed - BB_JSON_ONES) & ~zeroed & BB_JSON_HIGHS;
}

/* Not 0 if one of the eight bytes is below 0x20 (and below 0x80). */
static inline uint64_t bb_json_has_control(uint64_t word)
{
    return (word - BB_JSON_ONES * 0x20) & ~word & BB_JSON_HIGHS;
}

/* The index, in memory order, of the first byte that a mask of the tests above marks. The tests may
 * mark bytes wrongly, but only after one that they mark rightly, so the first is always right. On
 * big-endian machines, where the first is not at the low end, it returns 0, and the caller searches
 * byte by byte. */
static inline size_t bb_json_first_marked(uint64_t mask)
{
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(mask) / 8;
#else
    (void)mask;
    return 0;
#endif
}

/* The first byte from `p` on that is not plain ASCII text: a quote, a backslash, a control
 * character, or a byte of a longer UTF-8 sequence; `end` if there is none. */
static inline const char *bb_json_skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word = bb_json_load8(p);
        uint64_t mask = (word & BB_JSON_HIGHS) | bb_json_has_control(word) |
                        bb_json_has_byte(word, '"') | bb_json_has_byte(word, '\\');
        if (mask != 0) {
            p += bb_json_first_marked(mask);
            break;
        }
        p += 8;
    }
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
        p++;
    }
    return p;
}

/* The first byte from `p` on that must be escaped in a JSON string: a quote, a backslash, or a
 * control character; `end` if there is none. */
static inline const char *bb_json_skip_unescaped(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word = bb_json_load8(p);
        uint64_t mask =
            bb_json_has_control(word) | bb_json_has_byte(word, '"') | bb_json_has_byte(word, '\\');
        if (mask != 0) {
            p += bb_json_first_marked(mask);
            break;
        }
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* The first quote or backslash from `p` on; `end` if there is none. */
static inline const char *bb_json_skip_to_quote(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word = bb_json_load8(p);
        uint64_t mask = bb_json_has_byte(word, '"') | bb_json_has_byte(word, '\\');
        if (mask != 0) {
            p += bb_json_first_marked(mask);
            break;
        }
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* The byte after the string that begins at `p`; tells whether it has escapes. */
static inline const char *bb_json_string_end(const char *p, const char *end, int *is_escaped)
{
    p = bb_json_skip_to_quote(p + 1, end);
    *is_escaped = p < end && *p == '\\';
    while (p < end && *p == '\\') {
        if (end - p < 2)
            return end;
        p = bb_json_skip_to_quote(p + 2, end);
    }
    return p < end ? p + 1 : end;
}

/* The first byte from `at` on that is not white space; `end` if there is none. */
static inline const char *bb_json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

#endif
