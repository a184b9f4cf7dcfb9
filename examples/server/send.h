/*
 * send.h: sends a reply, after the request's body or instead of the rest of it.
 */
#ifndef BB_SERVER_SEND_H
#define BB_SERVER_SEND_H

#include "reply.h"

#include <microhttpd.h>

/* All send the reply and free it; the first two return what the access handler is to return. */

/* For a request that has arrived whole. `close`: the connection is closed after the answer. */
enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply, int close);

/* For a request that has not arrived whole, and whose rest is not wanted. */
enum MHD_Result send_refusal(struct MHD_Connection *connection, struct reply *reply);

/* Writes to the socket itself, past libmicrohttpd, and waits until the client has read it. */
void send_instead(int fd, struct reply *reply);

#endif
