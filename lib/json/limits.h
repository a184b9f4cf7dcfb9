/*
 * limits.h: finds JSON that can't be stored: U+0000 in text, and numbers past the limits.
 */
#ifndef BB_JSON_LIMITS_H
#define BB_JSON_LIMITS_H

#include "bb_contacts/storage.h"
#include "json/path.h"

/* The limits of a storage backend, beyond those of every one. */
typedef struct bb_json_limits {
    uint32_t max_integer_digits;  /* digits before the point of a number without exponent; 0: no
                                     limit */
    uint32_t max_fraction_digits; /* digits after it; 0: no limit */
    size_t max_expanded;          /* bytes that the numbers may take together without exponents */
} bb_json_limits;

/* Is told where each fault is, and what it is. */
typedef void (*bb_json_report_fn)(void *ctx, const bb_json_path *path, const char *message);

/* Reports everything in a compact value that can't be stored: U+0000 (C5) and numbers past the
 * limits (C6). `path` is the value's; `*expanded` is a sum over all values of a request, 0 at
 * first. */
void bb_json_find_faults(bb_slice value, const bb_json_limits *limits, const bb_json_path *path,
                         size_t *expanded, bb_json_report_fn report, void *report_ctx);

#endif
