/*
 * complaint.c: answers what libmicrohttpd refuses by itself.
 *
 * libmicrohttpd 0.9.75 answers what it cannot parse with a page of HTML, without asking its host;
 * after a Content-Length that is no number the page even has two heads. But it first writes a line
 * to its log, on the connection's thread. So this server sends JSON from there, as for every other
 * refusal (A3). Only a fault in the first line of a connection gets libmicrohttpd's page, since
 * this server does not know the connection yet.
 */
#include "complaint.h"

#include "send.h"

#include <string.h>
#include <sys/socket.h>

static _Thread_local int expected_fd = -1;

void complaint_expect(struct MHD_Connection *connection)
{
    expected_fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static struct reply reply_to(unsigned status)
{
    switch (status) {
    case MHD_HTTP_BAD_REQUEST:
        return reply_bad_request();
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return reply_from_text(status, "{\"message\":\"Payload too large\"}", NULL);
    case MHD_HTTP_URI_TOO_LONG:
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
        return reply_from_text(MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                               "{\"message\":\"Request header fields too large\"}", NULL);
    case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
        return reply_from_text(status, "{\"message\":\"HTTP version not supported\"}", NULL);
    default:
        return reply_from_text(MHD_HTTP_INTERNAL_SERVER_ERROR,
                               "{\"message\":\"Internal server error\"}", NULL);
    }
}

void complaint_log(void *cls, const char *format, va_list args)
{
    static const char complaint[] = "Error processing request (HTTP response code is %u";
    struct trace trace;
    struct reply reply;

    (void)cls;
    if (expected_fd < 0 || strncmp(format, complaint, sizeof complaint - 1) != 0)
        return;
    trace_begin(&trace); /* what the client has sent cannot be read */
    trace_ensure_id(&trace);
    reply = reply_to(va_arg(args, unsigned));
    reply.trace = &trace;
    send_instead(expected_fd, &reply);
    shutdown(expected_fd, SHUT_RDWR);
}
