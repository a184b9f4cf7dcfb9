/*
 * request.h: a request as most tests send it.
 */
#ifndef BB_TEST_REQUEST_H
#define BB_TEST_REQUEST_H

#include "bb_contacts/bb_contacts.h"

/* Workspace 1's principal sends a body to chatbot 123. The body must outlive the request. */
static inline bb_request test_request(const char *body, size_t len)
{
    static const bb_principal workspace_1 = {.size = sizeof workspace_1, .workspace_id = 1};
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.principal = &workspace_1;
    request.body = body;
    request.body_len = len;
    return request;
}

#endif
