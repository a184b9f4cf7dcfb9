/*
 * reply.h: sends an answer, after the request's body or instead of the rest of it.
 */
#ifndef BB_SERVER_REPLY_H
#define BB_SERVER_REPLY_H

#include "bb_contacts/bb_contacts.h"

#include <microhttpd.h>

struct reply {
    unsigned status;
    const char *body; /* JSON; `result`'s, or static */
    size_t len;
    const char *allow; /* the Allow header of a 405, or NULL */
    bb_result *result; /* NULL if the body is static */
};

struct reply reply_from_result(bb_result *result);
struct reply reply_from_text(unsigned status, const char *body, const char *allow);
void reply_free(struct reply *reply);

/* Both send the reply and free it, and return what the access handler is to return. */

/* The request has arrived whole. `close`: the client is to open another connection for its next. */
enum MHD_Result reply_send(struct MHD_Connection *connection, struct reply *reply, int close);

/* The request has not arrived whole, and what is missing of it is not wanted. */
enum MHD_Result reply_refuse(struct MHD_Connection *connection, struct reply *reply);

#endif
