/*
 * request.c: one HTTP request, from its headers to its answer.
 *
 * The library answers for everything under the endpoint's path; this file carries bytes to it and
 * decides when there are enough of them.
 */
#include "request.h"

#include "limits.h"
#include "route.h"
#include "send.h"
#include "server.h"

#include <stdlib.h>

struct request {
    enum route route;
    const char *method; /* libmicrohttpd's, valid as long as the request */
    char *body;
    size_t len;
    size_t capacity;
    size_t chatbot_id_len;
    char chatbot_id[]; /* the path segment, decoded; ROUTE_CONTACTS only */
};

size_t request_keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static struct request *request_new(const char *path, const char *method)
{
    const char *segment;
    size_t len;
    enum route route = route_find(path, strlen(path), &segment, &len);
    struct request *request = calloc(1, sizeof *request + len + 1);

    if (request == NULL)
        return NULL;
    request->route = route;
    request->method = method;
    /* Split first, decode then: a %2F is part of the segment, and a %00 does not end it. */
    memcpy(request->chatbot_id, segment, len);
    request->chatbot_id_len = route_decode(request->chatbot_id, len);
    return request;
}

void request_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code)
{
    struct server *server = cls;
    struct request *request = *context;

    (void)connection;
    (void)code;
    if (request == NULL)
        return;
    free(request->body);
    free(request);
    *context = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
}

/* A header's value as it came; NULL if there is none. Of one that was sent twice, the first. */
static const char *header(struct MHD_Connection *connection, const char *name, size_t *len)
{
    const char *value = NULL;

    *len = 0;
    MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, name, strlen(name), &value, len);
    return value;
}

/* The Content-Length; SIZE_MAX if the length is not known. libmicrohttpd has checked that it is a
 * number, and goes by Transfer-Encoding if there are both. */
static size_t declared_length(struct MHD_Connection *connection)
{
    size_t len;
    const char *text;

    if (header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING, &len) != NULL)
        return SIZE_MAX;
    text = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH, &len);
    return text == NULL ? 0 : (size_t)strtoull(text, NULL, 10);
}

/* What goes to the library: all but the body. */
static bb_request library_request(struct MHD_Connection *connection, const struct request *request)
{
    bb_request to;

    bb_request_init(&to);
    to.chatbot_id = request->chatbot_id;
    to.chatbot_id_len = request->chatbot_id_len;
    to.authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION, &to.authorization_len);
    to.idempotency_key = header(connection, "Idempotency-Key", &to.idempotency_key_len);
    return to;
}

/* The answer to a request that has `len` bytes of body; they are not read if there are too many. */
static struct reply upsert(struct server *server, struct MHD_Connection *connection,
                           const struct request *request, size_t len)
{
    bb_request to = library_request(connection, request);

    to.body = request->body;
    to.body_len = len;
    return reply_from_result(bb_contacts_upsert(server->contacts, &to));
}

/* The headers have arrived; the body, if there is one, has not. */
static enum MHD_Result begin(struct server *server, struct MHD_Connection *connection,
                             struct request *request)
{
    size_t declared = declared_length(connection);
    size_t max = bb_contacts_max_body(server->contacts);
    bb_request to = library_request(connection, request);
    struct reply reply;

    if (declared <= SMALL_BODY && declared <= max)
        return MHD_YES;
    if (route_is_for_library(request->route, request->method, server->contacts, &reply)) {
        if (declared > max && declared != SIZE_MAX) {
            reply = upsert(server, connection, request, declared);
        } else {
            reply = reply_from_result(bb_contacts_authorize(server->contacts, &to));
            if (reply.status == MHD_HTTP_OK) {
                reply_free(&reply);
                return MHD_YES;
            }
        }
    }
    return send_refusal(connection, &reply);
}

static int append(struct request *request, const char *data, size_t len)
{
    size_t capacity = request->capacity == 0 ? 4096 : request->capacity;
    char *body;

    while (capacity - request->len < len)
        capacity *= 2;
    if (capacity != request->capacity) {
        body = realloc(request->body, capacity);
        if (body == NULL)
            return 0;
        request->body = body;
        request->capacity = capacity;
    }
    memcpy(request->body + request->len, data, len);
    request->len += len;
    return 1;
}

/* A piece of the body has arrived. */
static enum MHD_Result receive(struct server *server, struct MHD_Connection *connection,
                               struct request *request, const char *data, size_t len)
{
    struct reply reply;

    if (len > bb_contacts_max_body(server->contacts) - request->len)
        reply = upsert(server, connection, request, request->len + len);
    else if (append(request, data, len))
        return MHD_YES;
    else
        reply = reply_from_result(bb_contacts_upsert(server->contacts, NULL)); /* a 500 */
    return send_refusal(connection, &reply);
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **context)
{
    struct server *server = cls;
    struct request *request = *context;
    size_t len = *upload_data_size;
    struct reply reply;

    (void)version;
    if (request == NULL) {
        request = request_new(url, method);
        if (request == NULL)
            return MHD_NO;
        *context = request;
        atomic_fetch_add(&server->in_flight, 1);
        return begin(server, connection, request);
    }
    if (len > 0) {
        *upload_data_size = 0; /* how much of it is left for another call */
        return receive(server, connection, request, upload_data, len);
    }
    if (route_is_for_library(request->route, request->method, server->contacts, &reply))
        reply = upsert(server, connection, request, request->len);
    return send_reply(connection, &reply, atomic_load(&server->stopping));
}
