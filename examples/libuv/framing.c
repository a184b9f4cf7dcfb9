/*
 * framing.c: where a request begins and ends: the parser, and what RFC 9112 asks for besides.
 *
 * The parser is llhttp, which is Node's, maintained, and strict. This file checks what it lets
 * pass: a proxy that reads such a request differently can be made to take a part of its body for
 * another request (RFC 9112, 11.2).
 */
#include "framing.h"

#include "http.h"
#include "request.h"

#include <string.h>

/* The bytes of framing that are allowed for each byte of a body in chunks. A chunk of one byte has
 * five, and more with leading zeros. This bounds extensions and trailers. */
enum { CHUNK_COST = 16 };

/* ----------------------------------------------------------------------------------- callbacks */

/* Leaves the event in the request, and returns what stops the parser. */
static int stop(llhttp_t *parser, enum request_event event)
{
    struct request *request = parser->data;

    request->event = event;
    return HPE_PAUSED;
}

static int keep(llhttp_t *parser, struct span *span, const char *at, size_t len)
{
    return request_keep(parser->data, span, at, len) ? 0 : stop(parser, OUT_OF_MEMORY);
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
    struct request *request = parser->data;

    return keep(parser, &request->target, at, len);
}

static int on_field_name(llhttp_t *parser, const char *at, size_t len)
{
    struct request *request = parser->data;
    size_t room = sizeof request->name - request->name_len;

    if (len > room)
        len = room;
    memcpy(request->name + request->name_len, at, len);
    request->name_len += len;
    return 0;
}

static int on_field_value(llhttp_t *parser, const char *at, size_t len)
{
    struct request *request = parser->data;

    if (request->name_len == 0)
        return stop(parser, MALFORMED);
    if (!request->is_in_value) {
        request->is_in_value = 1;
        request->value = request_field(request);
    }
    return request->value == NULL ? 0 : keep(parser, request->value, at, len);
}

static int on_field(llhttp_t *parser)
{
    struct request *request = parser->data;

    request_end_field(request);
    request->is_in_value = 0;
    request->name_len = 0;
    return 0;
}

/* Whether RFC 9112, 3.2, lets the request have this Host, or none. */
static int has_proper_host(const struct request *request, const llhttp_t *parser)
{
    size_t len;
    const char *host = request_value(request, &request->host, &len);

    if (request->host.times == 0)
        return parser->http_minor == 0;
    return request->host.times == 1 && http_is_host(host, len);
}

/* What becomes of a request with this head. */
static enum request_event judge(const struct request *request, const llhttp_t *parser)
{
    size_t len;
    const char *coding = request_value(request, &request->transfer_encoding, &len);

    if (parser->http_major != 1)
        return VERSION_UNKNOWN;
    if (!has_proper_host(request, parser))
        return MALFORMED;
    if (request->transfer_encoding.times == 0)
        return HEAD_ARRIVED;
    if (parser->http_minor == 0) /* which has no such field: RFC 9112, 6.1 */
        return MALFORMED;
    return http_is(coding, len, "chunked") ? HEAD_ARRIVED : CODING_UNKNOWN;
}

static int on_head(llhttp_t *parser)
{
    struct request *request = parser->data;

    request->head_is_done = 1;
    request->method = llhttp_method_name((llhttp_method_t)parser->method);
    request_find_route(request);
    parser->upgrade = 0; /* no other protocol is spoken here: RFC 9110, 7.8, lets it be ignored */
    return stop(parser, judge(request, parser));
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    enum request_event event = request_take_body(parser->data, at, len);

    return event == NO_EVENT ? 0 : stop(parser, event);
}

static int on_end(llhttp_t *parser)
{
    struct request *request = parser->data;

    request->keep_alive = llhttp_should_keep_alive(parser);
    return stop(parser, BODY_ARRIVED);
}

/* ------------------------------------------------------------------------------------- reading */

/* The parser takes LF for CRLF at the end of a request line, a head and a body in chunks, and lets
 * a field go on in the next line. RFC 9112, 2.2 and 5.2, let a server refuse both. Looks at the
 * bytes from `from` on. */
static int has_proper_lines(const struct request *request, const char *data, size_t from,
                            size_t len)
{
    for (size_t i = from; i < len; i++) {
        char before = i > 0 ? data[i - 1] : request->last_byte;
        if (data[i] == '\n' && before != '\r')
            return 0;
        if ((data[i] == ' ' || data[i] == '\t') && before == '\n')
            return 0;
    }
    return 1;
}

/* Whether the bytes that belong to no body are few enough. */
static int is_within_bounds(const struct request *request)
{
    size_t most = MAX_HEAD;

    if (request->head_is_done)
        most += CHUNK_COST * request->body_len;
    return request->framing_len <= most;
}

static enum request_event error_event(const llhttp_t *parser, llhttp_errno_t error)
{
    if ((error == HPE_INVALID_VERSION && parser->http_major > 1) || error == HPE_PAUSED_H2_UPGRADE)
        return VERSION_UNKNOWN;
    return MALFORMED;
}

size_t framing_read(llhttp_t *parser, const char *data, size_t len)
{
    struct request *request = parser->data;
    int is_head = !request->head_is_done;
    size_t body_len = request->body_len;
    llhttp_errno_t error;
    size_t lines; /* where the lines begin that are checked */

    request->event = NO_EVENT;
    error = llhttp_execute(parser, data, len);
    if (error != HPE_OK)
        len = (size_t)(llhttp_get_error_pos(parser) - data);
    if (error == HPE_PAUSED)
        llhttp_resume(parser);
    else if (error != HPE_OK)
        request->event = error_event(parser, error);

    request->framing_len += len - (request->body_len - body_len);
    lines = is_head ? 0 : len;
    if (request->event == BODY_ARRIVED && request->transfer_encoding.times > 0 && len > 0)
        lines = len - 1;
    if (!has_proper_lines(request, data, lines, len))
        request->event = MALFORMED;
    else if (!is_within_bounds(request))
        request->event = is_head ? HEAD_TOO_LARGE : MALFORMED;
    if (len > 0)
        request->last_byte = data[len - 1];
    return len;
}

uint64_t framing_declared_length(const llhttp_t *parser)
{
    if ((parser->flags & F_CHUNKED) != 0)
        return UINT64_MAX;
    return (parser->flags & F_CONTENT_LENGTH) != 0 ? parser->content_length : 0;
}

int framing_expects_continue(const llhttp_t *parser)
{
    const struct request *request = parser->data;
    size_t len;
    const char *expected = request_value(request, &request->expect, &len);

    return request->expect.times > 0 && framing_declared_length(parser) > 0 &&
           http_is(expected, len, "100-continue") && parser->http_minor > 0;
}

void framing_init(llhttp_t *parser)
{
    static const llhttp_settings_t callbacks = {.on_url = on_target,
                                                .on_header_field = on_field_name,
                                                .on_header_value = on_field_value,
                                                .on_header_value_complete = on_field,
                                                .on_headers_complete = on_head,
                                                .on_body = on_body,
                                                .on_message_complete = on_end};

    llhttp_init(parser, HTTP_REQUEST, &callbacks);
}
