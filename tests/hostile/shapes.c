/*
 * shapes.c: bodies of a given size and of one shape each, ordinary and adversarial.
 */
#include "hostile/shapes.h"

/* Appends as many of `piece` as have `size` bytes together. */
static void fill(test_text *body, const char *text, size_t size)
{
    test_append_times(body, text, size / strlen(text) + 1);
}

/* ----------------------------------------------------------- values that the table can't spell */

/* Attributes as clients send them: more of them in larger entries. */
static void write_ordinary(test_text *body, size_t size, size_t index)
{
    test_append(body, "{\"plan\":\"pro\",\"seats\":%zu,\"trial\":false,\"tags\":[\"a\",\"b\"]",
                index);
    for (size_t i = 0, start = body->len; body->len < start + size - 60 && size > 120; i++)
        test_append(body, ",\"attribute_%zu\":\"value %zu of an ordinary contact\"", i, index + i);
    test_append_text(body, "}");
}

static void write_one_number(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"n\":1");
    fill(body, "1234567890", size < 100000 ? size : 100000);
    test_append_text(body, "}");
}

/* Values of 64 levels, as many as there is room for. */
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

enum { LEVELS = 60 };

/* Brackets whose neighbours must be found, spelled in two ways. */
static void write_deep_and_short(test_text *body, size_t size, size_t index)
{
    size_t start = body->len;

    test_append_text(body, "{\"d\":[0");
    while (body->len - start < size) {
        test_append_text(body, index % 2 == 0 ? ",{\"a\":" : ",{\"\\u0061\":");
        test_append_times(body, "[", LEVELS);
        test_append_text(body, index % 2 == 0 ? "1" : "1.0");
        test_append_times(body, "]", LEVELS);
        test_append_text(body, "}");
    }
    test_append_text(body, "]}");
}

/* An object in an object and so on, with an array at the bottom that fills the room: a value of one
 * size has the same number of elements, however its levels are spelled. */
static void write_levels(test_text *body, size_t size, const char *level, const char *first)
{
    enum { MOST = LEVELS * 14 }; /* bytes of the levels */

    test_append_times(body, level, LEVELS);
    test_append(body, "[%s", first);
    fill(body, ",1", size > MOST ? size - MOST : 0);
    test_append_text(body, "]");
    test_append_times(body, "}", LEVELS);
}

/* Code that reads a value level by level reads the bottom 60 times. */
static void write_deep_and_wide(test_text *body, size_t size, size_t index)
{
    write_levels(body, size, index % 2 == 0 ? "{\"x\":" : "{\"\\u0078\":", "0");
}

/* A name is repeated at every level, so that every level closes up over all that is below it. */
static void write_repeated_and_deep(test_text *body, size_t size, size_t index)
{
    (void)index;
    write_levels(body, size, "{\"x\":0,\"x\":", "0");
}

/* A fault at the bottom of much nesting. */
static void write_deep_fault(test_text *body, size_t size, size_t index)
{
    (void)index;
    write_levels(body, size, "{\"x\":", "\"\\u0000\"");
}

/* Members whose names begin alike and end in a number. */
static void write_numbered(test_text *body, size_t size, const char *alike, size_t times)
{
    size_t start = body->len;

    test_append_text(body, "{\"\":0");
    for (size_t i = 0; body->len - start < size; i++) {
        test_append_text(body, ",\"");
        test_append_times(body, alike, times);
        test_append(body, "%zx\":0", i);
    }
    test_append_text(body, "}");
}

static void write_names(test_text *body, size_t size, size_t index)
{
    (void)index;
    write_numbered(body, size, "", 0);
}

static void write_escaped_names(test_text *body, size_t size, size_t index)
{
    (void)index;
    write_numbered(body, size, "\\u0061", 1);
}

static void write_long_names(test_text *body, size_t size, size_t index)
{
    (void)index;
    write_numbered(body, size, "a", 1000);
}

static void write_space(test_text *body, size_t size, size_t index)
{
    size_t in_entry = size < SHAPE_ENTRY ? size : SHAPE_ENTRY;

    (void)index;
    test_append_text(body, "{\"users\":[{\"external_id\":\"u\"");
    fill(body, " \n\t ", in_entry);
    test_append_text(body, "}");
    fill(body, " \n\t ", size - in_entry);
    test_append_text(body, "]}");
}

static void write_closed_too_deep(test_text *body, size_t size, size_t index)
{
    (void)index;
    test_append_text(body, "{\"users\":[{\"external_id\":\"u\",\"x\":");
    test_append_times(body, "[", size / 2);
    test_append_times(body, "]", size / 2);
    test_append_text(body, "}]}");
}

/* ----------------------------------------------------------------------------------- the table */

#define ATTRIBUTES "custom_attributes"
#define ONE_USER   "\"users\":[{\"external_id\":\"u\"}]}"

const shape shapes[] = {
    {"ordinary", 200, SHAPE_ORDINARY, 9, ATTRIBUTES, .write = write_ordinary},
    {"long strings", 200, SHAPE_LARGE, 4, "name", .begin = "\"",
     .piece = "All work and no play makes Jack a dull boy. ", .end = "\""},
    {"many numbers", 200, SHAPE_LARGE, 6, ATTRIBUTES, .begin = "{\"n\":[0", .piece = ",1",
     .end = "]}"},
    {"huge numbers", 200, SHAPE_LARGE, 6, ATTRIBUTES, .write = write_one_number},
    {"escaped strings", 200, SHAPE_LARGE, 3, "name", .begin = "\"",
     .piece = "\\u0061\\n\\ud83d\\ude00", .end = "\""},
    {"white space", 200, SHAPE_BODY, 1, NULL, .write = write_space},
    {"deep nesting", 200, SHAPE_LARGE, 6, ATTRIBUTES, .write = write_deep},
    {"deep, wide, equal entries", 200, SHAPE_EQUAL, 4, ATTRIBUTES, .write = write_deep_and_wide},
    {"brackets, equal entries", 200, SHAPE_EQUAL, 9, ATTRIBUTES, .write = write_deep_and_short},
    {"1000 deep equal entries", 200, SHAPE_1000_EQUAL, 5, ATTRIBUTES, .write = write_deep_and_wide},
    {"many names", 200, SHAPE_LARGE, 8, ATTRIBUTES, .write = write_names},
    {"many escaped names", 200, SHAPE_LARGE, 8, ATTRIBUTES, .write = write_escaped_names},
    {"repeated names", 200, SHAPE_LARGE, 12, ATTRIBUTES, .begin = "{\"\":0", .piece = ",\"\":0",
     .end = "}"},
    {"repeated names, deep", 200, SHAPE_LARGE, 6, ATTRIBUTES, .write = write_repeated_and_deep},
    {"long names alike", 200, SHAPE_LARGE, 6, ATTRIBUTES, .write = write_long_names},
    /* names of the body itself and of an entry, which are only searched */
    {"unknown escaped names", 200, SHAPE_BODY, 1, NULL, .begin = "{", .piece = "\"\\u0075\":0,",
     .end = ONE_USER},
    {"repeated arrays of users", 200, SHAPE_BODY, 1, NULL, .begin = "{",
     .piece = "\"users\":[{\"name\":1}],", .end = ONE_USER},
    {"many issues", 400, SHAPE_LARGE, 3, ATTRIBUTES, .begin = "{\"n\":[\"\"",
     .piece = ",\"\\u0000\"", .end = "]}"},
    {"deep issues", 400, SHAPE_LARGE, 3, ATTRIBUTES, .write = write_deep_fault},
    {"names with U+0000", 400, SHAPE_LARGE, 8, ATTRIBUTES, .begin = "{\"\":0",
     .piece = ",\"\\u0000\":0", .end = "}"},
    {"only brackets", 400, SHAPE_BODY, 1, NULL, .begin = "", .piece = "[", .end = ""},
    {"nested without end", 400, SHAPE_BODY, 1, NULL, .write = write_closed_too_deep},
    {"a string without end", 400, SHAPE_BODY, 1, NULL, .begin = "{\"users\":[\"",
     .piece = "\\u0061", .end = ""},
    {"too many contacts", 400, SHAPE_BODY, 4, NULL, .begin = "{\"users\":[{}", .piece = ",{}",
     .end = "]}"},
};

const size_t shape_count = sizeof shapes / sizeof shapes[0];

static void write_value(const shape *s, test_text *body, size_t size, size_t index)
{
    if (s->write != NULL) {
        s->write(body, size, index);
        return;
    }
    test_append_text(body, s->begin);
    fill(body, s->piece, size);
    test_append_text(body, s->end);
}

/* The most bytes of one entry in a body of `size`. */
static size_t entry_size(const shape *s, size_t size)
{
    if (s->entries == SHAPE_ORDINARY)
        return size / BB_MAX_CONTACTS + 300;
    return s->entries == SHAPE_1000_EQUAL ? size / BB_MAX_CONTACTS : SHAPE_ENTRY;
}

void shape_make(const shape *s, test_text *body, size_t size)
{
    int are_equal = s->entries == SHAPE_EQUAL || s->entries == SHAPE_1000_EQUAL;
    size_t most = entry_size(s, size);

    if (s->entries == SHAPE_BODY) {
        write_value(s, body, size, 0);
        return;
    }
    test_append_text(body, "{\"users\":[");
    for (size_t i = 0; body->len < size && i < BB_MAX_CONTACTS; i++) {
        size_t left = size - body->len;
        test_append(body, "%s{\"external_id\":\"u%zu\",\"%s\":", i > 0 ? "," : "",
                    are_equal ? 0 : i, s->member);
        write_value(s, body, left < most ? left : most, i);
        test_append_text(body, "}");
    }
    test_append_text(body, "]}");
}
