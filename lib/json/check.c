/*
 * check.c: whether bytes are JSON (C1, C5): RFC 8259 in UTF-8 and nothing else, by the letter.
 *
 * One pass without recursion: each open level is a bit, for array or object. The functions that
 * check something take the place where it begins and return the byte after it, or NULL for a fault.
 */
#include "json/check.h"

#include <string.h>

#include "json/scan.h"

typedef bb_json_checker checker;

/* The byte there; at the end 0, which no grammar rule contains. */
static unsigned char byte_at(const checker *c, const char *at)
{
    return at < c->end ? (unsigned char)*at : 0;
}

/* ------------------------------------------------------------------------------- what is open */

static int grow(checker *c)
{
    size_t bytes = c->capacity / 8;
    uint8_t *levels;

    if (c->levels == c->first_levels) {
        levels = bb_alloc(&c->allocator, bytes * 2);
        if (levels != NULL)
            memcpy(levels, c->levels, bytes);
    } else {
        levels = bb_realloc(&c->allocator, c->levels, bytes, bytes * 2);
    }
    if (levels == NULL) {
        c->facts.is_out_of_memory = 1;
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
    if (c->depth > c->facts.depth)
        c->facts.depth = c->depth;
    return 1;
}

static int in_object(const checker *c)
{
    return c->levels[(c->depth - 1) / 8] >> ((c->depth - 1) % 8) & 1;
}

/* ------------------------------------------------------------------------------------ strings */

/* One UTF-8 sequence of two to four bytes; the ranges are those of RFC 3629, section 4. */
static const char *check_utf8(const checker *c, const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
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
        return NULL;
    }
    if ((size_t)(c->end - at) < len || p[1] < low || p[1] > high)
        return NULL;
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF)
            return NULL;
    }
    return at + len;
}

/* The value of four hexadecimal digits, or -1. */
static int32_t hex4_at(const checker *c, const char *at)
{
    int32_t value = 0;

    if (c->end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned char d = (unsigned char)at[i];
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
static const char *check_escape(checker *c, const char *at)
{
    unsigned char kind = byte_at(c, at);
    int32_t unit;

    if (kind == 0 || strchr("\"\\/bfnrtu", kind) == NULL)
        return NULL;
    at++;
    if (kind != 'u')
        return at;
    unit = hex4_at(c, at);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return NULL;
    if (unit == 0)
        c->facts.has_nul = 1;
    at += 4;
    if (unit < 0xD800 || unit > 0xDBFF)
        return at;
    if (c->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return NULL;
    unit = hex4_at(c, at + 2);
    return unit >= 0xDC00 && unit <= 0xDFFF ? at + 6 : NULL;
}

static const char *check_string(checker *c, const char *at)
{
    if (byte_at(c, at) != '"')
        return NULL;
    at++;
    for (;;) {
        unsigned char byte;
        at = bb_json_skip_plain(at, c->end);
        byte = byte_at(c, at);
        if (byte == '"')
            return at + 1;
        if (byte == '\\')
            at = check_escape(c, at + 1);
        else
            at = byte >= 0x80 ? check_utf8(c, at) : NULL;
        if (at == NULL)
            return NULL;
    }
}

/* -------------------------------------------------------------------------- numbers and words */

/* One digit or more. */
static const char *check_digits(const checker *c, const char *at)
{
    const char *start = at;

    while (at < c->end && *at >= '0' && *at <= '9')
        at++;
    return at > start ? at : NULL;
}

static const char *check_number(const checker *c, const char *at)
{
    if (byte_at(c, at) == '-')
        at++;
    at = byte_at(c, at) == '0' ? at + 1 : check_digits(c, at);
    if (at != NULL && byte_at(c, at) == '.')
        at = check_digits(c, at + 1);
    if (at != NULL && (byte_at(c, at) | 0x20) == 'e') {
        at++;
        if (byte_at(c, at) == '+' || byte_at(c, at) == '-')
            at++;
        at = check_digits(c, at);
    }
    return at;
}

static const char *check_word(const checker *c, const char *at, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(c->end - at) >= len && memcmp(at, word, len) == 0 ? at + len : NULL;
}

static const char *check_scalar(checker *c, const char *at)
{
    switch (byte_at(c, at)) {
    case '"':
        return check_string(c, at);
    case 't':
        return check_word(c, at, "true");
    case 'f':
        return check_word(c, at, "false");
    case 'n':
        return check_word(c, at, "null");
    default:
        return check_number(c, at);
    }
}

/* ------------------------------------------------------------------------- arrays and objects */

/* A member's name and its colon. */
static const char *check_name(checker *c, const char *at)
{
    at = check_string(c, at);
    if (at == NULL)
        return NULL;
    at = bb_json_skip_space(at, c->end);
    return byte_at(c, at) == ':' ? at + 1 : NULL;
}

/* After a value: closes the levels that end here, down to `outer`. If the depth is still greater,
 * another value is expected. */
static const char *close_values(checker *c, const char *at, size_t outer)
{
    while (c->depth > outer) {
        int is_object = in_object(c);
        at = bb_json_skip_space(at, c->end);
        if (byte_at(c, at) == ',') {
            at = bb_json_skip_space(at + 1, c->end);
            return is_object ? check_name(c, at) : at;
        }
        if (byte_at(c, at) != (is_object ? '}' : ']'))
            return NULL;
        at++;
        c->depth--;
    }
    return at;
}

/* A value and all that is in it. */
static const char *check_value(checker *c, const char *at)
{
    size_t outer = c->depth;

    do {
        unsigned char kind;
        at = bb_json_skip_space(at, c->end);
        kind = byte_at(c, at);
        if (kind == '{' || kind == '[') {
            if (!push(c, kind == '{'))
                return NULL;
            at = bb_json_skip_space(at + 1, c->end);
            if (byte_at(c, at) != (kind == '{' ? '}' : ']')) {
                at = kind == '{' ? check_name(c, at) : at;
                continue;
            }
        } else {
            at = check_scalar(c, at);
        }
        if (at != NULL)
            at = close_values(c, at, outer);
    } while (at != NULL && c->depth > outer);
    return at;
}

/* -------------------------------------------------------------------------------- step by step */

void bb_json_checker_init(bb_json_checker *c, const bb_allocator *allocator, bb_slice text)
{
    memset(c, 0, sizeof *c);
    c->at = text.data;
    c->end = text.data + text.len;
    c->levels = c->first_levels;
    c->capacity = BB_JSON_FIRST_LEVELS;
    c->allocator = *allocator;
}

void bb_json_checker_free(bb_json_checker *c)
{
    if (c->levels != c->first_levels)
        bb_free(&c->allocator, c->levels);
}

char bb_json_checker_peek(bb_json_checker *c)
{
    c->at = bb_json_skip_space(c->at, c->end);
    return c->at < c->end ? *c->at : '\0';
}

int bb_json_checker_value(bb_json_checker *c, bb_slice *value)
{
    const char *start = bb_json_skip_space(c->at, c->end);
    const char *end = check_value(c, start);

    if (end == NULL)
        return 0;
    value->data = start;
    value->len = (size_t)(end - start);
    c->at = end;
    return 1;
}

int bb_json_checker_enter(bb_json_checker *c)
{
    c->is_first = 1;
    return push(c, *c->at++ == '{');
}

bb_json_step bb_json_checker_next(bb_json_checker *c, bb_slice *name)
{
    int is_object = in_object(c);
    char next = bb_json_checker_peek(c);
    int is_first = c->is_first;

    c->is_first = 0;
    if (next == (is_object ? '}' : ']')) {
        c->at++;
        c->depth--;
        return BB_JSON_END;
    }
    if (!is_first && next != ',')
        return BB_JSON_FAULT;
    if (!is_first)
        c->at = bb_json_skip_space(c->at + 1, c->end);
    if (is_object) {
        name->data = c->at;
        c->at = check_string(c, c->at);
        if (c->at == NULL)
            return BB_JSON_FAULT;
        name->len = (size_t)(c->at - name->data);
        if (bb_json_checker_peek(c) != ':')
            return BB_JSON_FAULT;
        c->at++;
    }
    return BB_JSON_MORE;
}

int bb_json_checker_at_end(bb_json_checker *c)
{
    return bb_json_skip_space(c->at, c->end) == c->end;
}

int bb_json_check(const bb_allocator *allocator, const char *text, size_t len, bb_json_facts *facts)
{
    bb_slice whole = {text, len};
    bb_json_checker c;
    bb_slice value;
    int is_json;

    memset(facts, 0, sizeof *facts);
    if (len == 0)
        return 0;
    bb_json_checker_init(&c, allocator, whole);
    is_json = bb_json_checker_value(&c, &value) && bb_json_checker_at_end(&c);
    *facts = c.facts;
    bb_json_checker_free(&c);
    return is_json;
}

int bb_json_check_text(bb_slice text)
{
    const checker c = {.end = text.data + text.len};
    const char *at = text.data;

    while (at != NULL && at < c.end) {
        at = bb_json_skip_plain(at, c.end);
        if (at < c.end)
            at = (unsigned char)*at >= 0x80 ? check_utf8(&c, at) : at + 1;
    }
    return at == c.end;
}
