/*
 * limits.c: finds JSON that can't be stored: U+0000 in text (C5), and numbers past the
 * limits (C6).
 */
#include "json/limits.h"

#include <string.h>

#include "json/walk.h"

/* Zero may have exponents up to this one where numbers are limited. */
enum { MOST_EXPONENT = 1000000000 };

typedef struct fault_finder {
    const bb_json_limits *limits;
    size_t *expanded; /* bytes that the numbers so far have without exponents */
    bb_json_report_fn report;
    void *report_ctx;
} fault_finder;

static const char *find_in_value(fault_finder *f, const char *at, const char *end,
                                 const bb_json_path *path);

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

/* Digits before and after the point of a number written without exponent. Zeros count as they are
 * written, except that a zero has no digits before its point, whatever its exponent. */
static void count_digits(bb_slice number, int64_t *integer_digits, int64_t *fraction_digits)
{
    const char *at = number.data;
    const char *end = number.data + number.len;
    int64_t before = 0;  /* digits before the point, from the first nonzero one on */
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
    if (is_zero) /* PostgreSQL refuses an exponent past 30 bits even for zero */
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

static void find_in_number(fault_finder *f, bb_slice number, const bb_json_path *path)
{
    const bb_json_limits *limits = f->limits;
    int64_t integer_digits;
    int64_t fraction_digits;

    if (limits->max_integer_digits == 0 && limits->max_fraction_digits == 0)
        return;
    count_digits(number, &integer_digits, &fraction_digits);
    if (is_over(integer_digits, limits->max_integer_digits) ||
        is_over(fraction_digits, limits->max_fraction_digits)) {
        f->report(f->report_ctx, path, "Number out of range");
        return;
    }
    /* 1e131071 is eight bytes here and 131072 in the answer, which bounds what a client may store
     * (C7) */
    if ((size_t)(integer_digits + fraction_digits) > limits->max_expanded - *f->expanded)
        f->report(f->report_ctx, path, "Number too long without its exponent");
    else
        *f->expanded += (size_t)(integer_digits + fraction_digits);
}

/* These walk over a compact value once, so depth costs no time. Each returns the byte after the
 * value. */

static const char *find_in_object(fault_finder *f, const char *at, const char *end,
                                  const bb_json_path *path)
{
    for (at++; at < end && *at == '"';) {
        bb_slice name = {at, (size_t)(bb_json_skip_string(at, end) - at)};
        bb_json_path step = {path, {name.data + 1, name.len - 2}, 0};
        at += name.len + 1; /* and the colon */
        if (bb_json_has_nul(name)) {
            f->report(f->report_ctx, path, "Member name must not contain U+0000");
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
                                 const bb_json_path *path)
{
    at++;
    for (size_t i = 0; at < end && *at != ']'; i++) {
        bb_json_path step = {path, {NULL, 0}, i};
        at = find_in_value(f, at, end, &step);
        if (at < end && *at == ',')
            at++;
    }
    return at + 1;
}

static const char *find_in_value(fault_finder *f, const char *at, const char *end,
                                 const bb_json_path *path)
{
    bb_json_type type = at < end ? bb_json_type_of(*at) : BB_JSON_NULL;
    bb_slice scalar = {at, 0};

    if (type == BB_JSON_OBJECT)
        return find_in_object(f, at, end, path);
    if (type == BB_JSON_ARRAY)
        return find_in_array(f, at, end, path);
    scalar.len = (size_t)(bb_json_skip_value(at, end) - at);
    if (type == BB_JSON_STRING && bb_json_has_nul(scalar))
        f->report(f->report_ctx, path, "String must not contain U+0000");
    if (type == BB_JSON_NUMBER)
        find_in_number(f, scalar, path);
    return at + scalar.len;
}

void bb_json_find_faults(bb_slice value, const bb_json_limits *limits, const bb_json_path *path,
                         size_t *expanded, bb_json_report_fn report, void *report_ctx)
{
    fault_finder f = {limits, expanded, report, report_ctx};

    find_in_value(&f, value.data, value.data + value.len, path);
}
