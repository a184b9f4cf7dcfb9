/*
 * send.h: sends a reply, after the request's body or instead of the rest of it.
 */
#ifndef BB_SERVER_SEND_H
#define BB_SERVER_SEND_H

#include "reply.h"

#include <microhttpd.h>

/* All send the reply and free it; the first two return what the access handler is to return. */

/* The request has arrived whole. `close`: the client is to open another connection for its next. */
enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply, int close);

/* The request has not arrived whole, and what is missing of it is not wanted. */
enum MHD_Result send_refusal(struct MHD_Connection *connection, struct reply *reply);

/* To a socket, whatever libmicrohttpd makes of the request; waits until the client has read it. */
void send_instead(int fd, struct reply *reply);

#endif
