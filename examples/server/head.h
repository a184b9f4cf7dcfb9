/*
 * head.h: the head of a request, which says where the request ends.
 */
#ifndef BB_SERVER_HEAD_H
#define BB_SERVER_HEAD_H

#include <microhttpd.h>

#include <stddef.h>

struct head {
    size_t length;     /* of the body; SIZE_MAX: it comes in chunks */
    int is_encoded;    /* the body has a Content-Encoding other than identity */
    const char *after; /* for head.c */
    unsigned hosts, lengths, codings;
};

/* Reads the head that libmicrohttpd has parsed: it begins at `method`, and its request line ends
 * with `version`. Returns 0 if RFC 9112 does not allow it; then the connection is of no use any
 * more, as nobody can say where the next request begins. */
int head_read(struct MHD_Connection *connection, const char *method, const char *version,
              struct head *head);

#endif
