/*
 * stack.c: how much the library's own threads use of their stacks, whose size the library sets:
 * platforms' defaults differ from 128 KiB to no limit. Over one backend.
 *
 *     test_hostile_stack BACKEND
 *
 * This program has its own pthread_create(), which gives each thread a marked stack, so that
 * afterwards it shows how much was used.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"

enum { STACK = 8 << 20, MOST_THREADS = 16, WORKERS = 2, LEVELS = 512, MARK = 0xA5 };

/* A stack must be at least this many times as large as its use: a host's callbacks run there
 * too. */
enum { MARGIN = 4 };

typedef struct stack {
    unsigned char *bytes;
    size_t asked_for; /* by the library */
    int has_attributes;
} stack;

static stack stacks[MOST_THREADS];
static size_t stack_count;

typedef int create_fn(pthread_t *newthread, const pthread_attr_t *attr,
                      void *(*start_routine)(void *), void *arg);

static create_fn *real_create(void)
{
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    create_fn *create;

    memcpy(&create, &found, sizeof create);
    return create;
}

/* The thread that opens a handle starts the library's threads one after the other. */
__attribute__((visibility("default"))) int pthread_create(pthread_t *newthread,
                                                          const pthread_attr_t *attr,
                                                          void *(*start_routine)(void *), void *arg)
{
    stack *s = &stacks[stack_count];
    pthread_attr_t marked;
    int failed;

    if (stack_count == MOST_THREADS)
        abort();
    s->bytes = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->bytes == MAP_FAILED || pthread_attr_init(&marked) != 0)
        abort();
    memset(s->bytes, MARK, STACK);
    s->has_attributes = attr != NULL;
    if (attr != NULL && pthread_attr_getstacksize(attr, &s->asked_for) != 0)
        abort();
    if (pthread_attr_setstack(&marked, s->bytes, STACK) != 0)
        abort();
    failed = real_create()(newthread, &marked, start_routine, arg);
    pthread_attr_destroy(&marked);
    if (failed == 0)
        stack_count++;
    return failed;
}

static size_t used_of(const stack *s)
{
    size_t unused = 0;

    while (unused < STACK && s->bytes[unused] == MARK)
        unused++;
    return STACK - unused;
}

/* ---------------------------------------------------------------------------- deep requests */

static void append_nested(test_text *body, const char *spelling)
{
    for (int i = 0; i < LEVELS - 1; i++)
        test_append(body, i % 2 == 0 ? "{\"a\":" : "[");
    test_append(body, "%s", spelling);
    for (int i = LEVELS - 1; i-- > 0;)
        test_append(body, i % 2 == 0 ? "}" : "]");
}

typedef struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    unsigned answers;
    unsigned refused;
} waiting;

static void done(void *ctx, bb_result *result)
{
    waiting *w = ctx;

    pthread_mutex_lock(&w->mutex);
    w->answers++;
    w->refused += bb_result_http_status(result) != 200;
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->mutex);
    bb_result_free(result);
}

static bb_request request_of(const bb_principal *principal, const test_text *body)
{
    bb_request request;

    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.principal = principal;
    request.body = body->data;
    request.body_len = body->len;
    return request;
}

/* Sends many at once, so that they share transactions. A value is spelled in two ways, so that it
 * is compared to its full depth; each batch names a contact twice. */
static void send_all(bb_contacts *contacts, waiting *w)
{
    static const char *const spellings[] = {"1.0", "1.00", "10e-1", "2"};
    unsigned sent = 0;
    bb_principal principal;

    bb_principal_init(&principal);
    principal.workspace_id = 1;
    for (unsigned i = 0; i < 200; i++) {
        test_text body = {0};
        bb_request request;
        bb_result *now;
        test_append(&body, "{\"users\":[{\"external_id\":\"%u\",\"custom_attributes\":", i / 10);
        append_nested(&body, spellings[i % 4]);
        test_append(&body, "},{\"external_id\":\"%u\",\"custom_attributes\":", i / 10);
        append_nested(&body, spellings[(i + 1) % 4]);
        test_append(&body, "}]}");
        request = request_of(&principal, &body);
        now = bb_contacts_submit(contacts, &request, done, w, NULL);
        CHECK_MSG(now == NULL, "request %u: %s", i, bb_result_body(now, NULL));
        sent += now == NULL;
        bb_result_free(now);
        free(body.data);
    }
    pthread_mutex_lock(&w->mutex);
    while (w->answers < sent)
        pthread_cond_wait(&w->answered, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}

static void test_C7_threads_have_stacks_of_the_librarys_own_size(void)
{
    size_t most = 0;

    CHECK_MSG(stack_count > WORKERS, "%zu threads", stack_count);
    for (size_t i = 0; i < stack_count; i++) {
        const stack *s = &stacks[i];
        size_t used = used_of(s);
        most = used > most ? used : most;
        CHECK_MSG(s->has_attributes, "thread %zu has the platform's size", i);
        CHECK_MSG(used * MARGIN <= s->asked_for, "thread %zu: %zu bytes of %zu", i, used,
                  s->asked_for);
    }
    printf("%zu bytes of %zu\n", most, stacks[0].asked_for);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "memory";
    waiting w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};
    test_endpoint endpoint;
    bb_config config;
    int status;

    bb_config_init(&config);
    config.workers = WORKERS;
    config.max_depth = LEVELS;
    status = test_endpoint_open(&endpoint, backend, &config);
    if (status != 0)
        return status;
    send_all(endpoint.contacts, &w);
    CHECK_MSG(w.refused == 0, "%u requests", w.refused);
    test_endpoint_close(&endpoint);
    test_C7_threads_have_stacks_of_the_librarys_own_size();
    return check_status();
}
