/*
 * upsert.c: the way of one request through the stages.
 */
#include <sodium.h>
#include <string.h>

#include "authorization.h"
#include "body.h"
#include "contacts.h"
#include "response.h"
#include "store.h"

enum { MAX_IDEMPOTENCY_KEY = 255 };

/* One request on its way. */
typedef struct call {
    bb_contacts *contacts;
    bb_request request; /* as this version knows it */
    uint8_t key_hash[BB_KEY_HASH_SIZE];
    bb_access access;
    bb_arena arena; /* what the request needs until it is answered */
    bb_issues issues;
    bb_body body;
    bb_batch batch;
} call;

static bb_slice slice_of(const char *data, size_t len)
{
    bb_slice slice = {data, data != NULL ? len : 0};

    return slice;
}

/* Key and chatbot as far as they need no storage. A principal takes the key's place (B4). */
static int32_t read_access(call *c)
{
    const bb_request *request = &c->request;
    bb_access *access = &c->access;

    access->size = sizeof *access;
    access->now_us = c->contacts->clock(c->contacts->clock_ctx);
    if (access->now_us < 0) /* which no clock should say; backends subtract from it */
        access->now_us = 0;
    access->deadline =
        bb_deadline_in(request->timeout_ms > 0 ? request->timeout_ms : c->contacts->timeout_ms);
    access->chatbot_id = bb_chatbot_id_read(slice_of(request->chatbot_id, request->chatbot_id_len));
    if (request->principal != NULL) {
        if (request->principal->size < sizeof *request->principal)
            return BB_STATUS_INTERNAL_ERROR;
        access->workspace_id = request->principal->workspace_id;
        access->key_chatbot_id = request->principal->chatbot_id;
        return BB_STATUS_SUCCESS;
    }
    access->key_hash = c->key_hash;
    return bb_authorization_read(slice_of(request->authorization, request->authorization_len),
                                 c->key_hash);
}

static bb_slice idempotency_key(const call *c)
{
    return slice_of(c->request.idempotency_key, c->request.idempotency_key_len);
}

/* Size, JSON, entries. */
static int32_t read_body(call *c)
{
    const bb_contacts *contacts = c->contacts;
    const bb_storage_vtable *table = &contacts->storage->vtable;
    bb_body_limits limits = {
        contacts->max_entry_bytes,
        contacts->max_depth,
        {table->max_integer_digits, table->max_fraction_digits, contacts->max_entry_bytes}};

    if (c->request.body_len > contacts->max_body_bytes)
        return BB_STATUS_PAYLOAD_TOO_LARGE;
    if (idempotency_key(c).len > MAX_IDEMPOTENCY_KEY)
        return BB_STATUS_INVALID_DATA;
    return bb_body_read(slice_of(c->request.body, c->request.body_len), &limits, &c->arena,
                        &c->issues, &c->body);
}

/* Entries to records. */
static int32_t make_batch(call *c)
{
    bb_id_source ids = {c->access.chatbot_id, idempotency_key(c), c->contacts->random,
                        c->contacts->random_ctx};

    if (bb_batch_make(&c->body, &ids, &c->arena, &c->batch) != BB_OK)
        return BB_STATUS_INTERNAL_ERROR;
    return BB_STATUS_SUCCESS;
}

/* Authorizes alone. A chatbot that can't exist is looked for too, as the key is judged first (A1),
 * but not found whatever the storage says. */
static int32_t authorize(call *c)
{
    int32_t status = bb_store_authorize(c->contacts, &c->access);

    return status == BB_STATUS_SUCCESS && c->access.chatbot_id == 0 ? BB_STATUS_NOT_FOUND : status;
}

/* The answer to a body that was refused, for those who may know that it was (A1). */
static bb_result *refuse(call *c, int32_t body_status)
{
    int32_t status = authorize(c);

    if (status != BB_STATUS_SUCCESS)
        return bb_response_plain(status);
    if (body_status == BB_STATUS_INVALID_DATA && c->issues.count > 0)
        return bb_response_issues(&c->contacts->allocator, &c->issues, c->body.root);
    return bb_response_plain(body_status);
}

/* The stages. Authorization travels with the write, so that one round trip is enough; a body is
 * judged before, but its refusal is kept from those who may not know. */
static bb_result *answer(call *c)
{
    int32_t status = read_access(c);

    if (status != BB_STATUS_SUCCESS)
        return bb_response_plain(status);
    if (c->access.chatbot_id == 0)
        return bb_response_plain(authorize(c));
    status = read_body(c);
    if (status == BB_STATUS_SUCCESS)
        status = make_batch(c);
    if (status != BB_STATUS_SUCCESS)
        return refuse(c, status);
    return bb_store_write(c->contacts, &c->access, &c->batch, &c->arena);
}

/* The request as this version knows it; 0 if it is of no known version. */
static int begin(call *c, bb_contacts *contacts, const bb_request *request)
{
    if (contacts == NULL || request == NULL || request->size < sizeof c->request)
        return 0;
    memset(c, 0, sizeof *c);
    c->contacts = contacts;
    c->request = *request;
    bb_arena_init(&c->arena, &contacts->allocator);
    bb_issues_init(&c->issues, &contacts->allocator);
    return 1;
}

static void end(call *c)
{
    bb_issues_free(&c->issues);
    bb_arena_free(&c->arena);
    sodium_memzero(c->key_hash, sizeof c->key_hash);
}

bb_result *bb_contacts_upsert(bb_contacts *contacts, const bb_request *request)
{
    bb_result *result;
    call c;

    if (!begin(&c, contacts, request))
        return bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    result = answer(&c);
    end(&c);
    return result;
}

bb_result *bb_contacts_authorize(bb_contacts *contacts, const bb_request *request)
{
    int32_t status;
    call c;

    if (!begin(&c, contacts, request))
        return bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    status = read_access(&c);
    if (status == BB_STATUS_SUCCESS)
        status = authorize(&c);
    end(&c);
    return bb_response_plain(status);
}
