/*
 * check.h: whether bytes are JSON (C1): RFC 8259 in UTF-8 and nothing else, by the letter.
 *
 * A byte order mark, invalid UTF-8 and unpaired surrogates (C5) are refused too. U+0000 is valid
 * JSON; callers who know its field decide about it. Only memory limits nesting: a level takes an
 * eighth of a byte.
 */
#ifndef BB_JSON_CHECK_H
#define BB_JSON_CHECK_H

#include "bb_contacts/storage.h"
#include "util/alloc.h"

/* What the check has learned, so that later stages look for rare things only where there are
 * any. */
typedef struct bb_json_facts {
    size_t depth;         /* levels of arrays and objects */
    int has_nul;          /* some string spells U+0000 */
    int is_out_of_memory; /* the check could not be finished */
} bb_json_facts;

/* 1 if the text is one JSON value with white space around it, otherwise 0. */
int bb_json_check(const bb_allocator *allocator, const char *text, size_t len,
                  bb_json_facts *facts);

/*
 * The same for callers who read the text while it is checked, so that one pass is enough: they
 * enter the arrays and objects whose parts they want, and go past all other values.
 */
enum { BB_JSON_FIRST_LEVELS = 512 };

typedef struct bb_json_checker {
    const char *at; /* what is checked next */
    const char *end;
    bb_json_facts facts;
    size_t depth;    /* how many levels are open */
    int is_first;    /* nothing has followed the last opening bracket */
    size_t capacity; /* levels that fit */
    uint8_t *levels; /* a bit a level: 1 for an object */
    uint8_t first_levels[BB_JSON_FIRST_LEVELS / 8];
    bb_allocator allocator;
} bb_json_checker;

/* What comes next in a container. */
typedef enum bb_json_step { BB_JSON_FAULT, BB_JSON_END, BB_JSON_MORE } bb_json_step;

void bb_json_checker_init(bb_json_checker *checker, const bb_allocator *allocator, bb_slice text);
void bb_json_checker_free(bb_json_checker *checker);

/* The byte that the next value begins with, or 0 at the end of the text. */
char bb_json_checker_peek(bb_json_checker *checker);

/* Goes past the next value, whatever is in it, and says where it lies. 0 if it is faulty. */
int bb_json_checker_value(bb_json_checker *checker, bb_slice *value);

/* Goes into the next value, which bb_json_checker_peek() says is an array or object. 0 if memory
 * ran out. */
int bb_json_checker_enter(bb_json_checker *checker);

/* Call it after entering a container, and after each value in it. BB_JSON_MORE: another value is
 * next, in an object with this name (in quotes). BB_JSON_END: the container has been left. */
bb_json_step bb_json_checker_next(bb_json_checker *checker, bb_slice *name);

/* Whether nothing but white space is left. */
int bb_json_checker_at_end(bb_json_checker *checker);

/* Whether bytes that will become a JSON string are UTF-8. */
int bb_json_check_text(bb_slice text);

#endif
