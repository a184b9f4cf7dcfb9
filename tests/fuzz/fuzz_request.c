/*
 * fuzz_request.c: any bytes as the body, the header and the chatbot of a request on the memory
 * backend.
 *
 * The input's first byte says which of them the other bytes are; an endpoint serves many inputs, so
 * that contacts are found again.
 */
#include <string.h>

#include "fuzz.h"
#include "json/check.h"

enum { INPUTS_PER_ENDPOINT = 500, MAX_BODY = 3000 };

static void check_result(const bb_result *result)
{
    bb_allocator allocator = bb_allocator_or_default(NULL);
    size_t entries = bb_result_entries(result);
    int32_t http = bb_result_http_status(result);
    bb_json_facts facts;
    size_t len;
    const char *body = bb_result_body(result, &len);

    CHECK(bb_json_check(&allocator, body, len, &facts));
    CHECK(body[len] == '\0');
    CHECK(http == 200 || http == 400 || http == 401 || http == 404 || http == 413);
    CHECK((http == 200) == (entries > 0));
    CHECK(bb_result_count(result, BB_CREATED) + bb_result_count(result, BB_UPDATED) +
              bb_result_count(result, BB_UNCHANGED) ==
          entries);
}

/* The same body again gets the same answer and changes nothing, unless ids are made anew or the
 * body names a contact twice. */
static void check_again(fuzz_endpoint *endpoint, const bb_request *request, const bb_result *first)
{
    bb_result *second = bb_contacts_upsert(endpoint->contacts, request);
    size_t entries = bb_result_entries(first);

    CHECK(bb_result_status(second) == bb_result_status(first));
    CHECK(bb_result_entries(second) == entries);
    if (request->idempotency_key != NULL) {
        CHECK(bb_result_count(second, BB_CREATED) == 0);
        CHECK(strcmp(bb_result_body(first, NULL), bb_result_body(second, NULL)) == 0);
    }
    bb_result_free(second);
}

static void run(fuzz_endpoint *endpoint, int kind, const char *text, size_t size)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"a\"}]}";
    bb_request request;
    bb_result *result;

    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.authorization = "Bearer " FUZZ_KEY;
    request.authorization_len = sizeof "Bearer " FUZZ_KEY - 1;
    request.body = body;
    request.body_len = sizeof body - 1;
    if (kind == 1) {
        request.chatbot_id = text;
        request.chatbot_id_len = size;
    } else if (kind == 2) {
        request.authorization = text;
        request.authorization_len = size;
    } else {
        request.body = text;
        request.body_len = size;
        request.idempotency_key = kind == 3 ? "k" : NULL;
        request.idempotency_key_len = kind == 3;
    }
    result = bb_contacts_upsert(endpoint->contacts, &request);
    check_result(result);
    if (bb_result_http_status(result) == 200)
        check_again(endpoint, &request, result);
    bb_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_endpoint endpoint;
    static unsigned inputs;

    if (size == 0)
        return 0;
    if (inputs % INPUTS_PER_ENDPOINT == 0) {
        if (inputs > 0)
            fuzz_endpoint_close(&endpoint);
        fuzz_endpoint_open(&endpoint, MAX_BODY, fuzz_clock, NULL);
    }
    inputs++;
    run(&endpoint, data[0] % 8, (const char *)data + 1, size - 1);
    return 0;
}
