/*
 * wire.c: follows the messages of PostgreSQL's protocol in one direction of a connection.
 */
#include "faults/wire.h"

#include <string.h>
#include <strings.h>

/* Codes in the place of a startup message's version. */
#define SSL_REQUEST 80877103u
#define GSS_REQUEST 80877104u

void wire_init(wire *w, int is_client)
{
    memset(w, 0, sizeof *w);
    w->is_client = is_client;
    w->is_started = !is_client;
    w->commit = WIRE_NOWHERE;
    w->commit_end = WIRE_NOWHERE;
}

static uint32_t number_at(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The string that begins at `*at` of the message, and `*at` moved behind it; "" past the end. */
static const char *string_at(const wire *w, size_t *at)
{
    const char *text = (const char *)w->head + *at;
    const char *end;

    if (*at >= w->head_len)
        return "";
    end = memchr(text, '\0', w->head_len - *at);
    if (end == NULL)
        return "";
    *at += (size_t)(end - text) + 1;
    return text;
}

static int is_commit(const char *query)
{
    return strncasecmp(query, "COMMIT", 6) == 0;
}

static void take_parse(wire *w)
{
    size_t at = 5;
    const char *name = string_at(w, &at);
    const char *query = string_at(w, &at);

    if (strlen(name) >= sizeof w->commit_name)
        return;
    if (is_commit(query)) {
        memcpy(w->commit_name, name, strlen(name) + 1);
        w->has_commit_name = 1;
    } else if (w->has_commit_name && strcmp(name, w->commit_name) == 0) {
        w->has_commit_name = 0;
    }
}

static void begin_commit(wire *w)
{
    w->commit = w->message;
    w->commit_end = WIRE_NOWHERE;
}

static void take_client_message(wire *w)
{
    size_t at = 5;

    switch (w->head[0]) {
    case 'P':
        take_parse(w);
        break;
    case 'B':
        string_at(w, &at); /* the portal */
        if (w->has_commit_name && strcmp(string_at(w, &at), w->commit_name) == 0)
            begin_commit(w);
        break;
    case 'Q':
        if (!is_commit(string_at(w, &at)))
            break;
        begin_commit(w);
        w->commit_end = w->message + w->length;
        break;
    case 'S':
        if (w->commit != WIRE_NOWHERE && w->commit_end == WIRE_NOWHERE)
            w->commit_end = w->message + w->length;
        break;
    default:
        break;
    }
}

static void take_server_message(wire *w)
{
    size_t at = 5;

    if (w->head[0] == 'Z')
        w->ready++;
    else if (w->head[0] == 'C' && is_commit(string_at(w, &at)))
        begin_commit(w);
}

static void take_startup(wire *w)
{
    uint32_t code = w->head_len >= 8 ? number_at(w->head + 4) : 0;

    if (code == SSL_REQUEST || code == GSS_REQUEST)
        w->encryption_requests++;
    else
        w->is_started = 1;
}

static void take_message(wire *w)
{
    if (!w->is_started)
        take_startup(w);
    else if (w->is_client)
        take_client_message(w);
    else
        take_server_message(w);
    w->message = w->message + w->length;
    w->length = 0;
    w->head_len = 0;
}

/* Takes what belongs to the message's first bytes; returns how many of `len` were taken. */
static size_t feed_head(wire *w, const unsigned char *data, size_t len)
{
    size_t header = w->is_started ? 5 : 4; /* a type, but in the startup phase, and a length */
    size_t want = header;
    size_t taken;

    if (w->length > 0)
        want = w->length < WIRE_HEAD ? (size_t)w->length : WIRE_HEAD;
    taken = want - w->head_len < len ? want - w->head_len : len;
    memcpy(w->head + w->head_len, data, taken);
    w->head_len += taken;
    if (w->length == 0 && w->head_len == header) {
        w->length = number_at(w->head + header - 4) + header - 4;
        if (w->length < header)
            w->length = header;
    }
    return taken;
}

void wire_feed(wire *w, const unsigned char *data, size_t len)
{
    while (len > 0) {
        size_t taken = 1;
        if (w->lone_bytes > 0 && w->head_len == 0) {
            w->lone_bytes--;
            w->message++;
        } else if (w->length == 0 || w->head_len < WIRE_HEAD) {
            taken = feed_head(w, data, len);
        } else {
            uint64_t left = w->message + w->length - w->offset;
            taken = left < len ? (size_t)left : len;
        }
        w->offset += taken;
        data += taken;
        len -= taken;
        if (w->length > 0 && w->offset == w->message + w->length)
            take_message(w);
    }
}

uint64_t wire_limit(const wire *w)
{
    return w->is_started && w->length <= WIRE_HEAD ? w->message : w->offset;
}
