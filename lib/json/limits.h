/*
 * limits.h: finds what is JSON but can't be stored: U+0000 in text, and numbers past the limits.
 */
#ifndef BB_JSON_LIMITS_H
#define BB_JSON_LIMITS_H

#include "bb_contacts/storage.h"
#include "json/path.h"

/* What a storage backend can hold besides what every one can. */
typedef struct bb_json_limits {
    uint32_t max_integer_digits;  /* of a number written without exponent; 0: no limit */
    uint32_t max_fraction_digits; /* likewise, after the point */
    size_t max_expanded;          /* bytes that the numbers may take together without exponents */
} bb_json_limits;

/* Told of each fault: where it is, and what. */
typedef void (*bb_json_report_fn)(void *ctx, const bb_json_path *path, const char *message);

/* Reports everything in a compact value that can't be stored: U+0000 (C5) and numbers past the
 * limits (C6). `path` is that of the value; `*expanded` is a sum over all values of a request, 0 at
 * first. */
void bb_json_find_faults(bb_slice value, const bb_json_limits *limits, const bb_json_path *path,
                         size_t *expanded, bb_json_report_fn report, void *report_ctx);

#endif
