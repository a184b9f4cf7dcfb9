/*
 * json_check.h: whether bytes are JSON (C1): RFC 8259 in UTF-8 and nothing else, by the letter.
 */
#ifndef BB_JSON_CHECK_H
#define BB_JSON_CHECK_H

#include "util/alloc.h"

/* What the check learned on its way; later stages look for rare things only where there are any. */
typedef struct bb_json_facts {
    size_t depth;         /* levels of arrays and objects */
    int has_nul;          /* some string spells U+0000 */
    int is_out_of_memory; /* the check could not be finished */
} bb_json_facts;

/*
 * 1 if the text is one JSON value with white space around it, otherwise 0. Refused besides faulty
 * grammar: a byte order mark, invalid UTF-8, and unpaired surrogates (C5). U+0000 is grammar, and
 * left to those who know which field it stands in. Nesting is limited by memory alone: an eighth of
 * a byte a level.
 */
int bb_json_check(const bb_allocator *allocator, const char *text, size_t len,
                  bb_json_facts *facts);

#endif
