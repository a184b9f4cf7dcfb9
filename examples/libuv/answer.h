/*
 * answer.h: sends answers.
 */
#ifndef BB_UV_ANSWER_H
#define BB_UV_ANSWER_H

#include "connection.h"

/* Sends the request's reply; the connection goes on when it is sent, or closes. */
void answer_send(struct connection *connection);

/* Sends `reply`, which becomes the request's, though the request has not arrived whole: what is
 * missing of it is not wanted. */
void answer_refuse(struct connection *connection, struct reply reply);

/* Tells the client to send the body, if it waits to be told. */
void answer_continue(struct connection *connection);

#endif
