/*
 * head.c: the head of a request, which says where the request ends.
 *
 * libmicrohttpd 0.9.75 accepts much that RFC 9112 forbids: lines that end in LF; values with NUL,
 * which it cuts there; continued lines, which it appends to the field's name; white space before
 * the colon; and the first of two Content-Length fields. It parses in place, with NUL where it
 * split a line, and its pointers lead into the bytes that were sent. So every byte of the head can
 * be accounted for: each field must begin where the one before it ended with CRLF, and the head
 * must end after the last.
 */
#include "head.h"

#include "http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Whether libmicrohttpd has replaced CRLF by NULs there. */
static int is_line_end(const char *at)
{
    return at[0] == '\0' && at[1] == '\0';
}

/* Whether a field and its line end are all that lies between `after` and `*next`. */
static int is_whole_line(const char *after, const char *name, size_t name_len, const char *value,
                         size_t value_len, const char **next)
{
    if (name != after || name[name_len] != '\0' || value <= name + name_len)
        return 0;
    for (const char *at = name + name_len + 1; at < value; at++)
        if (*at != ' ' && *at != '\t')
            return 0;
    *next = value + value_len + 2;
    return http_is_name(name, name_len) && http_is_value(value, value_len) &&
           is_line_end(value + value_len);
}

/* What the field says about the request's end; 0 if it is wrong. */
static int read_field(struct head *head, const char *name, size_t name_len, const char *value,
                      size_t value_len)
{
    size_t len = http_trim(&value, value_len);

    if (http_is(name, name_len, MHD_HTTP_HEADER_HOST))
        return ++head->hosts == 1 && http_is_host(value, len);
    if (http_is(name, name_len, MHD_HTTP_HEADER_CONTENT_ENCODING))
        head->is_encoded |= !http_is_identity(value, len);
    if (http_is(name, name_len, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        /* libmicrohttpd has made sure that it fits into 64 bits. */
        head->length = (size_t)strtoull(value, NULL, 10);
        return ++head->lengths == 1 && http_is_length(value, len);
    }
    /* libmicrohttpd reads chunks only for exactly this value, without white space after it. */
    if (http_is(name, name_len, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        return ++head->codings == 1 && http_is(value, value_len, "chunked");
    return 1;
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len)
{
    struct head *head = cls;

    (void)kind;
    if (is_whole_line(head->after, name, name_len, value, value_len, &head->after) &&
        read_field(head, name, name_len, value, value_len))
        return MHD_YES;
    head->after = NULL;
    return MHD_NO;
}

int head_read(struct MHD_Connection *connection, const char *method, const char *version,
              struct head *head)
{
    size_t size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    int is_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;

    memset(head, 0, sizeof *head);
    if (!http_is_name(method, strlen(method)) || !is_line_end(version + strlen(version)))
        return 0;
    head->after = version + strlen(version) + 2;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_field, head);
    if (head->after == NULL || !is_line_end(head->after) || head->after + 2 != method + size)
        return 0;
    if (head->codings > 0)
        head->length = SIZE_MAX;
    if (head->length == 0)
        head->is_encoded = 0;
    return is_1_0 || head->hosts == 1;
}
