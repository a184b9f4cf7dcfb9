/*
 * test_groups.c: 16 sessions write groups to several chatbots in opposite orders, beside single
 * writes; no group fails, and the server sees no deadlock (E7). Six seconds; a minute if
 * BB_TEST_LONG is set.
 *
 * Groups are of few and of many requests, so that some lock keys and some whole chatbots, and some
 * requests are refused.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bb_contacts/storage.h"
#include "execute/storage.h"
#include "postgres/open.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

enum { THREADS = 16, KEYS = 200, CHATBOTS = 5, MOST = 160, FIRST_CHATBOT = 123 };

typedef struct request {
    char key[16];
    bb_record record;
    const bb_record *records[1];
    bb_access access;
    bb_write write;
    unsigned puts;
} request;

typedef struct writer {
    pthread_t id;
    const bb_storage *storage;
    unsigned number;
    int64_t end;
    unsigned groups;
    unsigned faults;
    bb_error error; /* the last fault */
} writer;

static int32_t put(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                   const bb_contact *before)
{
    request *r = ctx;

    (void)outcome;
    (void)before;
    if (index != 0 || contact->external_id.len != strlen(r->key) ||
        memcmp(contact->external_id.data, r->key, contact->external_id.len) != 0)
        return BB_ERR_ARGUMENT;
    r->puts++;
    return BB_OK;
}

static bb_slice text(const char *string)
{
    bb_slice slice = {string, strlen(string)};
    return slice;
}

/* A request for one of the keys of one of the chatbots, by a caller who may write there (workspace
 * 1) or not. */
static void make_request(request *r, unsigned place, uint32_t choice, uint32_t value)
{
    static const char *const names[] = {"a", "b", "c"};

    memset(r, 0, sizeof *r);
    snprintf(r->key, sizeof r->key, "%u", place / CHATBOTS);
    r->record = (bb_record){.size = sizeof r->record,
                            .fields = BB_FIELD_NAME,
                            .external_id = text(r->key),
                            .name = text(names[value % 3]),
                            .stripe_accounts = text("[]"),
                            .custom_attributes = text("{}")};
    r->records[0] = &r->record;
    r->access = (bb_access){.size = sizeof r->access,
                            .workspace_id = choice == 0 ? 2 : 1,
                            .chatbot_id = FIRST_CHATBOT + place % CHATBOTS,
                            .now_us = 1700000000000000,
                            .deadline = bb_deadline_in(60000)};
    r->access.key_chatbot_id = choice == 1 ? r->access.chatbot_id : 0;
    r->write = (bb_write){.size = sizeof r->write,
                          .access = &r->access,
                          .records = r->records,
                          .record_count = 1,
                          .put = put,
                          .put_ctx = r};
}

/* A run of places, upwards in every second thread, downwards in the others. */
static unsigned make_requests(const writer *w, uint64_t *random, request *requests)
{
    unsigned few = 2 + test_random(random, 20);
    unsigned count = test_random(random, 3) > 0 ? few : few + test_random(random, MOST - 22);
    unsigned first = test_random(random, (size_t)KEYS * CHATBOTS);

    for (unsigned i = 0; i < count; i++) {
        unsigned step = w->number % 2 == 0 ? i : count - 1 - i;
        make_request(&requests[i], (first + step) % (KEYS * CHATBOTS), test_random(random, 6),
                     test_random(random, 3));
    }
    return count;
}

static void check(writer *w, const request *r, int32_t code)
{
    int refused = r->access.workspace_id != 1;

    if (code != (refused ? BB_ERR_NOT_FOUND : BB_OK) || r->puts != (refused ? 0u : 1u))
        w->faults++;
}

static void write_group(writer *w, void *session, request *requests, unsigned count)
{
    const bb_write *writes[MOST];
    int32_t codes[MOST];
    bb_write_group group = {.size = sizeof group,
                            .writes = writes,
                            .write_count = count,
                            .codes = codes,
                            .now_us = requests[0].access.now_us,
                            .deadline = requests[0].access.deadline};
    bb_error error;

    bb_error_init(&error);
    for (unsigned i = 0; i < count; i++) {
        writes[i] = &requests[i].write;
        codes[i] = BB_OK;
    }
    if (w->storage->vtable.write_group(session, &group, &error) != BB_OK) {
        w->faults++;
        w->error = error;
        return;
    }
    for (unsigned i = 0; i < count; i++)
        check(w, &requests[i], codes[i]);
}

static void write_alone(writer *w, void *session, request *r)
{
    bb_error error;

    bb_error_init(&error);
    check(w, r, w->storage->vtable.write(session, &r->write, &error));
}

static void *run_writer(void *arg)
{
    writer *w = arg;
    uint64_t random = test_seed() * 1000003 + w->number + 1;
    request *requests = calloc(MOST, sizeof *requests);
    void *session = NULL;

    bb_error_init(&w->error);
    if (requests == NULL ||
        w->storage->vtable.session_open(w->storage->store, bb_deadline_in(60000), &session,
                                        &w->error) != BB_OK) {
        w->faults++;
        free(requests);
        return NULL;
    }
    do {
        unsigned count = make_requests(w, &random, requests);
        if (w->groups++ % 4 == 0)
            write_alone(w, session, &requests[0]);
        else
            write_group(w, session, requests, count);
    } while (bb_deadline_left(w->end) > 0);
    w->storage->vtable.session_close(session);
    free(requests);
    return NULL;
}

static void test_E7_groups_in_opposite_orders(const bb_storage *storage)
{
    static writer writers[THREADS];
    int64_t end = bb_deadline_in((int64_t)test_times(6) * 1000);
    unsigned groups = 0, faults = 0, started = 0;

    for (; started < THREADS; started++) {
        writers[started] = (writer){.storage = storage, .number = started, .end = end};
        if (pthread_create(&writers[started].id, NULL, run_writer, &writers[started]) != 0)
            break;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(writers[i].id, NULL);
        groups += writers[i].groups;
        faults += writers[i].faults;
        if (writers[i].faults > 0)
            printf("%s %s\n", writers[i].error.sqlstate, writers[i].error.message);
    }
    printf("%u threads, %u groups, %u faults\n", started, groups, faults);
    CHECK(started == THREADS && groups > 0 && faults == 0);
}

int main(void)
{
    test_endpoint endpoint;
    int status = test_endpoint_open(&endpoint, "postgres", NULL);

    if (status != 0)
        return status;
    for (int i = 1; i < CHATBOTS; i++)
        CHECK(bb_storage_chatbot_add(endpoint.store.storage, FIRST_CHATBOT + i, 1, TEST_PATIENCE_MS,
                                     NULL) == BB_OK);
    CHECK_TEST(test_E7_groups_in_opposite_orders(endpoint.store.storage));
    CHECK(pg_saw_no_deadlock(&endpoint));
    test_endpoint_close(&endpoint);
    return check_status();
}
