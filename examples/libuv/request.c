/*
 * request.c: one request as it arrives: what is kept of its head, and its body.
 *
 * The parser hands over pieces of any size and keeps nothing. What is needed of them is kept here;
 * the rest, such as other headers, is forgotten.
 */
#include "request.h"

#include "http.h"
#include "limits.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>

struct request *request_new(struct server *server, struct connection *connection)
{
    struct request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    request->server = server;
    request->connection = connection;
    trace_begin(&request->trace);
    return request;
}

void request_end_body(struct request *request)
{
    request->server->held -= request->body_capacity;
    request->server->unasked -= request->unasked;
    request->unasked = 0;
    request->body_capacity = 0;
}

void request_free_body(struct request *request)
{
    request_end_body(request);
    free(request->body);
    request->body = NULL;
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

int request_keep(struct request *request, struct span *span, const char *at, size_t len)
{
    size_t capacity = grown(request->text_capacity, 256, request->text_len + len);

    if (capacity > request->text_capacity) {
        char *text = realloc(request->text, capacity);
        if (text == NULL)
            return 0;
        request->text = text;
        request->text_capacity = capacity;
    }
    if (span->len == 0)
        span->at = request->text_len;
    if (len > 0)
        memcpy(request->text + request->text_len, at, len);
    request->text_len += len;
    span->len += len;
    return 1;
}

struct span *request_field(struct request *request)
{
    const struct {
        const char *name;
        struct span *span;
    } wanted[] = {{"authorization", &request->authorization},
                  {"idempotency-key", &request->idempotency_key},
                  {"expect", &request->expect},
                  {"host", &request->host},
                  {"transfer-encoding", &request->transfer_encoding},
                  {"content-encoding", &request->content_encoding},
                  {"x-request-id", &request->request_id}};

    if (http_is(request->name, request->name_len, "prefer") && !request->head_is_done) {
        request->prefer.len = 0;
        return &request->prefer;
    }

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && !request->head_is_done; i++) {
        if (http_is(request->name, request->name_len, wanted[i].name))
            return wanted[i].span->times++ == 0 ? wanted[i].span : NULL;
    }
    return NULL;
}

void request_end_field(struct request *request)
{
    if (request->is_in_value && request->value == &request->prefer)
        prefer_read(&request->trace.prefer, request->text + request->prefer.at,
                    request->prefer.len);
}

const char *request_value(const struct request *request, const struct span *span, size_t *len)
{
    const char *value = request->text + span->at;

    *len = http_trim(&value, span->len);
    return value;
}

/* Takes over the client's id, or makes one. */
static void read_id(struct request *request)
{
    size_t len;
    const char *id = request_value(request, &request->request_id, &len);

    trace_set_id(&request->trace, id, len);
}

void request_find_route(struct request *request)
{
    const char *target = request->text + request->target.at;
    size_t path_len, segment_len;
    const char *segment;
    const char *path = http_path(target, request->target.len, &path_len);

    query_read(&request->query, request->text + request->target.at, request->target.len);
    request->route = route_find(path, path_len, &segment, &segment_len);
    request->chatbot_id.at = (size_t)(segment - request->text);
    request->chatbot_id.len = route_decode(request->text + request->chatbot_id.at, segment_len);
    read_id(request);
}

bb_request request_for_library(const struct request *request)
{
    bb_request to;

    bb_request_init(&to);
    to.chatbot_id = request->text + request->chatbot_id.at;
    to.chatbot_id_len = request->chatbot_id.len;
    if (request->authorization.times > 0)
        to.authorization = request_value(request, &request->authorization, &to.authorization_len);
    if (request->idempotency_key.times > 0)
        to.idempotency_key =
            request_value(request, &request->idempotency_key, &to.idempotency_key_len);
    query_set(&request->query, &to);
    to.request_id = request->trace.id;
    to.request_id_len = strlen(request->trace.id);
    to.answer = request->trace.prefer.is_minimal ? BB_ANSWER_MINIMAL : BB_ANSWER_FULL;
    return to;
}

/* --------------------------------------------------------------------------------------- body */

int request_is_encoded(const struct request *request)
{
    size_t len;
    const char *coding = request_value(request, &request->content_encoding, &len);

    return request->content_encoding.times > 1 || !http_is_identity(coding, len);
}

int request_reserve(struct request *request, size_t len)
{
    if (len > MAX_UNASKED - request->server->unasked)
        return 0;
    request->unasked = len;
    request->server->unasked += len;
    return 1;
}

/* Makes room for `len` bytes in all, unless the server would hold too much then. Large bodies leave
 * a quarter of the room to small ones, which are the most frequent. */
static int make_room(struct request *request, size_t len)
{
    size_t least = request->unasked > 0 ? request->unasked : 1024;
    size_t capacity = grown(request->body_capacity, least, len);
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

enum request_event request_take_body(struct request *request, const char *at, size_t len)
{
    size_t before = request->body_len;

    request->body_len += len;
    if (!request->is_for_library) /* then it is a small body, which only has to be read */
        return NO_EVENT;
    if (len > bb_contacts_max_body(request->server->contacts) - before)
        return BODY_TOO_LARGE;
    if (!make_room(request, request->body_len))
        return NO_ROOM;
    memcpy(request->body + before, at, len);
    return NO_EVENT;
}
