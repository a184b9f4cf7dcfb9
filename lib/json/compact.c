/*
 * compact.c: a JSON value as it is stored: the client's own text, without what means nothing.
 */
#include "json/compact.h"

#include <string.h>

/* Zero may have exponents up to this one where numbers are limited. */
enum { MOST_EXPONENT = 1000000000 };

/* --------------------------------------------------------------------------------- compacting */

/* The value as it was sent is its own copy until something in it has to go. */
typedef struct compactor {
    bb_json_members *members;
    const char *at; /* what is read next */
    const char *end;
    const char *run;    /* what was read from here on is not in the copy yet */
    char *copy;         /* NULL until it is needed; never longer than the value */
    size_t len;         /* of the copy */
    size_t safe_digits; /* a number of so many bytes, without exponent, is within the limits */
    int is_suspect;
    int is_out_of_memory;
} compactor;

static int32_t compact_value(compactor *c);

/* Moves what was read to the copy, and goes on reading at `next`. Names that must be decoded go to
 * the arena too, so nothing of the copy can be trimmed at the end. */
static void copy_run(compactor *c, const char *next)
{
    size_t len = (size_t)(c->at - c->run);

    if (c->copy == NULL && !c->is_out_of_memory)
        c->copy = bb_arena_alloc_bytes(c->members->arena, c->len + (size_t)(c->end - c->run));
    if (c->copy == NULL)
        c->is_out_of_memory = 1;
    else
        memcpy(c->copy + c->len, c->run, len);
    c->len += len;
    c->at = next;
    c->run = next;
}

/* Most values come without white space. */
static inline void skip_space(compactor *c)
{
    if (c->at < c->end && (unsigned char)*c->at <= ' ')
        copy_run(c, bb_json_skip_space(c->at, c->end));
}

static char next_byte(const compactor *c)
{
    return c->at < c->end ? *c->at : '\0';
}

/* How much the copy would have of what was read. */
static size_t length_so_far(const compactor *c)
{
    return c->len + (size_t)(c->at - c->run);
}

static void compact_string(compactor *c)
{
    bb_slice string = {c->at, 0};
    int is_escaped;

    c->at = bb_json_string_end(c->at, c->end, &is_escaped);
    string.len = (size_t)(c->at - string.data);
    if (is_escaped && bb_json_has_nul(string))
        c->is_suspect = 1;
}

static void compact_scalar(compactor *c)
{
    const char *start = c->at;
    size_t len;

    c->at = bb_json_skip_value(start, c->end);
    len = (size_t)(c->at - start);
    if (bb_json_type_of(*start) == BB_JSON_NUMBER &&
        (len > c->safe_digits || memchr(start, 'e', len) != NULL ||
         memchr(start, 'E', len) != NULL))
        c->is_suspect = 1;
}

/* Closes up the copy of an object over the members that were dropped from it. */
static void close_up(compactor *c, size_t first)
{
    const bb_json_member *list = c->members->list;
    size_t count = c->members->count;
    char *begin;
    char *to;

    copy_run(c, c->at);
    if (c->copy == NULL)
        return;
    begin = c->copy + list[first].at;
    to = begin;
    for (size_t i = first; i < count; i++) {
        size_t until = i + 1 < count ? list[i + 1].at - 1 : c->len;
        size_t len = until - list[i].at;
        if (list[i].name.data == NULL)
            continue;
        if (to != begin)
            *to++ = ',';
        memmove(to, c->copy + list[i].at, len);
        to += len;
    }
    c->len = (size_t)(to - c->copy);
}

static int32_t compact_member(compactor *c)
{
    bb_slice name = {c->at, 0};
    size_t place = length_so_far(c);

    compact_string(c);
    name.len = (size_t)(c->at - name.data);
    if (bb_json_members_push(c->members, name, place) != BB_OK)
        return BB_ERR_NOMEM;
    skip_space(c);
    if (next_byte(c) == ':')
        c->at++;
    skip_space(c);
    return compact_value(c);
}

static int32_t compact_object(compactor *c)
{
    size_t first = c->members->count;
    int repeated = 0;
    int32_t code;

    c->at++;
    skip_space(c);
    while (next_byte(c) == '"') {
        code = compact_member(c);
        if (code != BB_OK)
            return code;
        skip_space(c);
        if (next_byte(c) == ',')
            c->at++;
        skip_space(c);
    }
    code = bb_json_members_drop_repeated(c->members, first, &repeated);
    if (code != BB_OK)
        return code;
    if (repeated)
        close_up(c, first);
    c->members->count = first;
    if (next_byte(c) == '}')
        c->at++;
    return BB_OK;
}

static int32_t compact_array(compactor *c)
{
    c->at++;
    skip_space(c);
    while (next_byte(c) != ']' && c->at < c->end) {
        int32_t code = compact_value(c);
        if (code != BB_OK)
            return code;
        skip_space(c);
        if (next_byte(c) == ',')
            c->at++;
        skip_space(c);
    }
    if (next_byte(c) == ']')
        c->at++;
    return BB_OK;
}

static int32_t compact_value(compactor *c)
{
    switch (next_byte(c)) {
    case '{':
        return compact_object(c);
    case '[':
        return compact_array(c);
    case '"':
        compact_string(c);
        return BB_OK;
    default:
        compact_scalar(c);
        return BB_OK;
    }
}

static size_t safe_digits(const bb_json_limits *limits)
{
    size_t safe = SIZE_MAX;

    if (limits->max_integer_digits > 0)
        safe = limits->max_integer_digits;
    if (limits->max_fraction_digits > 0 && limits->max_fraction_digits < safe)
        safe = limits->max_fraction_digits;
    return safe;
}

int32_t bb_json_compact(bb_json_members *members, bb_slice value, const bb_json_limits *limits,
                        bb_slice *out, int *is_suspect)
{
    compactor c = {.members = members,
                   .at = value.data,
                   .end = value.data + value.len,
                   .run = value.data,
                   .safe_digits = safe_digits(limits)};
    int32_t code;

    members->count = 0;
    code = compact_value(&c);
    out->data = c.run;
    out->len = (size_t)(c.at - c.run);
    if (c.len > 0) {
        copy_run(&c, c.at);
        out->data = c.copy;
        out->len = c.len;
    }
    *is_suspect = c.is_suspect;
    return c.is_out_of_memory ? BB_ERR_NOMEM : code;
}

/* ------------------------------------------------------------------------------------- faults */

typedef struct fault_finder {
    const bb_json_limits *limits;
    bb_issues *issues;
    size_t *expanded; /* bytes of the numbers so far, without exponents */
} fault_finder;

static const char *find_in_value(fault_finder *f, const char *at, const char *end,
                                 const bb_path *path);

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent of a number, bounded so that sums with lengths can't overflow. */
static int64_t read_exponent(const char *at, const char *end)
{
    int is_negative = 0;
    int64_t exponent = 0;

    if (at < end && (*at == '-' || *at == '+'))
        is_negative = *at++ == '-';
    for (; at < end && is_digit(*at); at++) {
        if (exponent < INT64_C(1) << 40)
            exponent = exponent * 10 + (*at - '0');
    }
    return is_negative ? -exponent : exponent;
}

/* Digits before and after the point that a number has when it is written without exponent. Zeros
 * count as they are written, except that a zero has no digits before its point whatever its
 * exponent says. */
static void count_digits(bb_slice number, int64_t *integer_digits, int64_t *fraction_digits)
{
    const char *at = number.data;
    const char *end = number.data + number.len;
    int64_t before = 0;  /* digits before the point from the first that is not 0 on */
    int64_t leading = 0; /* zeros after the point before any other digit */
    int64_t after = 0;
    int64_t exponent = 0;
    int is_zero = 1;
    int is_past_point = 0;

    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.')
            is_past_point = 1;
        if (!is_digit(*at))
            continue;
        if (*at != '0')
            is_zero = 0;
        if (is_past_point) {
            after++;
            leading += is_zero;
        } else if (!is_zero) {
            before++;
        }
    }
    if (at < end)
        exponent = read_exponent(at + 1, end);
    *fraction_digits = after - exponent < 0 ? 0 : after - exponent;
    if (is_zero) /* of an exponent past 30 bits PostgreSQL makes an error even here */
        *integer_digits = exponent > MOST_EXPONENT ? exponent : 0;
    else if (before > 0)
        *integer_digits = before + exponent < 0 ? 0 : before + exponent;
    else
        *integer_digits = exponent - leading < 0 ? 0 : exponent - leading;
}

static int is_over(int64_t digits, uint32_t limit)
{
    return limit > 0 && digits > limit;
}

static void find_in_number(fault_finder *f, bb_slice number, const bb_path *path)
{
    const bb_json_limits *limits = f->limits;
    int64_t integer_digits;
    int64_t fraction_digits;

    if (limits->max_integer_digits == 0 && limits->max_fraction_digits == 0)
        return;
    count_digits(number, &integer_digits, &fraction_digits);
    if (is_over(integer_digits, limits->max_integer_digits) ||
        is_over(fraction_digits, limits->max_fraction_digits)) {
        bb_issues_add(f->issues, path, "Number out of range");
        return;
    }
    /* 1e131071 is eight bytes here and 131072 in the answer: what a client may store is bounded by
     * what has to be sent back (C7) */
    if ((size_t)(integer_digits + fraction_digits) > limits->max_expanded - *f->expanded)
        bb_issues_add(f->issues, path, "Number too long without its exponent");
    else
        *f->expanded += (size_t)(integer_digits + fraction_digits);
}

/* These walk once over a compact value, so that depth costs no time: each returns the byte after
 * the value. */

static const char *find_in_object(fault_finder *f, const char *at, const char *end,
                                  const bb_path *path)
{
    for (at++; at < end && *at == '"';) {
        bb_slice name = {at, (size_t)(bb_json_skip_string(at, end) - at)};
        bb_path step = {path, {name.data + 1, name.len - 2}, 0};
        at += name.len + 1; /* and the colon */
        if (bb_json_has_nul(name)) {
            bb_issues_add(f->issues, path, "Member name must not contain U+0000");
            at = bb_json_skip_value(at, end);
        } else {
            at = find_in_value(f, at, end, &step);
        }
        if (at < end && *at == ',')
            at++;
    }
    return at + 1;
}

static const char *find_in_array(fault_finder *f, const char *at, const char *end,
                                 const bb_path *path)
{
    at++;
    for (size_t i = 0; at < end && *at != ']'; i++) {
        bb_path step = {path, {NULL, 0}, i};
        at = find_in_value(f, at, end, &step);
        if (at < end && *at == ',')
            at++;
    }
    return at + 1;
}

static const char *find_in_value(fault_finder *f, const char *at, const char *end,
                                 const bb_path *path)
{
    bb_json_type type = at < end ? bb_json_type_of(*at) : BB_JSON_NULL;
    bb_slice scalar = {at, 0};

    if (type == BB_JSON_OBJECT)
        return find_in_object(f, at, end, path);
    if (type == BB_JSON_ARRAY)
        return find_in_array(f, at, end, path);
    scalar.len = (size_t)(bb_json_skip_value(at, end) - at);
    if (type == BB_JSON_STRING && bb_json_has_nul(scalar))
        bb_issues_add(f->issues, path, "String must not contain U+0000");
    if (type == BB_JSON_NUMBER)
        find_in_number(f, scalar, path);
    return at + scalar.len;
}

void bb_json_find_faults(bb_slice value, const bb_json_limits *limits, const bb_path *path,
                         size_t *expanded, bb_issues *issues)
{
    fault_finder f = {limits, issues, expanded};

    find_in_value(&f, value.data, value.data + value.len, path);
}
