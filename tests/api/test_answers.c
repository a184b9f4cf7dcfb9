/*
 * test_answers.c: how large an answer may be (A7), through the public API, over one backend.
 *
 *     test_answers BACKEND
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/request.h"
#include "support/settings.h"
#include "support/text.h"

/* The bound that no answer here comes near to. */
#define NO_BOUND ((size_t)1 << 31)

static const char *backend;

/* What a request finds stored, and what it sends; with a fresh chatbot each time. */
typedef struct shape {
    const char *name;
    const char *before; /* NULL: nothing is stored */
    const char *body;
    size_t created; /* contacts */
} shape;

#define ATTRIBUTES "{\"plan\":\"pro\",\"n\":1e30,\"deep\":{\"a\":[1,2,{\"b\":null}]}}"
#define FULL                                                                                   \
    "{\"users\":[{\"external_id\":\"a\",\"name\":\"Ada \\u0001\\b\\\"\\\\ \\u00e9 /\\u007f\"," \
    "\"email\":null,\"phonenumber\":\"+1\",\"custom_attributes\":" ATTRIBUTES                  \
    ",\"stripe_accounts\":[{\"id\": \"x\"}]},"                                                 \
    "{\"external_id\":\"b\\n\",\"name\":\"\\u000b\\u001f\\t\"}]}"

static const shape shapes[] = {
    {"new ones", NULL, FULL, 2},
    {"repeated", FULL, FULL, 0},
    {"left as they are", FULL, "{\"users\":[{\"external_id\":\"a\"},{\"external_id\":\"b\\n\"}]}",
     0},
    {"changed in part", FULL,
     "{\"users\":[{\"external_id\":\"a\",\"email\":\"\\u0002\"},"
     "{\"external_id\":\"b\\n\",\"custom_attributes\":{\"a\" : 1}}]}",
     0},
    {"named often", FULL,
     "{\"users\":[{\"external_id\":\"a\",\"email\":\"1\"},{\"external_id\":\"a\"},"
     "{\"external_id\":\"b\\n\"},{\"external_id\":\"a\",\"email\":\"22\"},"
     "{\"external_id\":\"b\\n\"},{\"external_id\":\"c\"},{\"external_id\":\"c\",\"name\":\"C\"}]}",
     1},
    {"cleared", FULL,
     "{\"users\":[{\"external_id\":\"a\"},{\"external_id\":\"a\",\"name\":null,"
     "\"custom_attributes\":null,\"stripe_accounts\":null}]}",
     0},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* ------------------------------------------------------------------------------------- sending */

static bb_result *send_to(bb_contacts *contacts, int64_t chatbot, const char *body)
{
    bb_request request = test_request(body, strlen(body));
    char id[24];

    request.chatbot_id = id;
    request.chatbot_id_len = (size_t)snprintf(id, sizeof id, "%lld", (long long)chatbot);
    return bb_contacts_upsert(contacts, &request);
}

/* The same through a handle with this bound. */
static bb_result *send_bounded(const test_endpoint *endpoint, size_t max, int64_t chatbot,
                               const char *body)
{
    bb_contacts *contacts = NULL;
    bb_result *result;
    bb_config config;

    bb_config_init(&config);
    config.max_answer_bytes = max;
    CHECK(test_open_contacts(endpoint->store.storage, &config, &contacts, NULL) == BB_OK);
    result = send_to(contacts, chatbot, body);
    bb_contacts_close(contacts);
    return result;
}

static int64_t new_chatbot(const test_endpoint *endpoint)
{
    static int64_t last = 1000;

    CHECK(bb_storage_chatbot_add(endpoint->store.storage, ++last, 1, 0, NULL) == BB_OK);
    return last;
}

/* A chatbot with the contacts that a shape finds. */
static int64_t prepare(const test_endpoint *endpoint, const shape *s)
{
    int64_t chatbot = new_chatbot(endpoint);
    bb_result *result;

    if (s->before == NULL)
        return chatbot;
    result = send_to(endpoint->contacts, chatbot, s->before);
    CHECK_MSG(bb_result_http_status(result) == 200, "%s", bb_result_body(result, NULL));
    bb_result_free(result);
    return chatbot;
}

/* Ids from 1000 on, so that those that come have as many digits. */
static void use_up_ids(const test_endpoint *endpoint)
{
    test_text body = {0};
    bb_result *result;

    test_append_text(&body, "{\"users\":[{}");
    test_append_times(&body, ",{}", 999);
    test_append_text(&body, "]}");
    result = send_to(endpoint->contacts, 123, body.data);
    CHECK(bb_result_http_status(result) == 200);
    bb_result_free(result);
    free(body.data);
}

/* ------------------------------------------------------------------------------ the exact bound */

/*
 * How much larger than the answer a bound may have to be. On Citus an id that has not been drawn
 * yet counts 19 digits. A write to PostgreSQL that may come near to the bound is done in a way in
 * which values that the client has just sent come back as the server writes them, 1e30 with all its
 * zeros.
 */
static size_t slack(const shape *s, int has_trigger)
{
    const char *way = getenv("BB_TEST_POSTGRES_WRITE"); // NOLINT(concurrency-mt-unsafe)

    if (way != NULL && strcmp(way, "citus") == 0)
        return s->created * 2 * (19 - 4);
    return strcmp(backend, "postgres") == 0 && way == NULL && !has_trigger ? 100 : 0;
}

/* An answer of just so many bytes is given. With one byte less for it, nothing is stored. */
static void check_shape(const test_endpoint *endpoint, const shape *s, int has_trigger)
{
    bb_result *wanted = send_to(endpoint->contacts, prepare(endpoint, s), s->body);
    int64_t chatbot = prepare(endpoint, s);
    bb_result *refused, *given;
    size_t len, given_len;

    bb_result_body(wanted, &len);
    refused = send_bounded(endpoint, len - 1, chatbot, s->body);
    CHECK_MSG(bb_result_http_status(refused) == 413, "%s: %s", s->name,
              bb_result_body(refused, NULL));
    CHECK(strcmp(bb_result_body(refused, NULL), "{\"message\":\"Payload too large\"}") == 0);
    CHECK(bb_result_entries(refused) == 0);
    given = send_bounded(endpoint, len + slack(s, has_trigger), chatbot, s->body);
    bb_result_body(given, &given_len);
    CHECK_MSG(bb_result_http_status(given) == 200 && given_len - len <= slack(s, has_trigger),
              "%s: %zu, %s", s->name, len, bb_result_body(given, NULL));
    for (int32_t i = BB_CREATED; i <= BB_UNCHANGED; i++)
        CHECK_MSG(bb_result_count(given, i) == bb_result_count(wanted, i), "%s: %zu", s->name,
                  bb_result_count(given, i));
    bb_result_free(given);
    bb_result_free(refused);
    bb_result_free(wanted);
}

static void test_A7_to_the_byte(const test_endpoint *endpoint)
{
    for (int i = 0; i < SHAPES; i++)
        check_shape(endpoint, &shapes[i], 0);
}

/* Where triggers may change what is stored, another way leads to the same. */
static void test_A7_to_the_byte_with_a_trigger(const test_endpoint *endpoint)
{
    static const char *const sql[] = {
        "CREATE TRIGGER host AFTER UPDATE ON bb_contacts BEGIN SELECT 1; END",
        "CREATE FUNCTION host() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
        "CREATE TRIGGER host BEFORE INSERT OR UPDATE ON bb_contacts.contacts"
        " FOR EACH ROW EXECUTE FUNCTION host()"};

    if (strcmp(backend, "memory") == 0)
        return;
    CHECK(test_store_sql(&endpoint->store, sql[strcmp(backend, "sqlite") != 0], NULL, 0) == 0);
    for (int i = 0; i < SHAPES; i++)
        check_shape(endpoint, &shapes[i], 1);
}

/* ------------------------------------------------------------------------------ large contacts */

enum { CONTACTS = 100, CONTACT_BYTES = 256 * 1024, BOUND = 8 * 1024 * 1024 };

static void append_ids(test_text *body, const char *more)
{
    test_append_text(body, "{\"users\":[");
    for (int i = 0; i < CONTACTS; i++)
        test_append(body, "%s{\"external_id\":\"%d\"%s}", i > 0 ? "," : "", i, more);
    test_append_text(body, "]}");
}

static void store_large_ones(const test_endpoint *endpoint, int64_t chatbot)
{
    for (int i = 0; i < CONTACTS; i++) {
        test_text body = {0};
        bb_result *result;
        test_append(&body, "{\"users\":[{\"external_id\":\"%d\",\"custom_attributes\":{\"a\":\"",
                    i);
        for (int k = 0; k < CONTACT_BYTES / 16; k++)
            test_append(&body, "%08x%08x", (unsigned)k * 2654435761u, (unsigned)(k ^ i));
        test_append_text(&body, "\"}}]}");
        result = send_to(endpoint->contacts, chatbot, body.data);
        CHECK(bb_result_http_status(result) == 200);
        bb_result_free(result);
        free(body.data);
    }
}

/* A number of bytes from /proc/self/status; 0 if it is not there. */
static size_t memory(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    char line[200];

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoul(line + strlen(name), NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return (size_t)kib * 1024;
}

/* Begins to count the peak anew. Returns 0 where that can't be had, or says nothing: sanitizers and
 * valgrind keep freed memory. */
static int forget_peak(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY);
    int done = file >= 0 && write(file, "5", 1) == 1;

    if (file >= 0)
        close(file);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    return done && memory("VmHWM:") <= memory("VmRSS:") + CONTACT_BYTES &&
           getenv("BB_TEST_SHARE") == NULL; // NOLINT(concurrency-mt-unsafe)
#endif
}

/* A small request whose answer would have 25 MiB: the process does not come to hold them. */
static void check_refusal(const test_endpoint *endpoint, int64_t chatbot, const char *more)
{
    int can_measure;
    bb_result *result;
    size_t before;
    test_text body = {0};

    append_ids(&body, more);
    can_measure = forget_peak();
    before = memory("VmRSS:");
    result = send_bounded(endpoint, BOUND, chatbot, body.data);
    CHECK_MSG(bb_result_http_status(result) == 413, "%d: %.100s", bb_result_http_status(result),
              bb_result_body(result, NULL));
    bb_result_free(result);
    if (can_measure) {
        size_t more_memory = memory("VmHWM:") - before;
        CHECK_MSG(more_memory < 2 * (size_t)BOUND, "%zu bytes", more_memory);
    }
    free(body.data);
}

static void test_A7_large_contacts_stored_earlier(const test_endpoint *endpoint)
{
    int64_t chatbot = new_chatbot(endpoint);
    test_text body = {0};
    bb_result *result;
    size_t len;

    store_large_ones(endpoint, chatbot);
    check_refusal(endpoint, chatbot, "");
    check_refusal(endpoint, chatbot, ",\"name\":\"new\"");
    append_ids(&body, "");
    result = send_bounded(endpoint, NO_BOUND, chatbot, body.data);
    bb_result_body(result, &len);
    CHECK(bb_result_http_status(result) == 200 && len > (size_t)CONTACTS * CONTACT_BYTES);
    CHECK(bb_result_count(result, BB_UNCHANGED) == CONTACTS); /* no name was stored */
    bb_result_free(result);
    free(body.data);
}

/* One contact, a thousand times in the answer. */
static void test_A7_one_large_contact_named_a_thousand_times(const test_endpoint *endpoint)
{
    int64_t chatbot = new_chatbot(endpoint);
    test_text body = {0};
    bb_result *result;

    test_append_text(&body, "{\"users\":[{\"external_id\":\"x\",\"name\":\"");
    test_append_times(&body, "0123456789abcdef", 60000);
    test_append_text(&body, "\"}");
    test_append_times(&body, ",{\"external_id\":\"x\"}", 999);
    test_append_text(&body, "]}");
    result = send_to(endpoint->contacts, chatbot, body.data);
    CHECK(bb_result_http_status(result) == 413);
    bb_result_free(result);
    result = send_to(endpoint->contacts, chatbot, "{\"users\":[{\"external_id\":\"x\"}]}");
    CHECK(bb_result_count(result, BB_CREATED) == 1);
    bb_result_free(result);
    free(body.data);
}

int main(int argc, char **argv)
{
    test_endpoint endpoint;
    int status;

    backend = argc > 1 ? argv[1] : "memory";
    status = test_endpoint_open(&endpoint, backend, NULL);
    if (status != 0)
        return status;
    use_up_ids(&endpoint);
    CHECK_TEST(test_A7_to_the_byte(&endpoint));
    CHECK_TEST(test_A7_large_contacts_stored_earlier(&endpoint));
    CHECK_TEST(test_A7_one_large_contact_named_a_thousand_times(&endpoint));
    CHECK_TEST(test_A7_to_the_byte_with_a_trigger(&endpoint));
    test_endpoint_close(&endpoint);
    return check_status();
}
