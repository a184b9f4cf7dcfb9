/*
 * reply.c: sends an answer, after the request's body or instead of the rest of it.
 */
#include "reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum { MAX_HEADERS = 3, LINGER_MS = 2000 };

struct header {
    const char *name;
    const char *value;
};

struct reply reply_from_result(bb_result *result)
{
    struct reply reply = {.status = (unsigned)bb_result_http_status(result), .result = result};

    reply.body = bb_result_body(result, &reply.len);
    return reply;
}

struct reply reply_from_text(unsigned status, const char *body, const char *allow)
{
    struct reply reply = {.status = status, .body = body, .len = strlen(body), .allow = allow};

    return reply;
}

void reply_free(struct reply *reply)
{
    bb_result_free(reply->result);
    reply->result = NULL;
}

/* The headers besides those of the connection and the length; returns how many. */
static size_t headers_of(const struct reply *reply, struct header *headers)
{
    size_t count = 0;

    headers[count++] = (struct header){MHD_HTTP_HEADER_CONTENT_TYPE, "application/json"};
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        headers[count++] = (struct header){MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"};
    if (reply->status == MHD_HTTP_SERVICE_UNAVAILABLE)
        headers[count++] = (struct header){MHD_HTTP_HEADER_RETRY_AFTER, "1"};
    if (reply->allow != NULL)
        headers[count++] = (struct header){MHD_HTTP_HEADER_ALLOW, reply->allow};
    return count;
}

static void free_result(void *result)
{
    bb_result_free(result);
}

enum MHD_Result reply_send(struct MHD_Connection *connection, struct reply *reply, int close)
{
    /* The body goes out from where the library put it; the last reference frees the result. */
    struct MHD_IoVec body = {reply->body, reply->len};
    struct MHD_Response *response =
        MHD_create_response_from_iovec(&body, 1, free_result, reply->result);
    struct header headers[MAX_HEADERS];
    size_t count = headers_of(reply, headers);
    enum MHD_Result queued;

    if (response == NULL) {
        reply_free(reply);
        return MHD_NO;
    }
    reply->result = NULL;
    for (size_t i = 0; i < count; i++)
        MHD_add_response_header(response, headers[i].name, headers[i].value);
    if (close)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    queued = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return queued;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Closes in stages, as RFC 9112, section 9.6, describes: a socket closed with bytes unread resets
 * the connection, and the client may lose the answer. Blocks this connection's thread only.
 */
static void linger(int fd)
{
    char unwanted[16384];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int64_t end = now_ms() + LINGER_MS;

    shutdown(fd, SHUT_WR);
    for (int64_t left = LINGER_MS; left > 0; left = end - now_ms()) {
        if (poll(&readable, 1, (int)left) == 0)
            return;
        if (recv(fd, unwanted, sizeof unwanted, 0) <= 0 && errno != EAGAIN && errno != EINTR)
            return;
    }
}

/*
 * libmicrohttpd 0.9.75 takes an answer before a body or after it, not in between, and then closes
 * at once. So this writes to the socket itself. (Plain sockets only: there is no TLS here.)
 */
enum MHD_Result reply_refuse(struct MHD_Connection *connection, struct reply *reply)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    char head[512];
    struct header headers[MAX_HEADERS];
    size_t count = headers_of(reply, headers);
    int len = snprintf(head, sizeof head, "HTTP/1.1 %u %s\r\n", reply->status,
                       MHD_get_reason_phrase_for(reply->status));

    for (size_t i = 0; i < count; i++)
        len += snprintf(head + len, sizeof head - (size_t)len, "%s: %s\r\n", headers[i].name,
                        headers[i].value);
    len += snprintf(head + len, sizeof head - (size_t)len,
                    "Content-Length: %zu\r\nConnection: close\r\n\r\n", reply->len);

    /* Nothing else was sent for this request, so that this fits into the socket's buffer. */
    if (send(fd, head, (size_t)len, MSG_NOSIGNAL | MSG_MORE) == len &&
        send(fd, reply->body, reply->len, MSG_NOSIGNAL) == (ssize_t)reply->len)
        linger(fd);
    reply_free(reply);
    return MHD_NO; /* closes the connection */
}
