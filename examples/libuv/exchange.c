/*
 * exchange.c: what becomes of a request, from its headers to its answer.
 *
 * The library answers for everything under the endpoint's path. It is only ever asked by functions
 * that do not wait; its answers come back through results.h.
 */
#include "exchange.h"

#include "limits.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- answers */

/* libuv only reads what it is to send, though its types do not say so. */
static uv_buf_t buffer_of(const char *base, size_t len)
{
    union {
        const char *read;
        char *any;
    } pointer = {base};

    return uv_buf_init(pointer.any, (unsigned)len);
}

static void on_sent(uv_write_t *write, int status)
{
    struct connection *connection = write->data;

    if (connection->state == CLOSING)
        return;
    if (status != 0)
        connection_close(connection);
    else if (connection->request->is_last)
        connection_finish(connection);
    else
        connection_next(connection);
}

/* Sends the request's reply. */
static void answer(struct connection *connection)
{
    struct server *server = connection->server;
    struct request *request = connection->request;
    struct reply *reply = &request->reply;
    int has_body = request->method == NULL || strcmp(request->method, "HEAD") != 0;
    char more[sizeof server->date + 32];
    uv_buf_t parts[2];
    size_t len;

    request->is_last =
        request->is_refused || !request->keep_alive || connection->has_ended || server->is_stopping;
    snprintf(more, sizeof more, "Date: %s\r\n%s", server->date,
             request->is_last ? "Connection: close\r\n" : "");
    len = reply_head(reply, http_status_str((enum http_status)reply->status), more,
                     request->reply_head, sizeof request->reply_head);
    parts[0] = buffer_of(request->reply_head, len);
    parts[1] = buffer_of(reply->body, reply->len);

    connection->state = SENDING;
    connection->unsent = len + reply->len;
    timeout_start(&server->timeouts, &connection->timeout, TIMEOUT_IDLE, uv_now(&server->loop));
    request->uv.write.data = connection;
    if (uv_write(&request->uv.write, (uv_stream_t *)&connection->socket, parts, has_body ? 2 : 1,
                 on_sent) != 0)
        connection_close(connection);
}

/* Answers, though the request has not arrived whole; what is missing of it is not wanted. */
static void refuse(struct connection *connection, unsigned status, const char *body)
{
    struct request *request = connection->request;

    reply_free(&request->reply); /* which was for when it would have arrived */
    request->reply = reply_from_text(status, body, NULL);
    request->is_refused = 1;
    answer(connection);
}

void exchange_refuse_malformed(struct connection *connection)
{
    switch ((int)HTTP_PARSER_ERRNO(&connection->parser)) {
    case HPE_HEADER_OVERFLOW:
        refuse(connection, 431, "{\"message\":\"Request header fields too large\"}");
        break;
    case HPE_CB_url: /* a callback of ours fails when memory runs out */
    case HPE_CB_header_value:
        refuse(connection, 500, "{\"message\":\"Internal server error\"}");
        break;
    default:
        refuse(connection, 400, "{\"message\":\"Bad request\"}");
    }
}

/* --------------------------------------------------------------------------------- the library */

static void wait_for_answer(struct connection *connection)
{
    connection->state = WAITING;
    timeout_stop(&connection->timeout); /* the library has its own */
}

static void take_early_answer(struct request *request)
{
    if (request->early != NULL)
        exchange_take_result(request);
}

/* Hands a request over, all of its body or the length of one that is too large. */
static void hand_over(struct request *request)
{
    bb_request to = request_for_library(request);

    to.body = request->body;
    to.body_len = request->body_len;
    request->early =
        bb_contacts_submit(request->server->contacts, &to, results_put, request, &request->ticket);
}

static void on_pool(uv_work_t *work)
{
    hand_over(work->data);
}

/* Back on the loop's thread. The answer may be there already, and the client may be gone. */
static void on_handed_over(uv_work_t *work, int status)
{
    struct request *request = work->data;

    (void)status; /* nobody cancels it */
    request->server->handing_over--;
    request->is_handing_over = 0;
    request_free_body(request);
    if (request->has_overtaken || request->early != NULL)
        exchange_take_result(request);
    else if (request->connection == NULL)
        exchange_cancel(request);
}

/* The library reads a body before it queues it, which takes milliseconds for a large one: so long
 * the other connections would wait for this thread. */
static void submit(struct connection *connection)
{
    struct request *request = connection->request;

    wait_for_answer(connection);
    if (request->body_capacity > SMALL_BODY) {
        request->is_handing_over = 1;
        request->server->handing_over++;
        request->uv.work.data = request;
        uv_queue_work(&request->server->loop, &request->uv.work, on_pool, on_handed_over);
        return;
    }
    hand_over(request);
    request_free_body(request); /* the library has a copy of what it needs */
    take_early_answer(request);
}

void exchange_cancel(struct request *request)
{
    if (!request->is_handing_over)
        bb_contacts_cancel(request->server->contacts, request->ticket);
}

/* Asks whether the caller may send a large body. */
static void authorize(struct connection *connection)
{
    struct request *request = connection->request;
    bb_request to = request_for_library(request);

    wait_for_answer(connection);
    request->is_authorizing = 1;
    request->early = bb_contacts_submit_authorize(request->server->contacts, &to, results_put,
                                                  request, &request->ticket);
    take_early_answer(request);
}

/* Tells a client that waits for it to send the body. */
static void send_continue(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t part = buffer_of(line, sizeof line - 1);
    int sent;

    if (!request_expects_continue(connection->request, &connection->parser))
        return;
    /* All answers before are sent, so that there is room, unless the client does not read; it may
     * send the body all the same (RFC 9110, 10.1.1). */
    sent = uv_try_write((uv_stream_t *)&connection->socket, &part, 1);
    if (sent > 0 && sent < (int)sizeof line - 1)
        connection_close(connection);
}

/* The caller may send the body. */
static void go_on_receiving(struct connection *connection)
{
    connection->request->is_authorizing = 0;
    connection->request->early = NULL;
    connection->state = RECEIVING;
    send_continue(connection);
    connection_resume(connection);
}

void exchange_take_result(struct request *request)
{
    struct connection *connection = request->connection;
    bb_result *result;

    if (request->is_handing_over) {
        request->has_overtaken = 1;
        return;
    }
    result = request->early != NULL ? request->early : request->result;
    if (connection == NULL) {
        bb_result_free(result);
        request_free(request);
    } else if (request->is_authorizing && bb_result_http_status(result) == 200) {
        bb_result_free(result);
        go_on_receiving(connection);
    } else {
        request->is_refused |= request->is_authorizing;
        request->reply = reply_from_result(result);
        answer(connection);
    }
}

/* ----------------------------------------------------------------------------------- decisions */

/* The headers have arrived; the body, if there is one, has not. */
static void begin(struct connection *connection)
{
    struct request *request = connection->request;
    bb_contacts *contacts = connection->server->contacts;
    uint64_t declared = request_declared_length(&connection->parser);
    uint64_t max = bb_contacts_max_body(contacts);

    request->is_for_library =
        route_is_for_library(request->route, request->method, contacts, &request->reply);
    if (declared <= SMALL_BODY && declared <= max) {
        send_continue(connection);
    } else if (!request->is_for_library) {
        request->is_refused = 1;
        answer(connection);
    } else if (declared > max && declared != UINT64_MAX) {
        request->is_refused = 1;
        request->body_len = (size_t)declared;
        submit(connection);
    } else {
        authorize(connection);
    }
}

void exchange_go_on(struct connection *connection)
{
    struct request *request = connection->request;

    switch (request->event) {
    case HEAD_ARRIVED:
        begin(connection);
        break;
    case BODY_ARRIVED:
        if (request->is_for_library)
            submit(connection);
        else
            answer(connection);
        break;
    case BODY_TOO_LARGE:
        request->is_refused = 1;
        request_free_body(request); /* its length alone is enough */
        submit(connection);
        break;
    case NO_ROOM:
        refuse(connection, 503, "{\"message\":\"Service unavailable\"}");
        break;
    }
}
