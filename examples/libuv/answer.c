/*
 * answer.c: sends answers.
 */
#include "answer.h"

#include "access_log.h"
#include "buffer.h"
#include "framing.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

/* For people who read what went over the wire. */
static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return ""; /* RFC 9112, section 4, lets it be left out */
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

void answer_send(struct connection *connection)
{
    struct server *server = connection->server;
    struct request *request = connection->request;
    struct reply *reply = &request->reply;
    int has_body = request->method == NULL || strcmp(request->method, "HEAD") != 0;
    char more[sizeof server->date + 32];
    uv_buf_t parts[2];
    size_t len;

    trace_ensure_id(&request->trace); /* if its head has not arrived */
    reply->trace = &request->trace;
    access_log_write(reply);
    request->is_last =
        request->is_refused || !request->keep_alive || connection->has_ended || server->is_stopping;
    snprintf(more, sizeof more, "Date: %s\r\n%s", server->date,
             request->is_last ? "Connection: close\r\n" : "");
    len = reply_head(reply, reason_of(reply->status), more, request->reply_head,
                     sizeof request->reply_head);
    parts[0] = buffer_of(request->reply_head, len);
    parts[1] = buffer_of(reply->body, reply->len);

    connection_await_sending(connection);
    connection->unsent = len + reply->len;
    request->uv.write.data = connection;
    if (uv_write(&request->uv.write, (uv_stream_t *)&connection->socket, parts, has_body ? 2 : 1,
                 on_sent) != 0)
        connection_close(connection);
}

void answer_refuse(struct connection *connection, struct reply reply)
{
    struct request *request = connection->request;

    reply_free(&request->reply); /* which was meant for a request that had arrived whole */
    request->reply = reply;
    request->is_refused = 1;
    answer_send(connection);
}

void answer_continue(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t part = buffer_of(line, sizeof line - 1);
    int sent;

    if (!framing_expects_continue(&connection->parser))
        return;
    /* All earlier answers are sent, so there is room, unless the client does not read. If there is
     * none, it may send the body all the same (RFC 9110, 10.1.1). */
    sent = uv_try_write((uv_stream_t *)&connection->socket, &part, 1);
    if (sent > 0 && sent < (int)sizeof line - 1)
        connection_close(connection);
}
