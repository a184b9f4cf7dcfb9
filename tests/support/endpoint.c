/*
 * endpoint.c: a storage with chatbot 123 of workspace 1, a handle on it, and requests in a line.
 */
#include "support/endpoint.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/settings.h"
#include "support/wait.h"
#include "support/way.h"

int32_t test_open_contacts(bb_storage *storage, const bb_config *config, bb_contacts **out,
                           bb_error *error)
{
    bb_config with_workers;

    bb_config_init(&with_workers);
    if (config != NULL)
        with_workers = *config;
    if (with_workers.workers == 0)
        with_workers.workers = test_workers();
    if (with_workers.timeout_ms <= 0)
        with_workers.timeout_ms = TEST_PATIENCE_MS;
    return bb_contacts_open(storage, &with_workers, out, error);
}

int test_endpoint_open(test_endpoint *endpoint, const char *backend, const bb_config *config)
{
    bb_error error;
    int32_t code;
    int status;

    bb_error_init(&error);
    endpoint->contacts = NULL;
    status = test_store_open_migrated(&endpoint->store, backend);
    if (status != 0)
        return status;
    code = bb_storage_chatbot_add(endpoint->store.storage, 123, 1, TEST_PATIENCE_MS, &error);
    if (code == BB_OK)
        code = test_open_contacts(endpoint->store.storage, config, &endpoint->contacts, &error);
    if (code == BB_OK)
        return 0;
    fprintf(stderr, "cannot open the endpoint: %s\n", error.message);
    test_store_close(&endpoint->store);
    return 1;
}

void test_endpoint_close(test_endpoint *endpoint)
{
    bb_contacts_close(endpoint->contacts);
    endpoint->contacts = NULL;
    test_store_close(&endpoint->store);
}

bb_result *test_send(const test_endpoint *endpoint, const char *body, size_t len)
{
    bb_request request = test_request(body, len);

    return test_upsert(endpoint->contacts, &request);
}

const json *test_data(const bb_result *result, json **body)
{
    size_t len;
    const char *text = bb_result_body(result, &len);

    *body = json_parse(text, len, NULL);
    if (bb_result_http_status(result) != 200) {
        fprintf(stderr, "not 200: %.300s\n", text);
        return NULL;
    }
    return json_member(*body, "data");
}

int64_t test_contact_number(const json *contact)
{
    const char *id = json_text(contact, "id", "contact_0");

    return strtoll(id + strlen("contact_"), NULL, 10);
}
