/*
 * equal.c: whether two JSON texts are the same value, whatever their spelling.
 */
#include <stdlib.h>
#include <string.h>

#include "json/check.h"
#include "json/names.h"

/* Values deeper than MAX_DEPTH are compared by their text alone: stored ones are never nested so
 * deep, and the comparison is recursive. Below DEEP it does not pay to remember ends. */
enum { MAX_DEPTH = 1024, DEEP = 4 };

/* One of the two values. */
typedef struct side {
    bb_slice text;
    bb_json_members members; /* of all objects that are open */
    bb_json_ends ends;
} side;

typedef struct comparison {
    bb_arena arena;
    side left;
    side right;
    int32_t code;
} comparison;

static int equal_values(comparison *c, bb_slice a, bb_slice b);

static int equal_strings(comparison *c, bb_slice a, bb_slice b)
{
    bb_slice left;
    bb_slice right;

    if (bb_slice_equal(a, b))
        return 1;
    if (bb_json_has_nul(a) || bb_json_has_nul(b))
        return 0;
    if (bb_json_decode(&c->arena, a, &left) != BB_OK ||
        bb_json_decode(&c->arena, b, &right) != BB_OK) {
        c->code = BB_ERR_NOMEM;
        return 0;
    }
    return bb_slice_equal(left, right);
}

/* A number taken apart: its significant digits, without zeros at either end, are the text between
 * `first` and `last`, perhaps with a point among them; the value is 0.d1d2d3... * 10^exponent. */
typedef struct decimal {
    const char *first;
    const char *last;
    int64_t exponent;
    int is_negative;
    int is_exact; /* 0: the exponent is too large to compare */
} decimal;

static int read_exponent(const char *at, const char *end, int64_t *exponent)
{
    int is_negative = 0;

    *exponent = 0;
    if (at < end && (*at == '-' || *at == '+'))
        is_negative = *at++ == '-';
    for (; at < end; at++) {
        if (*exponent > INT64_C(1) << 50)
            return 0;
        *exponent = *exponent * 10 + (*at - '0');
    }
    if (is_negative)
        *exponent = -*exponent;
    return 1;
}

/* Zero comes out with no digits. */
static decimal take_apart(bb_slice number)
{
    const char *at = number.data;
    const char *end = number.data + number.len;
    decimal d = {NULL, NULL, 0, 0, 1};
    int64_t scale = 0; /* digits before the point, from the first nonzero one on */
    int is_past_point = 0;

    if (at < end && *at == '-') {
        d.is_negative = 1;
        at++;
    }
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            is_past_point = 1;
            continue;
        }
        if (*at != '0') {
            if (d.first == NULL)
                d.first = at;
            d.last = at + 1;
        }
        if (!is_past_point)
            scale += d.first != NULL;
        else if (d.first == NULL)
            scale--;
    }
    if (d.first == NULL) {
        d.is_negative = 0;
        return d;
    }
    if (at < end)
        d.is_exact = read_exponent(at + 1, end, &d.exponent);
    d.exponent += scale;
    return d;
}

static int equal_numbers(bb_slice a, bb_slice b)
{
    decimal x = take_apart(a);
    decimal y = take_apart(b);

    if (!x.is_exact || !y.is_exact || x.is_negative != y.is_negative || x.exponent != y.exponent)
        return bb_slice_equal(a, b);
    while (x.first < x.last && y.first < y.last) {
        if (*x.first == '.') {
            x.first++;
        } else if (*y.first == '.') {
            y.first++;
        } else if (*x.first++ != *y.first++) {
            return 0;
        }
    }
    return x.first == x.last && y.first == y.last;
}

static int equal_arrays(comparison *c, bb_slice a, bb_slice b)
{
    bb_json_iterator left = bb_json_iterate(a);
    bb_json_iterator right = bb_json_iterate(b);
    bb_slice x;
    bb_slice y;

    left.ends = &c->left.ends;
    right.ends = &c->right.ends;
    for (;;) {
        int has_left = bb_json_next_element(&left, &x);
        int has_right = bb_json_next_element(&right, &y);
        if (!has_left || !has_right)
            return has_left == has_right;
        if (!equal_values(c, x, y))
            return 0;
    }
}

static int by_name(const void *left, const void *right)
{
    const bb_json_member *a = left;
    const bb_json_member *b = right;

    return bb_slice_compare(a->name, b->name);
}

/* Pushes an object's members, with the place of each value in it, and sorts them by name. */
static int32_t push_members(side *s, bb_slice object)
{
    bb_json_members *members = &s->members;
    size_t first = members->count;
    bb_json_iterator it = bb_json_iterate(object);
    bb_slice name;
    bb_slice value;

    it.ends = &s->ends;
    while (bb_json_next_member(&it, &name, &value)) {
        if (bb_json_members_push(members, name, (size_t)(value.data - object.data)) != BB_OK)
            return BB_ERR_NOMEM;
    }
    if (members->count - first > 1)
        qsort(members->list + first, members->count - first, sizeof *members->list, by_name);
    return BB_OK;
}

static bb_slice value_at(const side *s, size_t index, bb_slice object)
{
    bb_slice value = {object.data + s->members.list[index].at, 0};
    const char *end = bb_json_ends_skip(&s->ends, value.data, object.data + object.len);

    value.len = (size_t)(end - value.data);
    return value;
}

/* Compares the members from these indexes on, which were pushed last. */
static int equal_members(comparison *c, bb_slice a, size_t first_left, bb_slice b,
                         size_t first_right)
{
    size_t count = c->left.members.count - first_left;
    int equal = c->right.members.count - first_right == count;

    for (size_t i = 0; equal && i < count; i++) {
        equal = bb_slice_equal(c->left.members.list[first_left + i].name,
                               c->right.members.list[first_right + i].name) &&
                equal_values(c, value_at(&c->left, first_left + i, a),
                             value_at(&c->right, first_right + i, b));
    }
    return equal;
}

static int equal_objects(comparison *c, bb_slice a, bb_slice b)
{
    size_t first_left = c->left.members.count;
    size_t first_right = c->right.members.count;
    int equal;

    if (push_members(&c->left, a) != BB_OK || push_members(&c->right, b) != BB_OK) {
        c->code = BB_ERR_NOMEM;
        return 0;
    }
    equal = equal_members(c, a, first_left, b, first_right);
    c->left.members.count = first_left;
    c->right.members.count = first_right;
    return equal;
}

static int equal_values(comparison *c, bb_slice a, bb_slice b)
{
    bb_json_type type;

    if (bb_slice_equal(a, b))
        return 1;
    if (a.len == 0 || b.len == 0)
        return 0;
    type = bb_json_type_of(a.data[0]);
    if (type != bb_json_type_of(b.data[0]))
        return 0;
    switch (type) {
    case BB_JSON_OBJECT:
        return equal_objects(c, a, b);
    case BB_JSON_ARRAY:
        return equal_arrays(c, a, b);
    case BB_JSON_STRING:
        return equal_strings(c, a, b);
    case BB_JSON_NUMBER:
        return equal_numbers(a, b);
    case BB_JSON_BOOLEAN:
    case BB_JSON_NULL:
        break;
    }
    return 0;
}

/* Cuts off white space at both ends. */
static bb_slice trim(bb_slice text)
{
    const char *end = text.data + text.len;

    text.data = bb_json_skip_space(text.data, end);
    while (end > text.data && (unsigned char)end[-1] <= ' ')
        end--;
    text.len = (size_t)(end - text.data);
    return text;
}

/* Prepares one side. Returns 0 if it can only be compared by its text, or memory ran out. */
static int begin_side(comparison *c, side *s, bb_slice text, bb_json_facts *facts)
{
    const bb_allocator *memory = &c->arena.allocator;

    bb_json_members_init(&s->members, memory, &c->arena);
    bb_json_ends_init(&s->ends, memory);
    if (!bb_json_check(memory, text.data, text.len, facts)) {
        if (facts->is_out_of_memory)
            c->code = BB_ERR_NOMEM;
        return 0;
    }
    s->text = trim(text);
    if (facts->depth > DEEP && facts->depth <= MAX_DEPTH)
        c->code = bb_json_ends_find(&s->ends, s->text);
    return c->code == BB_OK && facts->depth <= MAX_DEPTH;
}

static void end_side(side *s)
{
    bb_json_ends_free(&s->ends);
    bb_json_members_free(&s->members);
}

int32_t bb_json_equal(const bb_allocator *allocator, bb_slice a, bb_slice b, int32_t *equal)
{
    bb_allocator memory = bb_allocator_or_default(allocator);
    bb_json_facts facts;
    comparison c;

    if (equal == NULL || (a.data == NULL && a.len > 0) || (b.data == NULL && b.len > 0))
        return BB_ERR_ARGUMENT;
    *equal = bb_slice_equal(a, b);
    if (*equal)
        return BB_OK;
    c.code = BB_OK;
    bb_arena_init(&c.arena, &memory);
    if (begin_side(&c, &c.left, a, &facts)) {
        if (begin_side(&c, &c.right, b, &facts))
            *equal = equal_values(&c, c.left.text, c.right.text);
        end_side(&c.right);
    }
    end_side(&c.left);
    bb_arena_free(&c.arena);
    if (c.code != BB_OK)
        *equal = 0;
    return c.code;
}
