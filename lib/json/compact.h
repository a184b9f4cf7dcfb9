/*
 * compact.h: a JSON value as it is stored: the client's own text, without what means nothing.
 */
#ifndef BB_JSON_COMPACT_H
#define BB_JSON_COMPACT_H

#include "json/limits.h"
#include "json/names.h"

/*
 * `value` without white space and without members that a later one of the same name overrides (C4):
 * a part of the text itself if there are none, otherwise a copy in the members' arena. Everything
 * else stays as the client wrote it, so numbers keep their value to the last digit (C6). `value`
 * must have been checked, and must not be nested deeper than the stack allows: a level takes about
 * 200 bytes.
 *
 * Sets *is_suspect to 1 if bb_json_find_faults() might find something. BB_OK, or BB_ERR_NOMEM.
 */
int32_t bb_json_compact(bb_json_members *members, bb_slice value, const bb_json_limits *limits,
                        bb_slice *out, int *is_suspect);

#endif
