/*
 * route.h: what is served where; the paths and methods of both servers.
 */
#ifndef BB_EXAMPLE_ROUTE_H
#define BB_EXAMPLE_ROUTE_H

#include "reply.h"

enum route {
    ROUTE_CONTACTS, /* /api/v1/chatbots/SEGMENT/contacts */
    ROUTE_HEALTH,   /* /healthz */
    ROUTE_METRICS,  /* /metrics */
    ROUTE_NONE
};

/* The route of a path without its query, not decoded. For ROUTE_CONTACTS, `*segment` is the part
 * that names the chatbot, as it was sent; otherwise it is empty. */
enum route route_find(const char *path, size_t len, const char **segment, size_t *segment_len);

/* Decodes percent-encoding in place, once. Returns the new length. A percent sign that begins no
 * encoding stays. */
size_t route_decode(char *text, size_t len);

/* Whether a request is for the library; if not, `*reply` is the answer. */
int route_is_for_library(enum route route, const char *method, bb_contacts *contacts,
                         struct reply *reply);

#endif
