/*
 * json_check.c: whether bytes are JSON (C1): RFC 8259 in UTF-8 and nothing else, by the letter.
 *
 * One pass without recursion: what is open is a bit a level, array or object.
 */
#include "json_check.h"

#include <stdint.h>
#include <string.h>

#include "json_scan.h"

enum { FIRST_LEVELS = 512 };

typedef struct checker {
    const char *at;
    const char *end;
    bb_json_facts *facts;
    size_t depth;
    uint8_t *levels; /* a bit a level: 1 for an object */
    size_t capacity; /* levels that fit */
    uint8_t first_levels[FIRST_LEVELS / 8];
    const bb_allocator *allocator;
} checker;

/* The next byte, or 0, which is no part of any grammar rule, at the end. */
static unsigned char peek(const checker *c)
{
    return c->at < c->end ? (unsigned char)*c->at : 0;
}

static void skip_space(checker *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

static int grow(checker *c)
{
    size_t bytes = c->capacity / 8;
    uint8_t *levels;

    if (c->levels == c->first_levels) {
        levels = bb_alloc(c->allocator, bytes * 2);
        if (levels != NULL)
            memcpy(levels, c->levels, bytes);
    } else {
        levels = bb_realloc(c->allocator, c->levels, bytes, bytes * 2);
    }
    if (levels == NULL) {
        c->facts->is_out_of_memory = 1;
        return 0;
    }
    c->levels = levels;
    c->capacity *= 2;
    return 1;
}

static int push(checker *c, int is_object)
{
    uint8_t bit = (uint8_t)(1u << (c->depth % 8));

    if (c->depth == c->capacity && !grow(c))
        return 0;
    if (is_object)
        c->levels[c->depth / 8] |= bit;
    else
        c->levels[c->depth / 8] &= (uint8_t)~bit;
    c->depth++;
    if (c->depth > c->facts->depth)
        c->facts->depth = c->depth;
    return 1;
}

static int in_object(const checker *c)
{
    return c->levels[(c->depth - 1) / 8] >> ((c->depth - 1) % 8) & 1;
}

/* One UTF-8 sequence of two to four bytes; the ranges are those of RFC 3629, section 4. */
static int check_utf8(checker *c)
{
    const unsigned char *p = (const unsigned char *)c->at;
    size_t left = (size_t)(c->end - c->at);
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t len;

    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        len = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        len = 3;
        low = p[0] == 0xE0 ? 0xA0 : 0x80;
        high = p[0] == 0xED ? 0x9F : 0xBF;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        len = 4;
        low = p[0] == 0xF0 ? 0x90 : 0x80;
        high = p[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    }
    c->at += len;
    return 1;
}

/* The value of four hexadecimal digits, or -1. */
static int32_t read_hex4(checker *c)
{
    int32_t value = 0;

    if (c->end - c->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned char d = (unsigned char)*c->at++;
        if (d >= '0' && d <= '9')
            value = value * 16 + (d - '0');
        else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
            value = value * 16 + ((d | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* What follows a backslash. */
static int check_escape(checker *c)
{
    unsigned char kind = peek(c);
    int32_t unit;

    if (kind == 0 || strchr("\"\\/bfnrtu", kind) == NULL)
        return 0;
    c->at++;
    if (kind != 'u')
        return 1;
    unit = read_hex4(c);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return 0;
    if (unit == 0)
        c->facts->has_nul = 1;
    if (unit < 0xD800 || unit > 0xDBFF)
        return 1;
    if (c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u')
        return 0;
    c->at += 2;
    unit = read_hex4(c);
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static int check_string(checker *c)
{
    if (peek(c) != '"')
        return 0;
    c->at++;
    for (;;) {
        unsigned char byte;
        c->at = bb_json_skip_plain(c->at, c->end);
        byte = peek(c);
        if (byte == '"') {
            c->at++;
            return 1;
        }
        if (byte == '\\') {
            c->at++;
            if (!check_escape(c))
                return 0;
        } else if (byte < 0x80 || !check_utf8(c)) {
            return 0;
        }
    }
}

/* One digit or more. */
static int check_digits(checker *c)
{
    const char *start = c->at;

    while (peek(c) >= '0' && peek(c) <= '9')
        c->at++;
    return c->at > start;
}

static int check_number(checker *c)
{
    if (peek(c) == '-')
        c->at++;
    if (peek(c) == '0')
        c->at++;
    else if (!check_digits(c))
        return 0;
    if (peek(c) == '.') {
        c->at++;
        if (!check_digits(c))
            return 0;
    }
    if ((peek(c) | 0x20) == 'e') {
        c->at++;
        if (peek(c) == '+' || peek(c) == '-')
            c->at++;
        if (!check_digits(c))
            return 0;
    }
    return 1;
}

static int check_word(checker *c, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return 0;
    c->at += len;
    return 1;
}

static int check_scalar(checker *c)
{
    switch (peek(c)) {
    case '"':
        return check_string(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        return check_number(c);
    }
}

/* A member's name and its colon. */
static int check_name(checker *c)
{
    if (!check_string(c))
        return 0;
    skip_space(c);
    if (peek(c) != ':')
        return 0;
    c->at++;
    return 1;
}

/* Opens arrays and objects until something else comes. Returns 1 if a value has ended, 0 if one is
 * expected next, -1 for a fault. */
static int open_value(checker *c)
{
    unsigned char kind = peek(c);

    if (kind != '{' && kind != '[')
        return check_scalar(c) ? 1 : -1;
    if (!push(c, kind == '{'))
        return -1;
    c->at++;
    skip_space(c);
    if (peek(c) == (kind == '{' ? '}' : ']')) {
        c->at++;
        c->depth--;
        return 1;
    }
    if (kind == '{' && !check_name(c))
        return -1;
    return 0;
}

/* After a value: closes what ends here. Returns 1 if all has ended, 0 if another value is expected,
 * -1 for a fault. */
static int close_values(checker *c)
{
    for (;;) {
        int is_object;
        skip_space(c);
        if (c->depth == 0)
            return c->at == c->end ? 1 : -1;
        is_object = in_object(c);
        if (peek(c) == ',') {
            c->at++;
            skip_space(c);
            return is_object && !check_name(c) ? -1 : 0;
        }
        if (peek(c) != (is_object ? '}' : ']'))
            return -1;
        c->at++;
        c->depth--;
    }
}

static int check_text(checker *c)
{
    for (;;) {
        int step;
        skip_space(c);
        step = open_value(c);
        if (step == 1)
            step = close_values(c);
        if (step != 0)
            return step == 1;
    }
}

int bb_json_check(const bb_allocator *allocator, const char *text, size_t len, bb_json_facts *facts)
{
    checker c;
    int is_json;

    memset(facts, 0, sizeof *facts);
    if (len == 0)
        return 0;
    c.at = text;
    c.end = text + len;
    c.facts = facts;
    c.depth = 0;
    c.levels = c.first_levels;
    c.capacity = FIRST_LEVELS;
    c.allocator = allocator;
    memset(c.first_levels, 0, sizeof c.first_levels);
    is_json = check_text(&c);
    if (c.levels != c.first_levels)
        bb_free(allocator, c.levels);
    return is_json;
}
