/*
 * beside.c: threads that write to another chatbot while a test goes on.
 */
#include "support/beside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/wait.h"

enum { BESIDE_ID = 987654321 }; /* the chatbot, and its workspace */
#define BESIDE "987654321"

struct beside {
    bb_contacts *contacts;
    uint32_t count;
    atomic_uint numbers;
    atomic_uint begun; /* those that have written once */
    atomic_int is_over;
    pthread_t threads[];
};

static void *write_beside(void *beside_)
{
    beside *b = beside_;
    uint32_t number = atomic_fetch_add(&b->numbers, 1);
    bb_principal principal;
    bb_request request;
    char body[80];
    int is_first = 1;

    snprintf(body, sizeof body, "{\"users\":[{\"external_id\":\"beside %u\"}]}", number);
    bb_principal_init(&principal);
    principal.workspace_id = BESIDE_ID;
    bb_request_init(&request);
    request.chatbot_id = BESIDE;
    request.chatbot_id_len = strlen(BESIDE);
    request.principal = &principal;
    request.body = body;
    request.body_len = strlen(body);
    while (is_first || !atomic_load(&b->is_over)) {
        bb_result_free(bb_contacts_upsert(b->contacts, &request)); /* some tests break the store */
        if (is_first)
            atomic_fetch_add(&b->begun, 1);
        is_first = 0;
    }
    return NULL;
}

static int have_begun(void *beside_)
{
    beside *b = beside_;

    return atomic_load(&b->begun) >= b->count;
}

beside *beside_start(bb_storage *storage, bb_contacts *contacts, uint32_t count)
{
    beside *b = calloc(1, sizeof *b + count * sizeof b->threads[0]);

    if (b == NULL)
        return NULL;
    b->contacts = contacts;
    if (bb_storage_chatbot_add(storage, BESIDE_ID, BESIDE_ID, TEST_PATIENCE_MS, NULL) == BB_OK) {
        while (b->count < count &&
               pthread_create(&b->threads[b->count], NULL, write_beside, b) == 0)
            b->count++;
        if (b->count == count && test_wait_until(have_begun, b))
            return b;
    }
    beside_stop(b);
    return NULL;
}

void beside_stop(beside *b)
{
    if (b == NULL)
        return;
    atomic_store(&b->is_over, 1);
    for (uint32_t i = 0; i < b->count; i++)
        pthread_join(b->threads[i], NULL);
    free(b);
}
