/*
 * answer.h: sends answers.
 */
#ifndef BB_UV_ANSWER_H
#define BB_UV_ANSWER_H

#include "connection.h"

/* Sends the request's reply. When it is sent, the connection goes on or closes. */
void answer_send(struct connection *connection);

/* Sends `reply`, which the request then owns, though the request has not arrived whole: its rest is
 * not wanted. */
void answer_refuse(struct connection *connection, struct reply reply);

/* Tells the client to send the body, if it waits for that. */
void answer_continue(struct connection *connection);

#endif
