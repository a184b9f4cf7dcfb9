/*
 * json.c: the tests' own reader of JSON, which keeps every number's text and members' order.
 */
#include "support/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *at;
    const char *end;
} reader;

static json *read_value(reader *r);

/* ------------------------------------------------------------------------------------- reading */

static void skip_space(reader *r)
{
    while (r->at < r->end && memchr(" \t\r\n", *r->at, 4) != NULL)
        r->at++;
}

static int take(reader *r, char wanted)
{
    skip_space(r);
    if (r->at == r->end || *r->at != wanted)
        return 0;
    r->at++;
    return 1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The four digits after \u, or -1. */
static long read_unit(reader *r)
{
    long unit = 0;

    if (r->end - r->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(*r->at++);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static char *put_point(char *to, unsigned long point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    }
    return to;
}

/* Decodes what follows a backslash; NULL if that is no escape. */
static char *read_escape(reader *r, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *found = r->at < r->end ? memchr(from, *r->at, sizeof from - 1) : NULL;
    long unit, low;

    if (found != NULL) {
        r->at++;
        *to++ = into[found - from];
        return to;
    }
    if (r->at == r->end || *r->at++ != 'u' || (unit = read_unit(r)) < 0)
        return NULL;
    if (unit < 0xd800 || unit > 0xdfff)
        return put_point(to, (unsigned long)unit);
    if (unit > 0xdbff || r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
        return NULL;
    r->at += 2;
    low = read_unit(r);
    if (low < 0xdc00 || low > 0xdfff)
        return NULL;
    return put_point(to, 0x10000ul + ((unsigned long)(unit - 0xd800) << 10) +
                             (unsigned long)(low - 0xdc00));
}

/* How many bytes are left before the quote that ends the string. */
static size_t span_of_string(const reader *r)
{
    const char *at = r->at;

    while (at < r->end && *at != '"')
        at += *at == '\\' && at + 1 < r->end ? 2 : 1;
    return (size_t)(at - r->at);
}

/* A string, decoded, with a NUL after it; its opening quote is taken already. What is decoded is
 * never longer than what was written. */
static char *read_string(reader *r, size_t *len)
{
    char *text = malloc(span_of_string(r) + 1);
    char *to = text;

    while (to != NULL && r->at < r->end && *r->at != '"') {
        if ((unsigned char)*r->at < 0x20)
            to = NULL;
        else if (*r->at != '\\')
            *to++ = *r->at++;
        else
            r->at++, to = read_escape(r, to);
    }
    if (to == NULL || r->at == r->end) {
        free(text);
        return NULL;
    }
    r->at++;
    *to = '\0';
    *len = (size_t)(to - text);
    return text;
}

static int read_members(reader *r, json *parent, char close)
{
    json **link = &parent->child;

    if (take(r, close))
        return 1;
    do {
        char *name = NULL;
        size_t name_len = 0;
        if (close == '}') {
            name = take(r, '"') ? read_string(r, &name_len) : NULL;
            if (name == NULL || !take(r, ':')) {
                free(name);
                return 0;
            }
        }
        *link = read_value(r);
        if (*link == NULL) {
            free(name);
            return 0;
        }
        (*link)->name = name;
        (*link)->name_len = name_len;
        link = &(*link)->next;
    } while (take(r, ','));
    return take(r, close);
}

static size_t skip_digits(reader *r)
{
    const char *start = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - start);
}

static int read_number(reader *r, json *value)
{
    const char *start = r->at;
    int ok;

    if (r->at < r->end && *r->at == '-')
        r->at++;
    if (r->at < r->end && *r->at == '0')
        r->at++, ok = 1;
    else
        ok = skip_digits(r) > 0;
    if (ok && r->at < r->end && *r->at == '.')
        r->at++, ok = skip_digits(r) > 0;
    if (ok && r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        ok = skip_digits(r) > 0;
    }
    value->kind = JSON_NUMBER;
    value->len = (size_t)(r->at - start);
    value->text = ok ? strndup(start, value->len) : NULL;
    return value->text != NULL;
}

static int read_word(reader *r, json *value)
{
    static const char *const words[] = {"null", "false", "true"};

    for (int i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(r->end - r->at) >= len && memcmp(r->at, words[i], len) == 0) {
            r->at += len;
            value->kind = (json_kind)i;
            return 1;
        }
    }
    return read_number(r, value);
}

static json *read_value(reader *r)
{
    json *value = calloc(1, sizeof *value);
    int ok;

    if (value == NULL)
        return NULL;
    if (take(r, '{')) {
        value->kind = JSON_OBJECT;
        ok = read_members(r, value, '}');
    } else if (take(r, '[')) {
        value->kind = JSON_ARRAY;
        ok = read_members(r, value, ']');
    } else if (take(r, '"')) {
        value->kind = JSON_STRING;
        value->text = read_string(r, &value->len);
        ok = value->text != NULL;
    } else {
        ok = read_word(r, value);
    }
    if (!ok) {
        json_free(value);
        return NULL;
    }
    return value;
}

json *json_parse(const char *text, size_t len, size_t *error_at)
{
    reader r = {text, text + len};
    json *value = read_value(&r);

    skip_space(&r);
    if (value != NULL && r.at != r.end) {
        json_free(value);
        value = NULL;
    }
    if (error_at != NULL)
        *error_at = (size_t)(r.at - text);
    return value;
}

void json_free(json *value)
{
    while (value != NULL) {
        json *next = value->next;
        json_free(value->child);
        free(value->name);
        free(value->text);
        free(value);
        value = next;
    }
}

/* ------------------------------------------------------------------------------------- looking */

const json *json_member(const json *object, const char *name)
{
    size_t len = strlen(name);

    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (const json *at = object->child; at != NULL; at = at->next) {
        if (at->name_len == len && memcmp(at->name, name, len) == 0)
            return at;
    }
    return NULL;
}

size_t json_count(const json *value)
{
    size_t count = 0;

    for (const json *at = value != NULL ? value->child : NULL; at != NULL; at = at->next)
        count++;
    return count;
}

const json *json_at(const json *value, size_t index)
{
    const json *at = value != NULL ? value->child : NULL;

    while (at != NULL && index-- > 0)
        at = at->next;
    return at;
}

int json_is_text(const json *value, const char *text)
{
    return value != NULL && value->kind == JSON_STRING && value->len == strlen(text) &&
           memcmp(value->text, text, value->len) == 0;
}

const char *json_text(const json *object, const char *name, const char *otherwise)
{
    const json *value = json_member(object, name);

    return value != NULL && value->kind == JSON_STRING ? value->text : otherwise;
}

int64_t json_integer(const json *object, const char *name, int64_t otherwise)
{
    const json *value = json_member(object, name);

    return value != NULL && value->kind == JSON_NUMBER ? strtoll(value->text, NULL, 10) : otherwise;
}

/* ----------------------------------------------------------------------------------- comparing */

/* A number as 0.DIGITS times ten to the power of `exponent`, without zeros at either end. */
typedef struct decimal {
    int negative;
    char *digits;
    size_t count;
    long exponent;
} decimal;

static int read_decimal(const char *text, decimal *number)
{
    int point_seen = 0;

    memset(number, 0, sizeof *number);
    number->digits = malloc(strlen(text) + 1);
    if (number->digits == NULL)
        return -1;
    if (*text == '-')
        number->negative = 1, text++;
    for (; *text != '\0' && *text != 'e' && *text != 'E'; text++) {
        if (*text == '.') {
            point_seen = 1;
        } else if (*text == '0' && number->count == 0) {
            number->exponent -= point_seen; /* a zero before the first digit */
        } else {
            number->digits[number->count++] = *text;
            number->exponent += !point_seen;
        }
    }
    if (*text != '\0')
        number->exponent += strtol(text + 1, NULL, 10);
    while (number->count > 0 && number->digits[number->count - 1] == '0')
        number->count--;
    if (number->count == 0)
        number->negative = 0, number->exponent = 0;
    return 0;
}

int json_is_same_number(const char *a, const char *b)
{
    decimal left, right;
    int same;

    if (read_decimal(a, &left) != 0)
        return 0;
    if (read_decimal(b, &right) != 0) {
        free(left.digits);
        return 0;
    }
    same = left.negative == right.negative && left.count == right.count &&
           left.exponent == right.exponent && memcmp(left.digits, right.digits, left.count) == 0;
    free(left.digits);
    free(right.digits);
    return same;
}

int json_is_same(const json *a, const json *b)
{
    const json *left, *right;

    if (a == NULL || b == NULL || a->kind != b->kind || json_count(a) != json_count(b))
        return 0;
    if (a->kind == JSON_NUMBER)
        return json_is_same_number(a->text, b->text);
    if (a->kind == JSON_STRING)
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    left = a->child;
    right = b->child;
    for (; left != NULL; left = left->next) {
        if (a->kind == JSON_OBJECT)
            right = json_member(b, left->name);
        if (!json_is_same(left, right))
            return 0;
        right = right->next;
    }
    return 1;
}

/* ------------------------------------------------------------------------------------ printing */

typedef struct printer {
    char *to;
    size_t size;
    size_t len;
} printer;

static void print_char(printer *p, char c)
{
    if (p->len < p->size)
        p->to[p->len] = c;
    p->len++;
}

static void print_string(printer *p, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";

    print_char(p, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            print_char(p, '\\');
        if (c >= 0x20) {
            print_char(p, text[i]);
            continue;
        }
        for (const char *start = "\\u00"; *start != '\0'; start++)
            print_char(p, *start);
        print_char(p, hex[c >> 4]);
        print_char(p, hex[c & 15]);
    }
    print_char(p, '"');
}

static void print_value(printer *p, const json *value)
{
    static const char *const words[] = {"null", "false", "true"};
    const char *word = value->kind <= JSON_TRUE ? words[value->kind] : value->text;

    if (value->kind == JSON_STRING) {
        print_string(p, value->text, value->len);
    } else if (value->kind == JSON_ARRAY || value->kind == JSON_OBJECT) {
        print_char(p, value->kind == JSON_ARRAY ? '[' : '{');
        for (const json *at = value->child; at != NULL; at = at->next) {
            if (at->name != NULL) {
                print_string(p, at->name, at->name_len);
                print_char(p, ':');
            }
            print_value(p, at);
            if (at->next != NULL)
                print_char(p, ',');
        }
        print_char(p, value->kind == JSON_ARRAY ? ']' : '}');
    } else {
        while (*word != '\0')
            print_char(p, *word++);
    }
}

size_t json_print(const json *value, char *to, size_t size)
{
    printer p = {to, size, 0};

    print_value(&p, value);
    return p.len;
}
