/*
 * secrets.c: no key is left in the process's memory once a request is answered, and none comes back
 * in an answer or log line (A5, B2), on any backend.
 *
 *     test_hostile_secrets BACKEND
 *
 * The test's own copies of the key are kept masked and wiped after use, and every writable page of
 * the process is then searched for its random part.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum { RANDOM_LENGTH = 64, MASK = 0x55, PAGE = 1 << 16, MOST_REGION = 1 << 30 };

/* A key as the test may keep it: every byte is masked. */
typedef struct masked_key {
    char text[BB_KEY_SIZE];
    size_t len;
} masked_key;

static masked_key mask(char *key)
{
    masked_key masked = {"", strlen(key)};

    for (size_t i = 0; i < masked.len; i++)
        masked.text[i] = (char)(key[i] ^ MASK);
    sodium_memzero(key, masked.len);
    return masked;
}

/* ---------------------------------------------------------------------------------- searching */

/* Whether `text` holds the key's last RANDOM_LENGTH bytes. Compares under the mask, so that the
 * search itself leaves no copy. */
static int holds(const char *text, size_t len, const masked_key *key)
{
    const char *wanted = key->text + key->len - RANDOM_LENGTH;
    const uint64_t mask_of_8 = UINT64_C(0x0101010101010101) * MASK;
    uint64_t first_8;
    uint64_t word;
    size_t same = 0;

    memcpy(&first_8, wanted, sizeof first_8);
    for (size_t at = 0; at + RANDOM_LENGTH <= len; at++) {
        memcpy(&word, text + at, sizeof word);
        if ((word ^ mask_of_8) != first_8)
            continue;
        for (same = 0; same < RANDOM_LENGTH; same++) {
            if ((text[at + same] ^ MASK) != wanted[same])
                break;
        }
        if (same == RANDOM_LENGTH)
            return 1;
    }
    return 0;
}

/* Searches one region of memory through /proc, as pages may vanish and guard pages must not be
 * touched. Wipes the buffer, which it would find itself. */
static int region_holds(int memory, uint64_t from, uint64_t to, const masked_key *key)
{
    static char buffer[PAGE + RANDOM_LENGTH];
    int found = 0;

    for (uint64_t at = from; at < to && !found; at += PAGE) {
        size_t want = to - at < sizeof buffer ? (size_t)(to - at) : sizeof buffer;
        ssize_t got = pread(memory, buffer, want, (off_t)at);
        if (got > 0)
            found = holds(buffer, (size_t)got, key);
        sodium_memzero(buffer, sizeof buffer);
    }
    return found;
}

/* In how many writable regions of this process the key's random part stands. */
static int search_process(const masked_key *key)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    int found = 0;

    CHECK_MSG(maps != NULL && memory >= 0, "no /proc");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *end;
        uint64_t from = strtoull(line, &end, 16);
        uint64_t to = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
        if (strncmp(end, " rw", 3) != 0 || to - from > MOST_REGION)
            continue;
        found += region_holds(memory, from, to, key);
    }
    if (maps != NULL)
        fclose(maps);
    close(memory);
    return found;
}

/* ------------------------------------------------------------------------------ the requests */

typedef struct spy {
    masked_key key;
    size_t lines;
    size_t leaks;
} spy;

static void read_log(void *ctx, int32_t level, const char *line, size_t len)
{
    spy *s = ctx;

    (void)level;
    s->lines++;
    s->leaks += (size_t)holds(line, len, &s->key);
}

typedef struct attempt {
    const char *chatbot;
    const char *before; /* what stands before the key in the header, and after it */
    const char *after;
    const char *body;
    int32_t http_status;
    int64_t timeout_ms; /* 0: the handle's */
} attempt;

static const char good_body[] = "{\"users\":[{\"external_id\":\"a\",\"name\":\"A\"},{}]}";

static const attempt attempts[] = {
    {"123", "Bearer ", "", good_body, 200, 0},
    {"123", "bEARER    ", "  ", "{\"users\":[{\"name\":1}]}", 400, 0},
    {"124", "Bearer ", "", good_body, 404, 0},
    {"x", "Bearer ", "", good_body, 404, 0},
    {"123", "Bearer ", "0", good_body, 401, 0},
    {"123", "Bearer ", " x", good_body, 401, 0},
    {"123", "Basic ", "", good_body, 401, 0},
    {"123", "", "", good_body, 401, 0},
    {"123", "Bearer ", "", "not JSON", 400, 0},
};

/* The header's text is the host's, who wipes it. */
static void run_attempt(bb_contacts *contacts, const masked_key *key, const attempt *a)
{
    char header[BB_KEY_SIZE + 32];
    size_t len = strlen(a->before);
    bb_request request;
    bb_result *result;
    size_t body_len;
    const char *body;

    memcpy(header, a->before, len);
    for (size_t i = 0; i < key->len; i++)
        header[len++] = (char)(key->text[i] ^ MASK);
    memcpy(header + len, a->after, strlen(a->after));
    len += strlen(a->after);
    bb_request_init(&request);
    request.chatbot_id = a->chatbot;
    request.chatbot_id_len = strlen(a->chatbot);
    request.authorization = header;
    request.authorization_len = len;
    request.body = a->body;
    request.body_len = strlen(a->body);
    request.timeout_ms = a->timeout_ms;
    result = bb_contacts_upsert(contacts, &request);
    sodium_memzero(header, sizeof header);
    body = bb_result_body(result, &body_len);
    CHECK_MSG(bb_result_http_status(result) == a->http_status, "%s...%s: %.200s", a->before,
              a->after, body);
    CHECK_MSG(!holds(body, body_len, key), "A5: the key is in the answer");
    bb_result_free(result);
    CHECK_MSG(search_process(key) == 0, "B2: the key is in memory after %s...%s", a->before,
              a->after);
}

static int32_t add_key(bb_storage *storage, spy *s)
{
    char text[BB_KEY_SIZE];
    bb_key_options key;
    int32_t code;

    bb_key_options_init(&key);
    key.workspace_id = 1;
    code = bb_storage_key_add(storage, &key, text, sizeof text, TEST_PATIENCE_MS, NULL);
    s->key = mask(text);
    sodium_memzero(text, sizeof text);
    return code;
}

/* Registered again from its text, refused for another workspace, and revoked. */
static void test_A5_administration(bb_storage *storage, const masked_key *key)
{
    char text[BB_KEY_SIZE];
    bb_key_options options;
    bb_error error;
    int32_t codes[3];

    for (size_t i = 0; i < key->len; i++)
        text[i] = (char)(key->text[i] ^ MASK);
    bb_error_init(&error);
    bb_key_options_init(&options);
    options.workspace_id = 1;
    options.token = text;
    options.token_len = key->len;
    codes[0] = bb_storage_key_add(storage, &options, NULL, 0, TEST_PATIENCE_MS, &error);
    options.workspace_id = 2;
    codes[1] = bb_storage_key_add(storage, &options, NULL, 0, TEST_PATIENCE_MS, &error);
    CHECK_MSG(!holds(error.message, sizeof error.message, key), "A5: the key is in an error");
    codes[2] = bb_storage_key_revoke(storage, text, key->len, TEST_PATIENCE_MS, &error);
    sodium_memzero(text, sizeof text);
    CHECK_MSG(codes[0] == BB_OK && codes[1] == BB_ERR_CONFLICT && codes[2] == BB_OK, "%d %d %d",
              codes[0], codes[1], codes[2]);
    CHECK_MSG(search_process(key) == 0, "B2: the key is in memory after its administration");
}

/* What the search must be able to find: a copy in the heap, and one on another thread's stack. */
static void *keep_on_stack(void *ctx)
{
    const masked_key *key = ctx;
    char text[BB_KEY_SIZE];

    for (size_t i = 0; i < key->len; i++)
        text[i] = (char)(key->text[i] ^ MASK);
    CHECK_MSG(search_process(key) > 0, "the search finds nothing on a stack");
    sodium_memzero(text, sizeof text);
    return NULL;
}

static void test_the_search_itself(spy *s)
{
    char *copy = malloc(BB_KEY_SIZE);
    pthread_t thread;

    for (size_t i = 0; i < s->key.len; i++)
        copy[i] = (char)(s->key.text[i] ^ MASK);
    CHECK_MSG(search_process(&s->key) > 0, "the search finds nothing in the heap");
    sodium_memzero(copy, BB_KEY_SIZE);
    free(copy);
    if (pthread_create(&thread, NULL, keep_on_stack, &s->key) == 0)
        pthread_join(thread, NULL);
}

static void test_A5_while_storage_fails(test_endpoint *endpoint, spy *s)
{
    const attempt busy = {"123", "Bearer ", "", good_body, 503, 2000};
    void *lock = test_store_lock(&endpoint->store);

    if (lock == NULL) /* memory */
        return;
    s->lines = 0;
    run_attempt(endpoint->contacts, &s->key, &busy);
    CHECK_MSG(s->lines > 0, "a 503 is not logged");
    test_store_unlock(&endpoint->store, lock);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    test_endpoint endpoint;
    bb_config config;
    spy s = {0};
    int status;

    bb_config_init(&config);
    config.log = read_log;
    config.log_ctx = &s;
    status = test_endpoint_open(&endpoint, backend, &config);
    if (status != 0)
        return status;
    CHECK_MSG(add_key(endpoint.store.storage, &s) == BB_OK, "adding a key");
    CHECK_MSG(search_process(&s.key) == 0, "B2: the key is in memory after it was made");
    CHECK_TEST(test_the_search_itself(&s));
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        run_attempt(endpoint.contacts, &s.key, &attempts[i]);
    CHECK_TEST(test_A5_while_storage_fails(&endpoint, &s));
    CHECK_TEST(test_A5_administration(endpoint.store.storage, &s.key));
    CHECK_MSG(s.leaks == 0, "A5: %zu log lines hold the key", s.leaks);
    test_endpoint_close(&endpoint);
    return check_status();
}
