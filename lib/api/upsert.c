/*
 * upsert.c: the way of one request through the stages.
 */
#include <sodium.h>
#include <string.h>

#include "api/upsert.h"
#include "dispatch/dispatcher.h"
#include "execute/job_log.h"
#include "execute/single.h"
#include "request/body.h"
#include "request/credentials.h"
#include "request/response.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/slice.h"
#include "util/struct_size.h"

enum { MAX_IDEMPOTENCY_KEY = 255 };

/* One request on its way, and its answer. */
typedef struct exchange {
    bb_job job; /* first, so that a job's address is its exchange's */
    bb_contacts *contacts;
    bb_request request; /* as this version knows it */
    int only_authorizes;
    uint8_t key_hash[BB_KEY_HASH_SIZE];
    bb_arena arena; /* what the request needs until it is answered */
    bb_issues issues;
    bb_body body;
    int32_t body_status; /* what is wrong with the body, for callers who may know it */
    bb_batch batch;
    bb_done_fn done; /* the host's, of a submitted request */
    void *done_ctx;
    bb_outbox *outbox; /* where its answer goes instead, and the exchange with it */
    bb_outbox_entry entry;
} exchange;

/* Reads a struct of the caller's as this version knows it. Returns 0, after a line in the log, if
 * it cannot be used. */
static int read_struct(const bb_contacts *contacts, const bb_job *job, const bb_struct_type *type,
                       void *known, const void *given)
{
    bb_error error;

    if (bb_struct_read(type, known, given, NULL) == BB_OK)
        return 1;
    bb_error_init(&error);
    bb_struct_read(type, known, given, &error); /* once more, for its message */
    bb_job_log(&contacts->executor, job, BB_LOG_ERROR, "request refused", &error);
    return 0;
}

/* Tells the log why a request goes no further. Returns the code. */
static int32_t log_refusal(const bb_contacts *contacts, const bb_job *job, int32_t code,
                           const char *why)
{
    bb_error error;

    bb_error_init(&error);
    bb_error_set(&error, code, "%s", why);
    bb_job_log(&contacts->executor, job, BB_LOG_ERROR, "request refused", &error);
    return code;
}

/* A principal takes the key's place (B4). */
static int32_t read_principal(exchange *x)
{
    bb_access *access = &x->job.access;
    bb_principal principal;

    bb_principal_init(&principal);
    if (!read_struct(x->contacts, &x->job, &bb_principal_type, &principal, x->request.principal))
        return BB_FAULT(BB_ERR_ARGUMENT);
    access->workspace_id = principal.workspace_id;
    access->key_chatbot_id = principal.chatbot_id;
    return BB_STATUS_SUCCESS;
}

/* Key and chatbot as far as they need no storage. */
static int32_t read_access(exchange *x)
{
    const bb_request *request = &x->request;
    bb_access *access = &x->job.access;

    access->size = sizeof *access;
    access->now_us = x->contacts->clock(x->contacts->clock_ctx);
    access->deadline = bb_deadline_in(bb_timeout_or(request->timeout_ms, x->contacts->timeout_ms));
    access->chatbot_id =
        bb_chatbot_id_read(bb_slice_of(request->chatbot_id, request->chatbot_id_len));
    if (request->principal != NULL)
        return read_principal(x);
    access->key_hash = x->key_hash;
    return bb_authorization_read(bb_slice_of(request->authorization, request->authorization_len),
                                 x->key_hash);
}

/* Whether the clock says a time, and there is some left. */
static int32_t check_times(const exchange *x)
{
    const bb_access *access = &x->job.access;

    if (access->now_us <= 0)
        return BB_FAULT(
            log_refusal(x->contacts, &x->job, BB_ERR_INTERNAL, "the clock says no time"));
    if (bb_deadline_left(access->deadline) == 0)
        return BB_FAULT(log_refusal(x->contacts, &x->job, BB_ERR_DEADLINE, "no time is left"));
    return BB_STATUS_SUCCESS;
}

static bb_slice idempotency_key(const exchange *x)
{
    return bb_slice_of(x->request.idempotency_key, x->request.idempotency_key_len);
}

static int are_options_known(const bb_request *request)
{
    return request->custom_attributes >= BB_ATTRIBUTES_DEFAULT &&
           request->custom_attributes <= BB_ATTRIBUTES_MERGE &&
           (request->dry_run == 0 || request->dry_run == 1);
}

/* Size, options, JSON, entries. */
static int32_t read_body(exchange *x)
{
    const bb_contacts *contacts = x->contacts;
    const bb_storage_vtable *table = &contacts->executor.storage->vtable;
    bb_body_limits limits = {
        contacts->max_entry_bytes,
        contacts->max_depth,
        {table->max_integer_digits, table->max_fraction_digits, contacts->max_entry_bytes}};

    if (x->request.body_len > contacts->max_body_bytes)
        return BB_STATUS_PAYLOAD_TOO_LARGE;
    if (idempotency_key(x).len > MAX_IDEMPOTENCY_KEY || !are_options_known(&x->request))
        return BB_STATUS_INVALID_DATA;
    return bb_body_read(bb_slice_of(x->request.body, x->request.body_len), &limits, &x->arena,
                        &x->issues, &x->body);
}

/* Whether custom_attributes are merged (D2). */
static int merges(const exchange *x)
{
    int32_t asked = x->request.custom_attributes;

    if (asked == BB_ATTRIBUTES_DEFAULT)
        asked = x->contacts->custom_attributes;
    return asked == BB_ATTRIBUTES_MERGE;
}

/* Whether the backend can do what the request asks for: some abilities are optional. */
static int32_t check_abilities(const exchange *x)
{
    const bb_executor *executor = &x->contacts->executor;
    uint32_t abilities = executor->storage->vtable.flags;
    const char *lacks = NULL;

    if (x->batch.merge_count > 0 && !(abilities & BB_STORAGE_MERGES))
        lacks = "this storage can't merge custom_attributes";
    else if (x->request.dry_run && !(abilities & BB_STORAGE_DRY_RUNS))
        lacks = "this storage makes no dry runs";
    if (lacks == NULL)
        return BB_STATUS_SUCCESS;
    return BB_FAULT(log_refusal(x->contacts, &x->job, BB_ERR_UNSUPPORTED, lacks));
}

/* Entries to records. */
static int32_t make_batch(exchange *x)
{
    bb_id_source ids = {x->job.access.chatbot_id, idempotency_key(x), x->contacts->random,
                        x->contacts->random_ctx};
    bb_batch_rules rules = {x->request.dry_run, merges(x), x->contacts->max_entry_bytes};
    int32_t code = bb_batch_make(&x->body, &ids, &rules, &x->arena, &x->batch);

    if (code == BB_ERR_INTERNAL)
        log_refusal(x->contacts, &x->job, code, "random bytes are not available");
    if (code != BB_OK)
        return BB_FAULT(code);
    x->batch.is_minimal = x->request.answer == BB_ANSWER_MINIMAL;
    bb_batch_add_issues(&x->batch, &x->issues);
    return x->batch.oversized > 0 ? (int32_t)BB_STATUS_INVALID_DATA : check_abilities(x);
}

/* Only authorizes. The store is asked about a chatbot that can't exist, too, as the key is judged
 * first (A1), but the chatbot is not found whatever it says. */
static int32_t authorize(exchange *x, bb_share share)
{
    int32_t status = bb_job_authorize(&x->contacts->executor, &x->job, share);

    return status == BB_STATUS_SUCCESS && x->job.access.chatbot_id == 0 ? BB_STATUS_NOT_FOUND
                                                                        : status;
}

/* The answer of a job that only asks about the access. */
static bb_result *answer_access(int32_t status)
{
    return status == BB_DEFERRED ? NULL : bb_response_plain(status);
}

/* The answer to a body that was refused, for a caller who may know that it was (A1). */
static bb_result *refuse(exchange *x, int32_t body_status, bb_share share)
{
    int32_t status = authorize(x, share);

    if (status != BB_STATUS_SUCCESS)
        return answer_access(status);
    if (body_status == BB_STATUS_INVALID_DATA && x->issues.count > 0)
        return bb_response_issues(&x->contacts->executor.allocator, &x->issues, x->body.root);
    return bb_response_plain(body_status);
}

/* What is left to do on the store once the request has been read. */
static bb_result *execute(bb_executor *executor, bb_job *job, bb_share share)
{
    exchange *x = (exchange *)job;

    if (x->only_authorizes || x->job.access.chatbot_id == 0)
        return answer_access(authorize(x, share));
    if (x->body_status != BB_STATUS_SUCCESS)
        return refuse(x, x->body_status, share);
    return bb_job_write(executor, job, share);
}

/*
 * The stages before the store; a status other than SUCCESS is the answer. Authorization travels
 * with the write, so that one round trip is enough. The body is judged before, but only callers who
 * may know are told of its refusal.
 */
static int32_t read_request(exchange *x)
{
    int32_t status = read_access(x);

    if (status == BB_STATUS_SUCCESS)
        status = check_times(x);
    if (status != BB_STATUS_SUCCESS || x->only_authorizes || x->job.access.chatbot_id == 0)
        return status;
    x->body_status = read_body(x);
    if (x->body_status == BB_STATUS_SUCCESS)
        x->body_status = make_batch(x);
    if (x->body_status == BB_STATUS_SUCCESS)
        x->job.batch = &x->batch;
    return BB_STATUS_SUCCESS;
}

/* Leaves out a body that nobody will read, so that it is neither copied nor counted. */
static void leave_body_out(exchange *x)
{
    const bb_request *request = &x->request;

    if (x->only_authorizes ||
        (request->body == NULL && request->body_len <= x->contacts->max_body_bytes))
        x->request.body_len = 0;
}

static void take_request_id(bb_job *job, const bb_request *request)
{
    bb_request_id_clean(request->request_id, request->request_id_len, job->request_id,
                        sizeof job->request_id);
}

/* Checked before anything of the handle's is used. A code. */
static int32_t may_begin(const bb_contacts *contacts, const bb_request *request)
{
    bb_request known;
    bb_job named;

    if (contacts == NULL || request == NULL)
        return BB_ERR_ARGUMENT;
    if (bb_contacts_is_usable(contacts))
        return BB_OK;
    memset(&named, 0, sizeof named);
    bb_request_init(&known);
    if (bb_struct_read(&bb_request_type, &known, request, NULL) == BB_OK)
        take_request_id(&named, &known);
    return log_refusal(contacts, &named, BB_ERR_OTHER_PROCESS, "the handle was " BB_OTHER_PROCESS);
}

/* BB_OK, or the code of a fault, which is then the answer; there is nothing to end() then. */
static int32_t begin(exchange *x, bb_contacts *contacts, const bb_request *request,
                     int only_authorizes)
{
    memset(x, 0, sizeof *x);
    x->contacts = contacts;
    x->only_authorizes = only_authorizes;
    bb_request_init(&x->request);
    if (!read_struct(contacts, &x->job, &bb_request_type, &x->request, request))
        return BB_ERR_ARGUMENT;
    take_request_id(&x->job, &x->request);
    if ((x->request.flags & ~BB_REQUEST_BODY_STAYS) != 0) /* they might ask for what is not done */
        return log_refusal(contacts, &x->job, BB_ERR_ARGUMENT, "bb_request.flags are not known");
    if (x->request.answer != BB_ANSWER_FULL && x->request.answer != BB_ANSWER_MINIMAL)
        return log_refusal(contacts, &x->job, BB_ERR_ARGUMENT, "bb_request.answer is not known");
    leave_body_out(x);
    x->job.began_us = bb_monotonic_us();
    bb_arena_init(&x->arena, &contacts->executor.allocator);
    bb_issues_init(&x->issues, &contacts->executor.allocator);
    x->job.execute = execute;
    x->job.arena = &x->arena;
    if (x->request.body_len <= contacts->max_body_bytes) /* larger ones are not even copied */
        x->job.bytes = x->request.body_len;
    return BB_OK;
}

static void end(exchange *x)
{
    bb_issues_free(&x->issues);
    bb_arena_free(&x->arena);
    sodium_memzero(x->key_hash, sizeof x->key_hash);
}

static void count_answer(const exchange *x, const bb_result *result)
{
    bb_count_answer(&x->contacts->executor.counters, result, x->request.dry_run != 0,
                    bb_monotonic_us() - x->job.began_us);
}

/* ------------------------------------------------------------------------------------- waiting */

/* Goes through all stages. */
static bb_result *answer(exchange *x)
{
    int32_t status = read_request(x);

    if (status != BB_STATUS_SUCCESS)
        return bb_response_plain(status);
    if (x->contacts->dispatcher != NULL)
        return bb_dispatcher_run(x->contacts->dispatcher, &x->job);
    return execute(&x->contacts->executor, &x->job, bb_share_whole(x->job.access.deadline));
}

bb_result *bb_contacts_upsert(bb_contacts *contacts, const bb_request *request)
{
    int32_t code = may_begin(contacts, request);
    bb_result *result;
    exchange x;

    if (code == BB_OK)
        code = begin(&x, contacts, request, 0);
    if (code != BB_OK)
        return bb_response_plain(BB_FAULT(code));
    result = answer(&x);
    count_answer(&x, result);
    end(&x);
    return result;
}

bb_result *bb_contacts_authorize(bb_contacts *contacts, const bb_request *request)
{
    int32_t code = may_begin(contacts, request);
    int32_t status;
    exchange x;

    if (code == BB_OK)
        code = begin(&x, contacts, request, 1);
    if (code != BB_OK)
        return bb_response_plain(BB_FAULT(code));
    status = read_request(&x);
    if (status == BB_STATUS_SUCCESS)
        status = authorize(&x, bb_share_whole(x.job.access.deadline));
    end(&x);
    return bb_response_plain(status);
}

/* ---------------------------------------------------------------------------------- submitting */

/* Counts a submitted request, and frees what its answer does not need. */
static void end_submitted(exchange *x, const bb_result *result)
{
    if (!x->only_authorizes)
        count_answer(x, result);
    end(x);
}

/* Answers a submitted request, which ends it. */
static void finish(bb_job *job, bb_result *result)
{
    exchange *x = (exchange *)job;
    bb_allocator allocator = x->contacts->executor.allocator;
    bb_done_fn done = x->done;
    void *done_ctx = x->done_ctx;

    end_submitted(x, result);
    bb_free(&allocator, x);
    done(done_ctx, result);
}

/* The same for one whose answer the host will take. */
static void finish_in_outbox(bb_job *job, bb_result *result)
{
    exchange *x = (exchange *)job;

    end_submitted(x, result);
    bb_outbox_put(x->outbox, &x->entry, result, job->is_followed);
}

/* The host's bytes last only until the call returns, unless it says otherwise, and slices of the
 * body outlive it. All else has been read by then. */
static int32_t keep_body(exchange *x)
{
    size_t len = x->request.body_len;
    char *copy;

    if (len == 0 || len > x->contacts->max_body_bytes ||
        (x->request.flags & BB_REQUEST_BODY_STAYS) != 0)
        return BB_STATUS_SUCCESS;
    copy = bb_arena_alloc_bytes(&x->arena, len);
    if (copy == NULL)
        return BB_FAULT(BB_ERR_NOMEM);
    memcpy(copy, x->request.body, len);
    x->request.body = copy;
    return BB_STATUS_SUCCESS;
}

/* Queues a request for a worker, or returns its answer if it is over already. */
static int32_t queue(exchange *x, uint64_t *ticket)
{
    int32_t status = keep_body(x);
    int32_t code;

    if (status == BB_STATUS_SUCCESS)
        status = read_request(x);
    if (status != BB_STATUS_SUCCESS)
        return status;
    code = bb_dispatcher_submit(x->contacts->dispatcher, &x->job, ticket);
    return code == BB_OK ? BB_STATUS_SUCCESS : BB_FAULT(code);
}

/* Begins a request that is to be submitted: BB_OK, BB_ERR_NOMEM or BB_ERR_ARGUMENT. */
static int32_t begin_submitted(bb_contacts *contacts, const bb_request *request,
                               int only_authorizes, exchange **out)
{
    exchange *x = bb_alloc(&contacts->executor.allocator, sizeof *x);
    int32_t code = x != NULL ? begin(x, contacts, request, only_authorizes) : BB_ERR_NOMEM;

    if (code == BB_OK)
        *out = x;
    else
        bb_free(&contacts->executor.allocator, x);
    return code;
}

int32_t bb_contacts_submit_to(bb_contacts *contacts, const bb_request *request, int only_authorizes,
                              bb_outbox *outbox, uint64_t tag, uint64_t *ticket)
{
    exchange *x;
    int32_t code = begin_submitted(contacts, request, only_authorizes, &x);
    int32_t status;

    if (code != BB_OK)
        return code;
    if (!bb_outbox_expect(outbox)) {
        end(x);
        bb_free(&contacts->executor.allocator, x);
        return BB_ERR_CLOSED;
    }
    x->job.done = finish_in_outbox;
    x->job.recipient = outbox;
    x->outbox = outbox;
    x->entry = (bb_outbox_entry){.block = x, .tag = tag};
    status = queue(x, ticket);
    if (status != BB_STATUS_SUCCESS)
        finish_in_outbox(&x->job, bb_response_plain(status));
    return BB_OK;
}

static bb_result *submit(bb_contacts *contacts, const bb_request *request, int only_authorizes,
                         bb_done_fn done, void *done_ctx, uint64_t *ticket)
{
    int32_t code = may_begin(contacts, request);
    bb_result *result;
    int32_t status;
    exchange *x;

    if (code == BB_OK && (contacts->dispatcher == NULL || done == NULL))
        code = BB_ERR_ARGUMENT;
    if (code == BB_OK)
        code = begin_submitted(contacts, request, only_authorizes, &x);
    if (code != BB_OK)
        return bb_response_plain(BB_FAULT(code));
    x->job.done = finish;
    x->done = done;
    x->done_ctx = done_ctx;
    status = queue(x, ticket);
    if (status == BB_STATUS_SUCCESS)
        return NULL; /* the exchange may be over by now */
    result = bb_response_plain(status);
    end_submitted(x, result);
    bb_free(&contacts->executor.allocator, x);
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
