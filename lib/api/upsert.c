/*
 * upsert.c: the way of one request through the stages.
 */
#include <sodium.h>
#include <string.h>

#include "api/handle.h"
#include "dispatch/dispatcher.h"
#include "execute/single.h"
#include "request/body.h"
#include "request/credentials.h"
#include "request/response.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/slice.h"
#include "util/struct_size.h"

enum { MAX_IDEMPOTENCY_KEY = 255 };

/* One request on its way. */
typedef struct call {
    bb_job job; /* first, so that a job is its call */
    bb_contacts *contacts;
    bb_request request; /* as this version knows it */
    int only_authorizes;
    uint8_t key_hash[BB_KEY_HASH_SIZE];
    bb_arena arena; /* what the request needs until it is answered */
    bb_issues issues;
    bb_body body;
    int32_t body_status; /* what is wrong with the body, for those who may know it */
    bb_batch batch;
    bb_done_fn done; /* the host's, of a submitted request */
    void *done_ctx;
} call;

/* A struct of the caller's as this version knows it; 0 if it cannot be used, which is logged. */
static int read_struct(const bb_contacts *contacts, const bb_struct_type *type, void *known,
                       const void *given)
{
    bb_error error;

    if (bb_struct_read(type, known, given, NULL) == BB_OK)
        return 1;
    bb_error_init(&error);
    bb_struct_read(type, known, given, &error); /* again, for what it says */
    bb_executor_log(&contacts->executor, BB_LOG_ERROR, "request refused", &error);
    return 0;
}

/* A principal takes the key's place (B4). */
static int32_t read_principal(call *c)
{
    bb_access *access = &c->job.access;
    bb_principal principal;

    bb_principal_init(&principal);
    if (!read_struct(c->contacts, &bb_principal_type, &principal, c->request.principal))
        return BB_STATUS_INTERNAL_ERROR;
    access->workspace_id = principal.workspace_id;
    access->key_chatbot_id = principal.chatbot_id;
    return BB_STATUS_SUCCESS;
}

/* Key and chatbot as far as they need no storage. */
static int32_t read_access(call *c)
{
    const bb_request *request = &c->request;
    bb_access *access = &c->job.access;

    access->size = sizeof *access;
    access->now_us = c->contacts->clock(c->contacts->clock_ctx);
    if (access->now_us < 0) /* which no clock should say; backends subtract from it */
        access->now_us = 0;
    access->deadline =
        bb_deadline_in(request->timeout_ms > 0 ? request->timeout_ms : c->contacts->timeout_ms);
    access->chatbot_id =
        bb_chatbot_id_read(bb_slice_of(request->chatbot_id, request->chatbot_id_len));
    if (request->principal != NULL)
        return read_principal(c);
    access->key_hash = c->key_hash;
    return bb_authorization_read(bb_slice_of(request->authorization, request->authorization_len),
                                 c->key_hash);
}

static bb_slice idempotency_key(const call *c)
{
    return bb_slice_of(c->request.idempotency_key, c->request.idempotency_key_len);
}

/* Size, JSON, entries. */
static int32_t read_body(call *c)
{
    const bb_contacts *contacts = c->contacts;
    const bb_storage_vtable *table = &contacts->executor.storage->vtable;
    bb_body_limits limits = {
        contacts->max_entry_bytes,
        contacts->max_depth,
        {table->max_integer_digits, table->max_fraction_digits, contacts->max_entry_bytes}};

    if (c->request.body_len > contacts->max_body_bytes)
        return BB_STATUS_PAYLOAD_TOO_LARGE;
    if (idempotency_key(c).len > MAX_IDEMPOTENCY_KEY)
        return BB_STATUS_INVALID_DATA;
    return bb_body_read(bb_slice_of(c->request.body, c->request.body_len), &limits, &c->arena,
                        &c->issues, &c->body);
}

/* Entries to records. */
static int32_t make_batch(call *c)
{
    bb_id_source ids = {c->job.access.chatbot_id, idempotency_key(c), c->contacts->random,
                        c->contacts->random_ctx};

    if (bb_batch_make(&c->body, &ids, &c->arena, &c->batch) != BB_OK)
        return BB_STATUS_INTERNAL_ERROR;
    return BB_STATUS_SUCCESS;
}

/* Authorizes alone. A chatbot that can't exist is looked for too, as the key is judged first (A1),
 * but not found whatever the storage says. */
static int32_t authorize(call *c, bb_share share)
{
    int32_t status = bb_job_authorize(&c->contacts->executor, &c->job, share);

    return status == BB_STATUS_SUCCESS && c->job.access.chatbot_id == 0 ? BB_STATUS_NOT_FOUND
                                                                        : status;
}

/* For a request that holds up nobody else. */
static bb_share whole_time(const call *c)
{
    bb_share share = {.lock_deadline = c->job.access.deadline, .deadline = c->job.access.deadline};

    return share;
}

/* The answer of a job that only asks about the access. */
static bb_result *answer_access(int32_t status)
{
    return status == BB_DEFERRED ? NULL : bb_response_plain(status);
}

/* The answer to a body that was refused, for those who may know that it was (A1). */
static bb_result *refuse(call *c, int32_t body_status, bb_share share)
{
    int32_t status = authorize(c, share);

    if (status != BB_STATUS_SUCCESS)
        return answer_access(status);
    if (body_status == BB_STATUS_INVALID_DATA && c->issues.count > 0)
        return bb_response_issues(&c->contacts->executor.allocator, &c->issues, c->body.root);
    return bb_response_plain(body_status);
}

/* What is left to be done once the request has been read, on the store. */
static bb_result *execute(bb_executor *executor, bb_job *job, bb_share share)
{
    call *c = (call *)job;

    if (c->only_authorizes || c->job.access.chatbot_id == 0)
        return answer_access(authorize(c, share));
    if (c->body_status != BB_STATUS_SUCCESS)
        return refuse(c, c->body_status, share);
    return bb_job_write(executor, job, share);
}

/*
 * The stages before the store; a status other than SUCCESS is the answer. Authorization travels
 * with the write, so that one round trip is enough; a body is judged before, but its refusal is
 * kept from those who may not know.
 */
static int32_t read_request(call *c)
{
    int32_t status = read_access(c);

    if (status != BB_STATUS_SUCCESS || c->only_authorizes || c->job.access.chatbot_id == 0)
        return status;
    c->body_status = read_body(c);
    if (c->body_status == BB_STATUS_SUCCESS)
        c->body_status = make_batch(c);
    if (c->body_status == BB_STATUS_SUCCESS)
        c->job.batch = &c->batch;
    return BB_STATUS_SUCCESS;
}

/* Leaves a body out that is not looked at, so that it is neither copied nor counted. */
static void leave_body_out(call *c)
{
    const bb_request *request = &c->request;

    if (c->only_authorizes ||
        (request->body == NULL && request->body_len <= c->contacts->max_body_bytes))
        c->request.body_len = 0;
}

/* Looked at before anything of the handle's is used. */
static int can_begin(const bb_contacts *contacts, const bb_request *request)
{
    bb_error error;

    if (contacts == NULL || request == NULL)
        return 0;
    if (bb_contacts_is_usable(contacts))
        return 1;
    bb_error_init(&error);
    bb_error_set(&error, BB_ERR_ARGUMENT, "the handle was " BB_OTHER_PROCESS);
    bb_executor_log(&contacts->executor, BB_LOG_ERROR, "request refused", &error);
    return 0;
}

/* 0 if there is nothing to go on: the answer is a 500. */
static int begin(call *c, bb_contacts *contacts, const bb_request *request, int only_authorizes)
{
    memset(c, 0, sizeof *c);
    c->contacts = contacts;
    c->only_authorizes = only_authorizes;
    bb_request_init(&c->request);
    if (!read_struct(contacts, &bb_request_type, &c->request, request))
        return 0;
    leave_body_out(c);
    c->job.began_us = bb_monotonic_us();
    bb_arena_init(&c->arena, &contacts->executor.allocator);
    bb_issues_init(&c->issues, &contacts->executor.allocator);
    c->job.execute = execute;
    c->job.arena = &c->arena;
    if (c->request.body_len <= contacts->max_body_bytes) /* larger ones are not even copied */
        c->job.bytes = c->request.body_len;
    return 1;
}

static void end(call *c)
{
    bb_issues_free(&c->issues);
    bb_arena_free(&c->arena);
    sodium_memzero(c->key_hash, sizeof c->key_hash);
}

static void count_answer(const call *c, const bb_result *result)
{
    bb_count_answer(&c->contacts->executor.counters, result, bb_monotonic_us() - c->job.began_us);
}

/* ------------------------------------------------------------------------------------- waiting */

/* The stages, and what came of them. */
static bb_result *answer(call *c)
{
    int32_t status = read_request(c);

    if (status != BB_STATUS_SUCCESS)
        return bb_response_plain(status);
    if (c->contacts->dispatcher != NULL)
        return bb_dispatcher_run(c->contacts->dispatcher, &c->job);
    return execute(&c->contacts->executor, &c->job, whole_time(c));
}

bb_result *bb_contacts_upsert(bb_contacts *contacts, const bb_request *request)
{
    bb_result *result;
    call c;

    if (!can_begin(contacts, request) || !begin(&c, contacts, request, 0))
        return bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    result = answer(&c);
    count_answer(&c, result);
    end(&c);
    return result;
}

bb_result *bb_contacts_authorize(bb_contacts *contacts, const bb_request *request)
{
    int32_t status;
    call c;

    if (!can_begin(contacts, request) || !begin(&c, contacts, request, 1))
        return bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    status = read_request(&c);
    if (status == BB_STATUS_SUCCESS)
        status = authorize(&c, whole_time(&c));
    end(&c);
    return bb_response_plain(status);
}

/* ---------------------------------------------------------------------------------- submitting */

/* Answers a submitted request, which is over then. */
static void finish(bb_job *job, bb_result *result)
{
    call *c = (call *)job;
    bb_allocator allocator = c->contacts->executor.allocator;
    bb_done_fn done = c->done;
    void *done_ctx = c->done_ctx;

    if (!c->only_authorizes)
        count_answer(c, result);
    end(c);
    bb_free(&allocator, c);
    done(done_ctx, result);
}

/* The host's bytes are there only until the call returns; slices of the body outlive it. All else
 * is read by then. */
static int32_t keep_body(call *c)
{
    size_t len = c->request.body_len;
    char *copy;

    if (len == 0 || len > c->contacts->max_body_bytes)
        return BB_STATUS_SUCCESS;
    copy = bb_arena_alloc_bytes(&c->arena, len);
    if (copy == NULL)
        return BB_STATUS_INTERNAL_ERROR;
    memcpy(copy, c->request.body, len);
    c->request.body = copy;
    return BB_STATUS_SUCCESS;
}

/* Lets a request wait for a worker, or says why it is over already. */
static int32_t queue(call *c, uint64_t *ticket)
{
    int32_t status = keep_body(c);
    int32_t code;

    if (status == BB_STATUS_SUCCESS)
        status = read_request(c);
    if (status != BB_STATUS_SUCCESS)
        return status;
    code = bb_dispatcher_submit(c->contacts->dispatcher, &c->job, ticket);
    if (code == BB_OK)
        return BB_STATUS_SUCCESS;
    return code == BB_ERR_BUSY ? BB_STATUS_UNAVAILABLE : BB_STATUS_INTERNAL_ERROR;
}

static bb_result *submit(bb_contacts *contacts, const bb_request *request, int only_authorizes,
                         bb_done_fn done, void *done_ctx, uint64_t *ticket)
{
    bb_result *result;
    int32_t status;
    call *c;

    if (!can_begin(contacts, request) || contacts->dispatcher == NULL || done == NULL)
        return bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    c = bb_alloc(&contacts->executor.allocator, sizeof *c);
    if (c == NULL || !begin(c, contacts, request, only_authorizes)) {
        bb_free(&contacts->executor.allocator, c);
        return bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    }
    c->job.done = finish;
    c->done = done;
    c->done_ctx = done_ctx;
    status = queue(c, ticket);
    if (status == BB_STATUS_SUCCESS)
        return NULL; /* and the call may be over by now */
    result = bb_response_plain(status);
    if (!only_authorizes)
        count_answer(c, result);
    end(c);
    bb_free(&contacts->executor.allocator, c);
    return result;
}

bb_result *bb_contacts_submit(bb_contacts *contacts, const bb_request *request, bb_done_fn done,
                              void *done_ctx, uint64_t *ticket)
{
    return submit(contacts, request, 0, done, done_ctx, ticket);
}

bb_result *bb_contacts_submit_authorize(bb_contacts *contacts, const bb_request *request,
                                        bb_done_fn done, void *done_ctx, uint64_t *ticket)
{
    return submit(contacts, request, 1, done, done_ctx, ticket);
}

int32_t bb_contacts_cancel(bb_contacts *contacts, uint64_t ticket)
{
    if (contacts == NULL || !bb_contacts_is_usable(contacts))
        return BB_ERR_ARGUMENT;
    if (contacts->dispatcher == NULL || ticket == 0)
        return BB_ERR_NOT_FOUND;
    return bb_dispatcher_cancel(contacts->dispatcher, ticket);
}
