/*
 * compact.h: a JSON value as it is stored: the client's own text, without what means nothing.
 */
#ifndef BB_JSON_VALUE_H
#define BB_JSON_VALUE_H

#include "request/issues.h"
#include "json/names.h"

/* What a storage backend can hold besides what every one can. */
typedef struct bb_json_limits {
    uint32_t max_integer_digits;  /* of a number written without exponent; 0: no limit */
    uint32_t max_fraction_digits; /* likewise, after the point */
    size_t max_expanded;          /* bytes that the numbers may take together without exponents */
} bb_json_limits;

/*
 * `value` without white space and without members that a later one of the same name overrides (C4):
 * a part of the text itself if there are none, otherwise a copy in the members' arena. Everything
 * else stays as the client wrote it, so that numbers keep their value to the last digit (C6).
 * `value` has been checked and is not nested deeper than the stack bears: a level costs about 200
 * bytes of it.
 *
 * Sets *is_suspect to 1 if bb_json_find_faults() might find something. BB_OK, or BB_ERR_NOMEM.
 */
int32_t bb_json_compact(bb_json_members *members, bb_slice value, const bb_json_limits *limits,
                        bb_slice *out, int *is_suspect);

/* Adds an issue for everything in a compact value that can't be stored: U+0000 (C5) and numbers
 * past the limits (C6). `path` is that of the value; `*expanded` is a sum over all values of a
 * request, 0 at first. */
void bb_json_find_faults(bb_slice value, const bb_json_limits *limits, const bb_path *path,
                         size_t *expanded, bb_issues *issues);

#endif
