/*
 * send.c: sends a reply, after the request's body or instead of the rest of it.
 */
#include "send.h"

#include "access_log.h"
#include "limits.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

static void keep_static(void *nothing)
{
    (void)nothing;
}

enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply, int close)
{
    /* The body is sent without a copy; the last reference frees it. */
    struct MHD_IoVec body = {reply->body, reply->len};
    struct MHD_Response *response = MHD_create_response_from_iovec(
        &body, 1, reply->owned == NULL ? keep_static : reply->release, reply->owned);
    struct reply_header headers[REPLY_MAX_HEADERS];
    size_t count = reply_headers(reply, headers);
    enum MHD_Result queued;

    access_log_write(reply);
    if (response == NULL) {
        reply_free(reply);
        return MHD_NO;
    }
    reply->owned = NULL;
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

/* Closes in stages (see limits.h). Blocks this connection's thread only. */
static void linger(int fd)
{
    char unwanted[16384];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int64_t end = now_ms() + LINGER_MS;

    shutdown(fd, SHUT_WR);
    for (int64_t left = LINGER_MS; left > 0; left = end - now_ms()) {
        ssize_t len;
        if (poll(&readable, 1, (int)left) == 0)
            return;
        len = recv(fd, unwanted, sizeof unwanted, 0);
        if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

/* (Plain sockets only: there is no TLS here.) */
void send_instead(int fd, struct reply *reply)
{
    static const char more[] = "Connection: close\r\n";
    char head[REPLY_HEAD_SIZE + sizeof more];
    size_t len =
        reply_head(reply, MHD_get_reason_phrase_for(reply->status), more, head, sizeof head);

    access_log_write(reply);
    /* Nothing else was sent for this request, so this fits into the socket's buffer. */
    if (send(fd, head, len, MSG_NOSIGNAL | MSG_MORE) == (ssize_t)len &&
        send(fd, reply->body, reply->len, MSG_NOSIGNAL) == (ssize_t)reply->len)
        linger(fd);
    reply_free(reply);
}

/* libmicrohttpd 0.9.75 takes an answer before or after a body, not in between, and then closes at
 * once. */
enum MHD_Result send_refusal(struct MHD_Connection *connection, struct reply *reply)
{
    send_instead(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                 reply);
    return MHD_NO; /* closes the connection */
}
