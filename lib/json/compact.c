/*
 * compact.c: a JSON value as it is stored: the client's own text, without what means nothing.
 */
#include "json/compact.h"

#include <string.h>

/* Until something must be left out, no copy is made: the value as sent serves. */
typedef struct compactor {
    bb_json_members *members;
    const char *at; /* what is read next */
    const char *end;
    const char *run;    /* from here on, what was read is not in the copy yet */
    char *copy;         /* NULL until it is needed; never longer than the value */
    size_t len;         /* of the copy */
    size_t safe_digits; /* a number of at most this many bytes, without exponent, is within the
                           limits */
    int is_suspect;
    int is_out_of_memory;
} compactor;

static int32_t compact_value(compactor *c);

/* Moves what was read to the copy, and goes on reading at `next`. Decoded names go to the same
 * arena, so the copy can't be trimmed at the end. */
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

/* How many bytes of what was read the copy would have. */
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
