/*
 * connection.c: one client's connection: what is read from it, in which state it is, and its end.
 *
 * A connection has one request at a time. While that is answered, reading goes on, which shows
 * whether the client is still there. Once the client has sent something ahead, that is kept, and no
 * more is read.
 */
#include "connection.h"

#include "answer.h"
#include "exchange.h"
#include "framing.h"
#include "server.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static uv_stream_t *stream_of(struct connection *connection)
{
    return (uv_stream_t *)&connection->socket;
}

/* ------------------------------------------------------------------------- what is waited for */

static void start(struct connection *connection, struct timeout *timeout, enum timeout_kind kind)
{
    timeout_start(&connection->server->timeouts, timeout, kind, uv_now(&connection->server->loop));
}

static void wait_for_client(struct connection *connection, enum timeout_kind kind)
{
    start(connection, &connection->timeout, kind);
}

void connection_await_body(struct connection *connection)
{
    connection->state = RECEIVING;
    start(connection, &connection->arrival, TIMEOUT_BODY);
}

void connection_await_answer(struct connection *connection)
{
    connection->state = WAITING;
    timeout_stop(&connection->timeout);
    timeout_stop(&connection->arrival);
}

void connection_await_sending(struct connection *connection)
{
    connection->state = SENDING;
    timeout_stop(&connection->arrival);
    wait_for_client(connection, TIMEOUT_IDLE);
}

/* -------------------------------------------------------------------------------------- reading */

/* Keeps what was sent ahead. */
static void keep(struct connection *connection, const char *data, size_t len)
{
    char *ahead = realloc(connection->ahead, connection->ahead_len + len);

    if (ahead == NULL) {
        connection_close(connection);
        return;
    }
    memcpy(ahead + connection->ahead_len, data, len);
    connection->ahead = ahead;
    connection->ahead_len += len;
    uv_read_stop(stream_of(connection));
}

/* The parser's data is the request, which is made when its first byte arrives. */
static int has_request(struct connection *connection)
{
    if (connection->request == NULL) {
        connection->request = request_new(connection->server, connection);
        start(connection, &connection->arrival, TIMEOUT_HEAD);
    }
    connection->parser.data = connection->request;
    return connection->request != NULL;
}

/* After an event, the end of the request may need no more bytes: there is no body, or all of it has
 * been read. */
static void parse(struct connection *connection, const char *data, size_t len)
{
    int has_stopped = 0;

    while (connection->state == RECEIVING && (len > 0 || has_stopped)) {
        size_t used;
        if (!has_request(connection)) {
            connection_close(connection);
            return;
        }
        used = framing_read(&connection->parser, data, len);
        data += used;
        len -= used;
        has_stopped = connection->request->event != NO_EVENT;
        if (has_stopped)
            exchange_go_on(connection);
    }
    if (len > 0 && (connection->state == WAITING || connection->state == SENDING))
        keep(connection, data, len);
}

/* The client sends no more. It may have closed only its side. */
static void end(struct connection *connection)
{
    connection->has_ended = 1;
    if (connection->state == WAITING)
        wait_for_client(connection, TIMEOUT_GONE);
    else if (connection->state != SENDING)
        connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;

    if (count == UV_EOF) {
        end(connection);
    } else if (count < 0) {
        connection_close(connection);
    } else if (count > 0 && connection->state != LINGERING) {
        if (connection->state == RECEIVING)
            wait_for_client(connection, TIMEOUT_IDLE);
        parse(connection, buffer->base, (size_t)count);
    }
}

/* What is read is parsed at once, so one buffer does for all connections. */
static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(connection->server->buffer, READ_SIZE);
}

static void read_on(struct connection *connection)
{
    int status = uv_read_start(stream_of(connection), on_room_wanted, on_read);

    if (status != 0 && status != UV_EALREADY)
        connection_close(connection);
}

void connection_resume(struct connection *connection)
{
    char *ahead = connection->ahead;
    size_t len = connection->ahead_len;

    connection->ahead = NULL;
    connection->ahead_len = 0;
    if (connection->state == RECEIVING)
        wait_for_client(connection, TIMEOUT_IDLE);
    if (len > 0)
        parse(connection, ahead, len);
    free(ahead);
    if (connection->state == CLOSING)
        return;
    if (!connection->has_ended && connection->ahead == NULL)
        read_on(connection);
    else if (connection->has_ended && connection->state == RECEIVING)
        connection_close(connection);
}

void connection_next(struct connection *connection)
{
    request_free(connection->request);
    connection->request = NULL;
    connection->state = RECEIVING;
    connection_resume(connection);
}

/* ------------------------------------------------------------------------- beginning and end */

int connection_accept(struct server *server)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return 0;
    if (uv_tcp_init(&server->loop, &connection->socket) != 0) {
        free(connection);
        return 0;
    }
    connection->socket.data = connection;
    connection->server = server;
    server->connections++;
    framing_init(&connection->parser);
    if (uv_accept((uv_stream_t *)&server->listener, stream_of(connection)) != 0) {
        connection_close(connection);
        return 1;
    }
    uv_tcp_nodelay(&connection->socket, 1);
    wait_for_client(connection, TIMEOUT_IDLE);
    read_on(connection);
    return 1;
}

/* The callbacks of writing and shutting down have run by now, so the request is not in use. */
static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct server *server = connection->server;

    request_free(connection->request);
    free(connection->ahead);
    free(connection);
    server_connection_gone(server);
}

void connection_close(struct connection *connection)
{
    enum connection_state state = connection->state;

    if (state == CLOSING)
        return;
    connection->state = CLOSING;
    timeout_stop(&connection->timeout);
    timeout_stop(&connection->arrival);
    uv_close((uv_handle_t *)&connection->socket, on_closed);
    if (state == WAITING) { /* the request is freed when its answer comes, be it a 503 or not */
        struct request *request = connection->request;
        connection->request = NULL;
        request->connection = NULL;
        exchange_cancel(request);
    }
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    struct connection *connection = shutdown->data;

    if (status != 0)
        connection_close(connection);
}

void connection_finish(struct connection *connection)
{
    uv_shutdown_t *shutdown = &connection->request->uv.shutdown;
    int all_is_read = !connection->request->is_refused && connection->ahead == NULL;

    connection->state = LINGERING;
    free(connection->ahead);
    connection->ahead = NULL;
    connection->ahead_len = 0;
    shutdown->data = connection;
    if (connection->has_ended || all_is_read ||
        uv_shutdown(shutdown, stream_of(connection), on_shut_down) != 0) {
        connection_close(connection);
        return;
    }
    wait_for_client(connection, TIMEOUT_LINGER);
    read_on(connection);
}

int connection_is_idle(const struct connection *connection)
{
    return connection->state == RECEIVING &&
           (connection->request == NULL || !connection->request->head_is_done);
}

/* ------------------------------------------------------------------------------------- timeouts */

/* Whether some of the answer went out since it was last looked at. */
static int has_moved(struct connection *connection)
{
    size_t unsent = uv_stream_get_write_queue_size(stream_of(connection));
    int moved = unsent < connection->unsent;

    connection->unsent = unsent;
    return moved;
}

void connection_expired(struct timeout *timeout, enum timeout_kind kind)
{
    size_t at = kind == TIMEOUT_HEAD || kind == TIMEOUT_BODY ? offsetof(struct connection, arrival)
                                                             : offsetof(struct connection, timeout);
    struct connection *connection = (void *)((char *)timeout - at);

    if (kind == TIMEOUT_GONE) { /* works if it is still queued; the 503 is sent, in case someone
                                   reads it */
        timeout_stop(timeout);
        exchange_cancel(connection->request);
    } else if (connection->state == SENDING && has_moved(connection)) {
        wait_for_client(connection, TIMEOUT_IDLE);
    } else if (connection->state == RECEIVING && connection->request != NULL) {
        answer_refuse(connection, reply_from_text(408, "{\"message\":\"Request timeout\"}", NULL));
    } else {
        connection_close(connection);
    }
}
