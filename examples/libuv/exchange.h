/*
 * exchange.h: what becomes of a request, from its headers to its answer.
 */
#ifndef BB_UV_EXCHANGE_H
#define BB_UV_EXCHANGE_H

#include "connection.h"

/* The parser has stopped at the request's event: decides how to go on. */
void exchange_go_on(struct connection *connection);

/* Takes answers of the library's, and goes on with their requests. Returns how many there were; 0:
 * no more are there. */
size_t exchange_take_answers(struct server *server);

/* Hands a request over to the library; runs on a thread of the pool's if its body is large. */
void exchange_hand_over(struct request *request);

/* Runs on the loop's thread after that. The answer may be there already, and the client gone. */
void exchange_handed_over(struct request *request);

/* The client is gone, or seems to be. If the request is still queued, its answer comes at once. */
void exchange_cancel(struct request *request);

#endif
