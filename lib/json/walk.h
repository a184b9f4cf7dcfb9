/*
 * walk.h: steps through JSON text that bb_json_check() has passed, without building a tree.
 *
 * Values and names are slices of the text, as written there. A walk over text that was not checked
 * never reads past its end, but finds nothing meaningful.
 */
#ifndef BB_JSON_WALK_H
#define BB_JSON_WALK_H

#include "bb_contacts/storage.h"
#include "util/arena.h"
#include "json/scan.h"

typedef enum bb_json_type {
    BB_JSON_NULL,
    BB_JSON_BOOLEAN,
    BB_JSON_NUMBER,
    BB_JSON_STRING,
    BB_JSON_ARRAY,
    BB_JSON_OBJECT
} bb_json_type;

/* The type of the value that begins with this byte. */
bb_json_type bb_json_type_of(char first);

/* "null", "boolean", ... as messages name types (section F of the contract). */
const char *bb_json_type_name(bb_json_type type);

/* The byte after the string, or after the value, that begins at `at`. */
const char *bb_json_skip_string(const char *at, const char *end);
const char *bb_json_skip_value(const char *at, const char *end);

/*
 * Where the arrays and objects of a text end. A walk that enters each value and then goes past it
 * would read the innermost bytes once for each level; with this it does not.
 */
typedef struct bb_json_ends {
    bb_allocator allocator;
    bb_slice text;
    struct bb_json_span *spans; /* by start; short ones are left out */
    size_t count;
    size_t capacity;
} bb_json_ends;

/* Empty until bb_json_ends_find() fills it. */
void bb_json_ends_init(bb_json_ends *ends, const bb_allocator *allocator);
void bb_json_ends_free(bb_json_ends *ends);

/* Finds the ends in a text that bb_json_check() has passed. BB_OK, or BB_ERR_NOMEM. */
int32_t bb_json_ends_find(bb_json_ends *ends, bb_slice text);

/* Like bb_json_skip_value(), but faster if the ends are known. `ends` may be NULL. */
const char *bb_json_ends_skip(const bb_json_ends *ends, const char *at, const char *end);

/* A place inside an array or object. */
typedef struct bb_json_iterator {
    const char *at;
    const char *end;
    const bb_json_ends *ends; /* optional; set by a caller who has them */
} bb_json_iterator;

/* Starts at the first element or member of `container`, an array or object. */
bb_json_iterator bb_json_iterate(bb_slice container);

/* The next element, or member with its name (in quotes), and 1; 0 if there is none. */
int bb_json_next_element(bb_json_iterator *iterator, bb_slice *value);
int bb_json_next_member(bb_json_iterator *iterator, bb_slice *name, bb_slice *value);

/* Levels of arrays and objects in a value; 0 for a scalar. */
size_t bb_json_depth(bb_slice value);

/* Whether a string (in quotes) spells U+0000. */
int bb_json_has_nul(bb_slice string);

/*
 * The characters of a string (in quotes) without U+0000: a part of the text itself if nothing in it
 * is escaped, otherwise a copy in the arena. BB_OK, or BB_ERR_NOMEM.
 */
int32_t bb_json_decode(bb_arena *arena, bb_slice string, bb_slice *out);

#endif
