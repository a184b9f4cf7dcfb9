/*
 * endpoint.h: a storage with chatbot 123 of workspace 1, a handle on it, and requests in a line.
 */
#ifndef BB_TEST_ENDPOINT_H
#define BB_TEST_ENDPOINT_H

#include "support/json.h"
#include "support/random.h"
#include "support/request.h"
#include "support/store.h"
#include "support/text.h"

typedef struct test_endpoint {
    test_store store;
    bb_contacts *contacts;
} test_endpoint;

/* Opens a fresh store and a handle; `config` may be NULL. 0, 1 or TEST_SKIPPED. */
int test_endpoint_open(test_endpoint *endpoint, const char *backend, const bb_config *config);
void test_endpoint_close(test_endpoint *endpoint);

/* bb_contacts_open() with test_workers() workers; `config` may be NULL. Unless it says otherwise, a
 * request has TEST_PATIENCE_MS, so that a slow machine makes no 503 of a 200. */
int32_t test_open_contacts(bb_storage *storage, const bb_config *config, bb_contacts **out,
                           bb_error *error);

/* Sends a body as workspace 1's principal to chatbot 123, the way that BB_TEST_WAY says. */
bb_result *test_send(const test_endpoint *endpoint, const char *body, size_t len);

/* The response's "data"; NULL unless it is a 200. Free `*body` with json_free(). */
const json *test_data(const bb_result *result, json **body);

/* The <n> of a contact's "contact_<n>". */
int64_t test_contact_number(const json *contact);

#endif
