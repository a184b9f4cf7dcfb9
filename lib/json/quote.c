/*
 * quote.c: writes text as a JSON string.
 */
#include "json/quote.h"

#include "json/scan.h"

/* Writes the escape for one byte that needs it; returns its length. */
static size_t escape(unsigned char c, char *to)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "btn?fr"; /* 0x08 to 0x0d; 0x0b has no short form */

    to[0] = '\\';
    if (c == '"' || c == '\\') {
        to[1] = (char)c;
        return 2;
    }
    if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        to[1] = names[c - 0x08];
        return 2;
    }
    memcpy(to + 1, "u00", 3);
    to[4] = hex[c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

/* The rest of a string, from the byte at `at` on, which must be escaped. */
static void append_escaped(bb_buffer *buffer, const char *at, const char *end)
{
    char text[6];

    while (at < end) {
        const char *until = bb_json_skip_unescaped(at, end);
        bb_buffer_append(buffer, at, (size_t)(until - at));
        if (until < end)
            bb_buffer_append(buffer, text, escape((unsigned char)*until++, text));
        at = until;
    }
    bb_buffer_append_char(buffer, '"');
}

void bb_json_append_string(bb_buffer *buffer, const char *data, size_t len)
{
    const char *end = data + len;
    const char *until = bb_json_skip_unescaped(data, end);
    size_t plain = (size_t)(until - data);
    char *to = len > SIZE_MAX - 2 ? NULL : bb_buffer_reserve(buffer, len + 2);

    if (to == NULL)
        return;
    to[0] = '"';
    if (plain > 0)
        memcpy(to + 1, data, plain);
    if (until == end)
        to[1 + plain] = '"';
    buffer->len += plain + (until == end ? 2 : 1);
    if (until < end)
        append_escaped(buffer, until, end);
}
