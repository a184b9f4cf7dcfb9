/*
 * load.c: threads that write through one handle while something breaks.
 */
#include "faults/load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bb_contacts/backends.h"
#include "faults/load_internal.h"
#include "support/endpoint.h"
#include "support/wait.h"
#include "support/way.h"

/* How late an answer may come after its deadline, on a machine that is busy or stands still for a
 * while. An answer that ignores its deadline comes later, or never. */
enum { GRACE_MS = 20000, PRINTED_ERRORS = 4000 };

/* ------------------------------------------------------------------------------ the target */

static void print_error(void *ctx, int32_t level, const char *line, size_t len)
{
    static atomic_int printed;

    (void)ctx;
    if (level == BB_LOG_ERROR && atomic_fetch_add(&printed, 1) < PRINTED_ERRORS)
        printf("    logged: %.*s\n", (int)len, line);
}

static int32_t open_all(load_target *target, uint32_t max_sessions, bb_error *error)
{
    bb_key_options key;
    bb_config config;
    int32_t code;

    bb_key_options_init(&key);
    key.workspace_id = 1;
    bb_config_init(&config);
    config.timeout_ms = target->timeout_ms;
    config.max_sessions = max_sessions;
    config.log = print_error;
    code = bb_storage_open_postgres(target->conninfo, strlen(target->conninfo), NULL,
                                    &target->storage, error);
    if (code == BB_OK)
        code = bb_storage_migrate(target->storage, TEST_PATIENCE_MS, error);
    if (code == BB_OK)
        code = bb_storage_chatbot_add(target->storage, 123, 1, TEST_PATIENCE_MS, error);
    if (code == BB_OK)
        code = bb_storage_key_add(target->storage, &key, target->key, sizeof target->key,
                                  TEST_PATIENCE_MS, error);
    if (code == BB_OK)
        code = test_open_contacts(target->storage, &config, &target->contacts, error);
    return code;
}

int load_target_open(load_target *target, const char *conninfo, int64_t timeout_ms,
                     uint32_t max_sessions)
{
    bb_error error;

    bb_error_init(&error);
    memset(target, 0, sizeof *target);
    target->timeout_ms = timeout_ms;
    snprintf(target->conninfo, sizeof target->conninfo, "%s", conninfo);
    if (open_all(target, max_sessions, &error) == BB_OK)
        return 0;
    fprintf(stderr, "cannot open the endpoint: %s\n", error.message);
    load_target_close(target);
    return 1;
}

void load_target_close(load_target *target)
{
    bb_contacts_close(target->contacts);
    bb_storage_close(target->storage);
    target->contacts = NULL;
    target->storage = NULL;
}

static bb_result *send_within(const load_target *target, const char *body, size_t len,
                              int64_t timeout_ms)
{
    char header[BB_KEY_SIZE + 8];
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.authorization_len = (size_t)snprintf(header, sizeof header, "Bearer %s", target->key);
    request.authorization = header;
    request.body = body;
    request.body_len = len;
    request.timeout_ms = timeout_ms;
    return test_upsert(target->contacts, &request);
}

bb_result *load_target_send(const load_target *target, const char *body, size_t len)
{
    return send_within(target, body, len, target->timeout_ms);
}

int32_t load_target_send_within(const load_target *target, const char *external_id,
                                const char *name, int64_t timeout_ms, int64_t *took_ms)
{
    char body[300];
    int len = snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"%s\",\"name\":\"%s\"}]}",
                       external_id, name);
    int64_t begin = test_now_ms();
    bb_result *result = send_within(target, body, (size_t)len, timeout_ms);
    int64_t took = test_now_ms() - begin;
    int32_t status = bb_result_http_status(result);

    bb_result_free(result);
    if (took_ms != NULL)
        *took_ms = took;
    if (took <= timeout_ms + GRACE_MS)
        return status;
    fprintf(stderr, "%d after %" PRId64 " ms\n", (int)status, took);
    return -1;
}

int32_t load_target_send_one(const load_target *target, const char *external_id, const char *name,
                             int64_t *took_ms)
{
    return load_target_send_within(target, external_id, name, target->timeout_ms, took_ms);
}

/* ----------------------------------------------------------------------------- the writers */

load *load_new(const load_target *target, uint32_t threads)
{
    load *l = calloc(1, sizeof *l);

    if (l == NULL || threads > LOAD_MAX_THREADS) {
        free(l);
        return NULL;
    }
    l->target = target;
    l->threads = threads;
    for (uint32_t i = 0; i < threads; i++) {
        l->writers[i].load = l;
        l->writers[i].number = i;
    }
    return l;
}

void load_free(load *l)
{
    if (l == NULL)
        return;
    for (uint32_t i = 0; i < l->threads; i++) {
        free(l->writers[i].requests);
        free(l->writers[i].body.data);
    }
    free(l);
}

static void append_contact(test_text *body, const char *token)
{
    test_append(body,
                "\",\"name\":\"%s\",\"email\":\"%s\",\"custom_attributes\":{\"token\":\"%s\"}},",
                token, token, token);
}

/* All contacts of a request get its token: who sent it, and which of his requests it is. */
static void make_body(load_writer *w, uint32_t request, test_text *body)
{
    uint32_t own = request % LOAD_OWN_GROUPS;
    uint32_t shared = (request + w->number) % LOAD_SHARED_GROUPS;
    char token[40];

    snprintf(token, sizeof token, "%u.%u", w->number, request);
    body->len = 0;
    test_append(body, "{\"users\":[");
    for (int i = 0; i < LOAD_OWN; i++) {
        test_append(body, "{\"external_id\":\"o.%u.%u.%d", w->number, own, i);
        append_contact(body, token);
    }
    for (int i = 0; i < LOAD_SHARED; i++) {
        test_append(body, "{\"external_id\":\"s.0.%u.%d", shared, i);
        append_contact(body, token);
    }
    for (int i = 0; i < LOAD_FRESH; i++) {
        test_append(body, "{\"external_id\":\"f%u.%u.%u.%d", w->load->run, w->number, request, i);
        append_contact(body, token);
    }
    body->data[--body->len] = '\0'; /* the last comma */
    test_append(body, "]}");
}

static load_request *add_request(load_writer *w)
{
    if (w->count == w->room) {
        size_t room = w->room * 2 + 1000;
        load_request *grown = realloc(w->requests, room * sizeof *grown);
        if (grown == NULL)
            abort();
        w->requests = grown;
        w->room = room;
    }
    w->requests[w->count] = (load_request){.run = w->load->run};
    return &w->requests[w->count++];
}

static void *write_on(void *arg)
{
    load_writer *w = arg;
    load *l = w->load;

    while (!atomic_load(&l->is_stopping)) {
        uint32_t number = (uint32_t)w->count;
        load_request *request = add_request(w);
        bb_result *result;
        make_body(w, number, &w->body);
        request->begin_ms = test_now_ms();
        result = load_target_send(l->target, w->body.data, w->body.len);
        request->end_ms = test_now_ms();
        request->status = bb_result_http_status(result);
        if (request->status == 200 && bb_result_entries(result) != LOAD_CONTACTS)
            request->status = -1;
        bb_result_free(result);
        if (request->status == 200)
            atomic_store(&w->last_success_begin_ms, request->begin_ms);
        if (request->status == 503) {
            atomic_store(&w->last_failure_ms, request->end_ms);
            test_pause_ms(5); /* a client that gets a 503 does not come back at once */
        }
    }
    return NULL;
}

int load_start(load *l)
{
    atomic_store(&l->is_stopping, 0);
    l->run++;
    for (l->started = 0; l->started < l->threads; l->started++) {
        load_writer *w = &l->writers[l->started];
        if (pthread_create(&w->thread, NULL, write_on, w) != 0) {
            load_stop(l);
            return 1;
        }
    }
    return 0;
}

void load_stop(load *l)
{
    atomic_store(&l->is_stopping, 1);
    for (uint32_t i = 0; i < l->started; i++)
        pthread_join(l->writers[i].thread, NULL);
    l->started = 0;
}

/* The answer for which all writers are waited for, one after the other. */
typedef struct awaited {
    load *load;
    int64_t begin;
    int32_t status;
    uint32_t writer;
} awaited;

static int are_answered(void *ctx)
{
    awaited *a = ctx;

    for (; a->writer < a->load->threads; a->writer++) {
        load_writer *w = &a->load->writers[a->writer];
        if (atomic_load(a->status == 200 ? &w->last_success_begin_ms : &w->last_failure_ms) <
            a->begin)
            return 0;
    }
    return 1;
}

/* How long it took until all writers had been answered so, or -1. */
static int64_t wait_for(load *l, int32_t status)
{
    awaited a = {l, test_now_ms(), status, 0};

    if (test_wait_until(are_answered, &a))
        return test_now_ms() - a.begin;
    fprintf(stderr, "no %d for writer %u\n", (int)status, a.writer);
    return -1;
}

int64_t load_wait_for_success(load *l)
{
    return wait_for(l, 200);
}

int load_wait_for_failure(load *l)
{
    return wait_for(l, 503) >= 0;
}

/* ----------------------------------------------------------------------------- the answers */

uint64_t load_count(const load *l, int32_t http_status)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < l->threads; i++) {
        for (size_t k = 0; k < l->writers[i].count; k++)
            count += l->writers[i].requests[k].status == http_status;
    }
    return count;
}

static int64_t longest(const load *l)
{
    int64_t most = 0;

    for (uint32_t i = 0; i < l->threads; i++) {
        for (size_t k = 0; k < l->writers[i].count; k++) {
            const load_request *r = &l->writers[i].requests[k];
            if (r->end_ms - r->begin_ms > most)
                most = r->end_ms - r->begin_ms;
        }
    }
    return most;
}

static uint64_t total(const load *l)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < l->threads; i++)
        count += l->writers[i].count;
    return count;
}

int load_check_answers(const load *l)
{
    uint64_t other = total(l) - load_count(l, 200) - load_count(l, 503);
    int failed = 0;

    if (other > 0) {
        fprintf(stderr, "E11: %" PRIu64 " answers were neither 200 nor 503\n", other);
        failed = 1;
    }
    if (longest(l) > l->target->timeout_ms + GRACE_MS) {
        fprintf(stderr, "E11: an answer took %" PRId64 " ms, with a deadline of %" PRId64 " ms\n",
                longest(l), l->target->timeout_ms);
        failed = 1;
    }
    return failed;
}

void load_print(const load *l, const char *what)
{
    printf("%s: %" PRIu64 " requests, %" PRIu64 " x 200, %" PRIu64 " x 503, longest %" PRId64
           " ms of %" PRId64 " ms\n",
           what, total(l), load_count(l, 200), load_count(l, 503), longest(l),
           l->target->timeout_ms);
    fflush(stdout);
}
