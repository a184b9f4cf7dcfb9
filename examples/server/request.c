/*
 * request.c: one HTTP request, from its headers to its answer.
 *
 * The library answers for everything under the endpoint's path; this file carries bytes to it and
 * decides when there are enough of them.
 */
#include "request.h"

#include "complaint.h"
#include "head.h"
#include "http.h"
#include "limits.h"
#include "query.h"
#include "route.h"
#include "send.h"
#include "server.h"

#include <stdlib.h>

struct request {
    enum route route;
    struct trace trace;
    const char *method;     /* this and the next are libmicrohttpd's, valid as long as the
                               request */
    const char *target_end; /* NULL: the target is not valid */
    struct query query;
    int has_begun; /* its head has arrived */
    int is_last;   /* the connection is closed after it */
    char *body;
    size_t len;
    size_t capacity;
    size_t chatbot_id_len;
    char chatbot_id[]; /* the path segment, decoded; ROUTE_CONTACTS only */
};

/* What this server keeps of a connection: its request, if one is under way. libmicrohttpd 0.9.75
 * does not tell of the end of one whose target has more parameters than it has room for. */
struct connection {
    struct request *request;
};

static void free_request(struct request *request)
{
    if (request == NULL)
        return;
    free(request->body);
    free(request);
}

void request_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code)
{
    struct connection *kept = *context;

    (void)cls;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = calloc(1, sizeof *kept);
    } else if (kept != NULL) {
        free_request(kept->request);
        free(kept);
        *context = NULL;
    }
}

/* NULL if there was no memory for it. */
static struct connection *connection_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

size_t request_keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

void *request_new(void *cls, const char *target, struct MHD_Connection *connection)
{
    size_t target_len = strlen(target);
    size_t path_len, len;
    const char *path = http_path(target, target_len, &path_len);
    const char *segment;
    enum route route = route_find(path, path_len, &segment, &len);
    struct connection *kept = connection_of(connection);
    struct request *request = kept == NULL ? NULL : calloc(1, sizeof *request + len + 1);

    (void)cls;
    complaint_expect(connection);
    if (request == NULL)
        return NULL;
    kept->request = request;
    trace_begin(&request->trace);
    request->route = route;
    query_read(&request->query, target, target_len);
    request->target_end = http_is_target(target, target_len) ? target + target_len : NULL;
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

    (void)code;
    if (request == NULL)
        return;
    if (request->has_begun)
        atomic_fetch_sub(&server->in_flight, 1);
    connection_of(connection)->request = NULL;
    free_request(request);
    *context = NULL;
}

/* A header's value as it came; NULL if there is none. If it was sent twice, the first. */
static const char *header(struct MHD_Connection *connection, const char *name, size_t *len)
{
    const char *value = NULL;

    *len = 0;
    MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, name, strlen(name), &value, len);
    return value;
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
    query_set(&request->query, &to);
    to.request_id = request->trace.id;
    to.request_id_len = strlen(request->trace.id);
    to.answer = request->trace.prefer.is_minimal ? BB_ANSWER_MINIMAL : BB_ANSWER_FULL;
    return to;
}

/* The answer to a request with `len` bytes of body, which are not read if they are too many. */
static struct reply upsert(struct server *server, struct MHD_Connection *connection,
                           const struct request *request, size_t len)
{
    bb_request to = library_request(connection, request);

    to.body = request->body;
    to.body_len = len;
    return reply_from_result(bb_contacts_upsert(server->contacts, &to));
}

/* Whether to read the body; if not, `*reply` is the answer. */
static int wants_body(struct server *server, struct MHD_Connection *connection,
                      const struct request *request, const struct head *head, struct reply *reply)
{
    size_t max = bb_contacts_max_body(server->contacts);
    bb_request to = library_request(connection, request);

    if (head->length <= SMALL_BODY && head->length <= max && !head->is_encoded)
        return 1;
    if (!route_is_for_library(request->route, request->method, server->contacts, reply))
        return 0;
    if (head->length > max && head->length != SIZE_MAX) {
        *reply = upsert(server, connection, request, head->length);
        return 0;
    }
    *reply = reply_from_result(bb_contacts_authorize(server->contacts, &to));
    if (reply->status != MHD_HTTP_OK)
        return 0;
    reply_free(reply);
    if (head->is_encoded)
        *reply = reply_encoded_body();
    return !head->is_encoded;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, const struct request *request,
                              struct reply *reply)
{
    reply->trace = &request->trace;
    return send_refusal(connection, reply);
}

static enum MHD_Result on_preference(void *prefer, enum MHD_ValueKind kind, const char *name,
                                     size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    if (http_is(name, name_len, "Prefer"))
        prefer_read(prefer, value, value_len);
    return MHD_YES;
}

/* What the head says about the answer. */
static void read_trace(struct MHD_Connection *connection, struct trace *trace)
{
    size_t len;
    const char *id = header(connection, "X-Request-Id", &len);

    trace_set_id(trace, id, len);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_preference, &trace->prefer);
}

/* The head has arrived; the body, if there is one, has not. */
static enum MHD_Result begin(struct server *server, struct MHD_Connection *connection,
                             struct request *request, const char *version)
{
    struct head head;
    struct reply reply;

    read_trace(connection, &request->trace);
    /* Between target and version there is one space. */
    if (request->target_end == NULL || request->target_end + 1 != version ||
        !head_read(connection, request->method, version, &head))
        reply = reply_bad_request();
    else if (wants_body(server, connection, request, &head, &reply)) {
        /* libmicrohttpd 0.9.75 takes a bare LF for a chunk's CRLF. A strict proxy sees the body end
         * elsewhere. So nothing after such a body is taken for another request. */
        request->is_last = head.length == SIZE_MAX;
        return MHD_YES;
    }
    return refuse(connection, request, &reply);
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
    return refuse(connection, request, &reply);
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **context)
{
    struct server *server = cls;
    struct request *request = *context;
    size_t len = *upload_data_size;
    struct reply reply;

    (void)url; /* cut at the query, and at NUL: see request_new() */
    if (request == NULL)
        return MHD_NO; /* there was no memory for it */
    if (!request->has_begun) {
        request->has_begun = 1;
        request->method = method;
        atomic_fetch_add(&server->in_flight, 1);
        return begin(server, connection, request, version);
    }
    if (len > 0) {
        *upload_data_size = 0; /* the part that is left for another call */
        return receive(server, connection, request, upload_data, len);
    }
    if (route_is_for_library(request->route, request->method, server->contacts, &reply))
        reply = upsert(server, connection, request, request->len);
    reply.trace = &request->trace;
    return send_reply(connection, &reply, request->is_last || atomic_load(&server->stopping));
}
