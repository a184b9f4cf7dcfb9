/*
 * request.c: one request as it arrives: what the parser says about it, and its body.
 *
 * The parser hands over pieces of any size and keeps nothing; what is needed of them is kept here,
 * and the rest (the other headers) forgotten. Nothing is decided in its callbacks.
 */
#include "request.h"

#include "limits.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct request *request_new(struct server *server, struct connection *connection)
{
    struct request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    request->server = server;
    request->connection = connection;
    return request;
}

void request_free_body(struct request *request)
{
    request->server->held -= request->body_capacity;
    free(request->body);
    request->body = NULL;
    request->body_capacity = 0;
}

void request_free(struct request *request)
{
    if (request == NULL)
        return;
    request_free_body(request);
    reply_free(&request->reply);
    free(request->text);
    free(request);
}

/* The capacity, grown by doubling, that holds `len` bytes. */
static size_t grown(size_t capacity, size_t least, size_t len)
{
    if (capacity < least)
        capacity = least;
    while (capacity < len)
        capacity *= 2;
    return capacity;
}

/* ---------------------------------------------------------------------------- line and headers */

/* Adds to the span, which is the last one in the text. Nonzero stops the parser. */
static int keep(struct request *request, struct span *span, const char *at, size_t len)
{
    size_t capacity = grown(request->text_capacity, 256, request->text_len + len);

    if (capacity > request->text_capacity) {
        char *text = realloc(request->text, capacity);
        if (text == NULL)
            return -1;
        request->text = text;
        request->text_capacity = capacity;
    }
    if (!span->is_there)
        *span = (struct span){.is_there = 1, .at = request->text_len};
    if (len > 0)
        memcpy(request->text + request->text_len, at, len);
    request->text_len += len;
    span->len += len;
    return 0;
}

static int on_target(http_parser *parser, const char *at, size_t len)
{
    struct request *request = parser->data;

    return keep(request, &request->target, at, len);
}

static int on_header_name(http_parser *parser, const char *at, size_t len)
{
    struct request *request = parser->data;
    size_t room;

    if (request->is_in_value) {
        request->is_in_value = 0;
        request->name_len = 0;
    }
    room = sizeof request->name - request->name_len;
    memcpy(request->name + request->name_len, at, len < room ? len : room);
    request->name_len += len < room ? len : room;
    return 0;
}

/* Where the value of the header goes whose name was read. Of one that was sent twice, the first
 * counts; one that comes after the body, in a trailer, does not. */
static struct span *value_span(struct request *request)
{
    const struct {
        const char *name;
        struct span *span;
    } wanted[] = {{"authorization", &request->authorization},
                  {"idempotency-key", &request->idempotency_key},
                  {"expect", &request->expect}};

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && !request->head_is_done; i++) {
        if (request->name_len == strlen(wanted[i].name) &&
            strncasecmp(request->name, wanted[i].name, request->name_len) == 0)
            return wanted[i].span->is_there ? NULL : wanted[i].span;
    }
    return NULL;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct request *request = parser->data;

    if (!request->is_in_value) {
        request->is_in_value = 1;
        request->value = value_span(request);
    }
    return request->value == NULL ? 0 : keep(request, request->value, at, len);
}

/* The path in a request's target, which may be a whole URL (RFC 9112, section 3.2.2). */
static const char *find_path(const char *target, size_t len, size_t *path_len)
{
    const char *end = memchr(target, '?', len);
    const char *path = target;

    if (end == NULL)
        end = target + len;
    if (len > 7 && strncasecmp(target, "http://", 7) == 0) {
        path = memchr(target + 7, '/', (size_t)(end - target) - 7);
        if (path == NULL)
            path = end;
    }
    *path_len = (size_t)(end - path);
    return path;
}

/* Sets route and chatbot. The segment is decoded in place, the path being of no use afterwards. */
static void find_route(struct request *request)
{
    size_t path_len, segment_len;
    const char *segment;
    const char *path =
        find_path(request->text + request->target.at, request->target.len, &path_len);

    request->route = route_find(path, path_len, &segment, &segment_len);
    request->chatbot_id.at = (size_t)(segment - request->text);
    request->chatbot_id.len = route_decode(request->text + request->chatbot_id.at, segment_len);
}

static int stop(http_parser *parser, enum request_event event)
{
    struct request *request = parser->data;

    request->event = event;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_head(http_parser *parser)
{
    struct request *request = parser->data;

    request->head_is_done = 1;
    request->method = http_method_str((enum http_method)parser->method);
    find_route(request);
    parser->upgrade = 0; /* no other protocol is spoken here: RFC 9110, 7.8, lets it be ignored */
    return stop(parser, HEAD_ARRIVED);
}

uint64_t request_declared_length(const http_parser *parser)
{
    if ((parser->flags & F_CHUNKED) != 0)
        return UINT64_MAX;
    return parser->content_length == UINT64_MAX ? 0 : parser->content_length;
}

/* A value without the white space after it; the parser has skipped what is before it. */
static size_t trimmed(const struct request *request, const struct span *span)
{
    const char *text = request->text + span->at;
    size_t len = span->len;

    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return len;
}

int request_expects_continue(const struct request *request, const http_parser *parser)
{
    static const char wanted[] = "100-continue";

    return request->expect.is_there && request_declared_length(parser) > 0 &&
           trimmed(request, &request->expect) == sizeof wanted - 1 &&
           strncasecmp(request->text + request->expect.at, wanted, sizeof wanted - 1) == 0 &&
           (parser->http_major > 1 || parser->http_minor >= 1);
}

bb_request request_for_library(const struct request *request)
{
    const struct span *key = &request->authorization;
    const struct span *idempotency_key = &request->idempotency_key;
    bb_request to;

    bb_request_init(&to);
    to.chatbot_id = request->text + request->chatbot_id.at;
    to.chatbot_id_len = request->chatbot_id.len;
    if (key->is_there) {
        to.authorization = request->text + key->at;
        to.authorization_len = trimmed(request, key);
    }
    if (idempotency_key->is_there) {
        to.idempotency_key = request->text + idempotency_key->at;
        to.idempotency_key_len = trimmed(request, idempotency_key);
    }
    return to;
}

/* --------------------------------------------------------------------------------------- body */

/* Makes room for `len` bytes in all, unless that is more than the server wants to hold. Large
 * bodies leave a quarter to small ones, which are most. */
static int make_room(struct request *request, size_t len)
{
    size_t capacity = grown(request->body_capacity, 1024, len);
    size_t more = capacity - request->body_capacity;
    size_t limit = capacity > SMALL_BODY ? MAX_HELD / 4 * 3 : MAX_HELD;
    char *body;

    if (more == 0)
        return 1;
    if (request->server->held + more > limit)
        return 0;
    body = realloc(request->body, capacity);
    if (body == NULL)
        return 0;
    request->body = body;
    request->body_capacity = capacity;
    request->server->held += more;
    return 1;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct request *request = parser->data;

    if (!request->is_for_library) /* a small one then, which only has to be read */
        return 0;
    if (len > bb_contacts_max_body(request->server->contacts) - request->body_len) {
        request->body_len += len;
        return stop(parser, BODY_TOO_LARGE);
    }
    if (!make_room(request, request->body_len + len))
        return stop(parser, NO_ROOM);
    memcpy(request->body + request->body_len, at, len);
    request->body_len += len;
    return 0;
}

static int on_end(http_parser *parser)
{
    struct request *request = parser->data;

    /* The two lengths may be a smuggler's work: RFC 9112, 6.1, wants the connection closed. */
    request->keep_alive =
        http_should_keep_alive(parser) &&
        (parser->flags & (F_CHUNKED | F_CONTENTLENGTH)) != (F_CHUNKED | F_CONTENTLENGTH);
    return stop(parser, BODY_ARRIVED);
}

const http_parser_settings request_callbacks = {.on_url = on_target,
                                                .on_header_field = on_header_name,
                                                .on_header_value = on_header_value,
                                                .on_headers_complete = on_head,
                                                .on_body = on_body,
                                                .on_message_complete = on_end};
