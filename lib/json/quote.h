/*
 * quote.h: writes text as a JSON string.
 */
#ifndef BB_JSON_QUOTE_H
#define BB_JSON_QUOTE_H

#include "util/buffer.h"

/* `data` as a JSON string with its quotes (RFC 8259, section 7): escapes what must be escaped. */
void bb_json_append_string(bb_buffer *buffer, const char *data, size_t len);

#endif
