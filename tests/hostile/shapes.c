/*
 * shapes.c: bodies of a given size and of one shape each, ordinary and adversarial.
 */
#include "hostile/shapes.h"

#include <stdlib.h>

/* Appends as many as have `size` bytes together. */
static void fill(test_text *body, const char *text, size_t size)
{
    test_append_times(body, text, size / strlen(text) + 1);
}

/* Appends a value of about so many bytes; `index` is the entry's. */
typedef void (*value_writer)(test_text *body, size_t size, size_t index);

/* Entries with one member each, of `entry` bytes or of what is left; `whose` external_id: each its
 * "own", or all the "same". */
static void make_entries(test_text *body, size_t size, size_t entry, const char *whose,
                         const char *member, value_writer write)
{
    test_append_text(body, "{\"users\":[");
    for (size_t i = 0; body->len < size && i < BB_MAX_CONTACTS; i++) {
        size_t left = size - body->len;
        test_append_text(body, i > 0 ? ",{\"external_id\":\"" : "{\"external_id\":\"");
        if (strcmp(whose, "same") == 0)
            test_append_text(body, "same");
        else
            test_append(body, "u%zu", i);
        test_append(body, "\",\"%s\":", member);
        write(body, left < entry ? left : entry, i);
        test_append_text(body, "}");
    }
    test_append_text(body, "]}");
}

/* -------------------------------------------------------------------------------- ordinary ones */

/* Entries as clients send them: past 1000 of them the attributes grow. */
static void write_ordinary(test_text *body, size_t size, size_t index)
{
    test_append(body, "{\"plan\":\"pro\",\"seats\":%zu,\"trial\":false,\"tags\":[\"a\",\"b\"]",
                index);
    for (size_t i = 0, start = body->len; body->len < start + size - 60 && size > 120; i++)
        test_append(body, ",\"attribute_%zu\":\"value %zu of an ordinary contact\"", i, index + i);
    test_append_text(body, "}");
}

static void make_ordinary(test_text *body, size_t size)
{
    make_entries(body, size, size / BB_MAX_CONTACTS + 300, "own", "custom_attributes",
                 write_ordinary);
}

static void write_long_string(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "\"");
    fill(body, "All work and no play makes Jack a dull boy. ", size);
    test_append_text(body, "\"");
}

static void make_long_strings(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "name", write_long_string);
}

/* ------------------------------------------------------------------------------ JSON of one kind
 */

static void write_numbers(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"n\":[0");
    fill(body, ",1", size);
    test_append_text(body, "]}");
}

static void make_numbers(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_numbers);
}

static void write_one_number(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"n\":1");
    fill(body, "1234567890", size < 100000 ? size : 100000);
    test_append_text(body, "}");
}

static void make_huge_numbers(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_one_number);
}

static void write_escapes(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "\"");
    fill(body, "\\u0061\\n\\ud83d\\ude00", size);
    test_append_text(body, "\"");
}

static void make_escaped_strings(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "name", write_escapes);
}

static void make_space(test_text *body, size_t size)
{
    test_append_text(body, "{\"users\":[{\"external_id\":\"u\"");
    fill(body, " \n\t ", size < SHAPE_ENTRY ? size : SHAPE_ENTRY);
    test_append_text(body, "}");
    fill(body, " \n\t ", size - (size < SHAPE_ENTRY ? size : SHAPE_ENTRY));
    test_append_text(body, "]}");
}

/* 64 levels, as many times as there is room. */
static void write_deep(test_text *body, size_t size, size_t index)
{
    size_t start = body->len;

    (void)index;
    test_append_text(body, "{\"d\":[0");
    while (body->len - start < size) {
        test_append_text(body, ",");
        test_append_times(body, "[", 62);
        test_append_times(body, "]", 62);
    }
    test_append_text(body, "]}");
}

static void make_deep(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_deep);
}

enum { LEVELS = 60 };

/* What is left of `size` bytes after so many levels. */
static size_t room_for(size_t size, size_t per_level)
{
    return size > LEVELS * per_level ? size - LEVELS * per_level : 0;
}

/* Brackets whose neighbours must be found, spelled in two ways. */
static void write_deep_and_short(test_text *body, size_t size, size_t index)
{
    size_t start = body->len;

    test_append_text(body, "{\"d\":[0");
    while (body->len - start < size) {
        test_append_text(body, index % 2 == 0 ? ",{\"a\":" : ",{\"\\u0061\":");
        test_append_times(body, "[", 60);
        test_append_text(body, index % 2 == 0 ? "1" : "1.0");
        test_append_times(body, "]", 60);
        test_append_text(body, "}");
    }
    test_append_text(body, "]}");
}

static void make_brackets_equal(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "same", "custom_attributes", write_deep_and_short);
}

/* Deep, and large at the bottom: what looks at a value level by level looks at it 60 times. */
static void write_deep_and_wide(test_text *body, size_t size, size_t index)
{
    for (int i = 0; i < LEVELS; i++)
        test_append_text(body, index % 2 == 0 ? "{\"x\":" : "{\"\\u0078\":");
    test_append_text(body, "[0");
    fill(body, ",1", room_for(size, 12));
    test_append_text(body, "]");
    test_append_times(body, "}", LEVELS);
}

static void make_deep_and_equal(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "same", "custom_attributes", write_deep_and_wide);
}

static void make_deep_and_equal_1000(test_text *body, size_t size)
{
    make_entries(body, size, size / BB_MAX_CONTACTS, "same", "custom_attributes",
                 write_deep_and_wide);
}

/* ------------------------------------------------------------------------------------ names */

static void write_names(test_text *body, size_t size, size_t index)
{
    size_t start = body->len;

    (void)index;
    test_append_text(body, "{\"\":0");
    for (size_t i = 0; body->len - start < size; i++)
        test_append(body, ",\"%zx\":0", i);
    test_append_text(body, "}");
}

static void make_many_names(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_names);
}

static void write_escaped_names(test_text *body, size_t size, size_t index)
{
    size_t start = body->len;

    (void)index;
    test_append_text(body, "{\"\":0");
    for (size_t i = 0; body->len - start < size; i++)
        test_append(body, ",\"\\u0061%zx\":0", i);
    test_append_text(body, "}");
}

static void make_escaped_names(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_escaped_names);
}

static void write_repeated_names(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"\":0");
    fill(body, ",\"\":0", size);
    test_append_text(body, "}");
}

static void make_repeated_names(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_repeated_names);
}

/* Repeated at every level, so that every level closes up over all that is below it. */
static void write_repeated_and_deep(test_text *body, size_t size, size_t index)
{
    (void)index;
    for (int i = 0; i < LEVELS; i++)
        test_append_text(body, "{\"x\":0,\"x\":");
    test_append_text(body, "[0");
    fill(body, ",1", room_for(size, 14));
    test_append_text(body, "]");
    test_append_times(body, "}", LEVELS);
}

static void make_repeated_and_deep(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_repeated_and_deep);
}

/* Names that are alike up to their last bytes. */
static void write_long_names(test_text *body, size_t size, size_t index)
{
    size_t start = body->len;

    (void)index;
    test_append_text(body, "{\"\":0");
    for (size_t i = 0; body->len - start < size; i++) {
        test_append_text(body, ",\"");
        test_append_times(body, "a", 1000);
        test_append(body, "%zu\":0", i);
    }
    test_append_text(body, "}");
}

static void make_long_names(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_long_names);
}

/* A fault at the bottom of much nesting. */
static void write_deep_fault(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_times(body, "{\"x\":", LEVELS);
    test_append_text(body, "[\"\\u0000\"");
    fill(body, ",1", room_for(size, 12));
    test_append_text(body, "]");
    test_append_times(body, "}", LEVELS);
}

static void make_deep_faults(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_deep_fault);
}

/* Names of the body itself and of an entry, which are only looked for. */
static void make_unknown_names(test_text *body, size_t size)
{
    test_append_text(body, "{");
    fill(body, "\"\\u0075\":0,", size);
    test_append_text(body, "\"users\":[{\"external_id\":\"u\"}]}");
}

static void make_repeated_arrays(test_text *body, size_t size)
{
    test_append_text(body, "{");
    fill(body, "\"users\":[{\"name\":1}],", size);
    test_append_text(body, "\"users\":[{\"external_id\":\"u\"}]}");
}

/* ---------------------------------------------------------------------------------- refused ones
 */

static void write_nuls(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"n\":[\"\"");
    fill(body, ",\"\\u0000\"", size);
    test_append_text(body, "]}");
}

static void make_many_issues(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_nuls);
}

static void write_nul_names(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"\":0");
    fill(body, ",\"\\u0000\":0", size);
    test_append_text(body, "}");
}

static void make_nul_names(test_text *body, size_t size)
{
    make_entries(body, size, SHAPE_ENTRY, "own", "custom_attributes", write_nul_names);
}

static void make_too_deep(test_text *body, size_t size)
{
    test_append_times(body, "[", size);
}

static void make_closed_too_deep(test_text *body, size_t size)
{
    test_append_text(body, "{\"users\":[{\"external_id\":\"u\",\"x\":");
    test_append_times(body, "[", size / 2);
    test_append_times(body, "]", size / 2);
    test_append_text(body, "}]}");
}

static void make_open_string(test_text *body, size_t size)
{
    test_append_text(body, "{\"users\":[\"");
    fill(body, "\\u0061", size);
}

static void make_too_many(test_text *body, size_t size)
{
    test_append_text(body, "{\"users\":[{}");
    fill(body, ",{}", size);
    test_append_text(body, "]}");
}

const shape shapes[] = {
    {"ordinary", 200, 9, make_ordinary},
    {"long strings", 200, 4, make_long_strings},
    {"many numbers", 200, 6, make_numbers},
    {"huge numbers", 200, 6, make_huge_numbers},
    {"escaped strings", 200, 3, make_escaped_strings},
    {"white space", 200, 1, make_space},
    {"deep nesting", 200, 6, make_deep},
    {"deep, wide, equal entries", 200, 4, make_deep_and_equal},
    {"brackets, equal entries", 200, 9, make_brackets_equal},
    {"1000 deep equal entries", 200, 5, make_deep_and_equal_1000},
    {"many names", 200, 8, make_many_names},
    {"many escaped names", 200, 8, make_escaped_names},
    {"repeated names", 200, 12, make_repeated_names},
    {"repeated names, deep", 200, 6, make_repeated_and_deep},
    {"long names alike", 200, 6, make_long_names},
    {"unknown escaped names", 200, 1, make_unknown_names},
    {"repeated arrays of users", 200, 1, make_repeated_arrays},
    {"many issues", 400, 3, make_many_issues},
    {"deep issues", 400, 3, make_deep_faults},
    {"names with U+0000", 400, 8, make_nul_names},
    {"only brackets", 400, 1, make_too_deep},
    {"nested without end", 400, 1, make_closed_too_deep},
    {"a string without end", 400, 1, make_open_string},
    {"too many contacts", 400, 4, make_too_many},
};

const size_t shape_count = sizeof shapes / sizeof shapes[0];
