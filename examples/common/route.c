/*
 * route.c: what is served where; the paths and methods of both servers.
 */
#include "route.h"

static int is(const char *path, size_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(path, wanted, len) == 0;
}

enum route route_find(const char *path, size_t len, const char **segment, size_t *segment_len)
{
    static const char before[] = "/api/v1/chatbots/";
    const size_t before_len = sizeof before - 1;
    const char *rest, *slash;

    *segment = path;
    *segment_len = 0;
    if (is(path, len, "/healthz"))
        return ROUTE_HEALTH;
    if (is(path, len, "/metrics"))
        return ROUTE_METRICS;
    if (len < before_len || memcmp(path, before, before_len) != 0)
        return ROUTE_NONE;
    rest = path + before_len;
    slash = memchr(rest, '/', len - before_len);
    if (slash == NULL || !is(slash, (size_t)(path + len - slash), "/contacts"))
        return ROUTE_NONE;
    *segment = rest;
    *segment_len = (size_t)(slash - rest);
    return ROUTE_CONTACTS;
}

/* The value of a hexadecimal digit; -1 if it is none. */
static int hex(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);

    return found == NULL ? -1 : (int)((found - digits) & 15);
}

size_t route_decode(char *text, size_t len)
{
    size_t to = 0;

    for (size_t from = 0; from < len; from++) {
        if (text[from] == '%' && len - from > 2 && hex(text[from + 1]) >= 0 &&
            hex(text[from + 2]) >= 0) {
            text[to++] = (char)(hex(text[from + 1]) * 16 + hex(text[from + 2]));
            from += 2;
        } else {
            text[to++] = text[from];
        }
    }
    return to;
}

int route_is_for_library(enum route route, const char *method, bb_contacts *contacts,
                         struct reply *reply)
{
    int reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    if (route == ROUTE_CONTACTS && strcmp(method, "POST") == 0)
        return 1;
    if (route == ROUTE_NONE)
        *reply = reply_from_text(404, "{\"message\":\"Resource not found\"}", NULL);
    else if (route == ROUTE_HEALTH && reads)
        *reply = reply_from_text(200, "{\"status\":\"ok\"}", NULL);
    else if (route == ROUTE_METRICS && reads)
        *reply = reply_from_metrics(contacts);
    else
        *reply = reply_from_text(405, "{\"message\":\"Method not allowed\"}",
                                 route == ROUTE_CONTACTS ? "POST" : "GET, HEAD");
    return 0;
}
