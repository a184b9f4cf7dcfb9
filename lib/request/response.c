/*
 * response.c: the outcome of a request as status and JSON body: section A.
 */
#include "request/response.h"

#include <string.h>

#include "util/struct_size.h"
#include "json/quote.h"

static const char success_head[] = "{\"message\":\"Success\",\"data\":[";
static const char success_tail[] = "]}";

#define MESSAGE_BODY(message) "{\"message\":\"" message "\"}"

/* body_SUCCESS and so on */
#define XX(name, number, http, message) static const char body_##name[] = MESSAGE_BODY(message);
BB_STATUS_MAP(XX)
#undef XX

#define PLAIN(name, code)                                                                 \
    {                                                                                     \
        .status = BB_STATUS_##name, .fault = (code), .is_static = 1, .body = body_##name, \
        .body_len = sizeof body_##name - 1                                                \
    }

static const bb_result plain[] = {
#define XX(name, number, http, message) [number] = PLAIN(name, BB_OK),
    BB_STATUS_MAP(XX)
#undef XX
};

static const bb_result faults[] = {
#define XX(code, name) [BB_##code] = PLAIN(name, BB_##code),
    BB_FAULT_MAP(XX)
#undef XX
};

/* The result of BB_FAULT(code). */
static const bb_result *fault(int64_t code)
{
    size_t count = sizeof faults / sizeof faults[0];

    if ((uint64_t)code >= count || !faults[code].is_static) /* as codes without a line are */
        return &faults[BB_ERR_INTERNAL];
    return &faults[code];
}

bb_result *bb_response_plain(int32_t status)
{
    union {
        const bb_result *constant;
        bb_result *given;
    } owned;

    /* callers own their results; bb_result_free() knows these and leaves them alone */
    owned.constant = status >= 0 ? &plain[status] : fault(-(int64_t)status);
    return owned.given;
}

static const char *message_of(int32_t status)
{
    static const char *const messages[] = {
#define XX(name, number, http, message) [number] = (message),
        BB_STATUS_MAP(XX)
#undef XX
    };

    return messages[status];
}

static bb_result *new_result(const bb_allocator *allocator, int32_t status)
{
    bb_result *result = bb_zalloc(allocator, sizeof *result);

    if (result == NULL)
        return NULL;
    result->allocator = *allocator;
    result->status = status;
    return result;
}

bb_result *bb_response_issues(const bb_allocator *allocator, const bb_issues *issues,
                              const char *root)
{
    bb_result *result = new_result(allocator, BB_STATUS_INVALID_DATA);
    bb_buffer body;

    if (result == NULL)
        return bb_response_plain(BB_FAULT(BB_ERR_NOMEM));
    bb_buffer_init(&body, allocator, SIZE_MAX);
    bb_issues_write(issues, message_of(BB_STATUS_INVALID_DATA), root, &body);
    bb_buffer_append_char(&body, '\0');
    if (body.failed || issues->json.failed) {
        bb_buffer_free(&body);
        bb_result_free(result);
        return bb_response_plain(BB_FAULT(BB_ERR_NOMEM));
    }
    result->owned = body.data;
    result->body = body.data;
    result->body_len = body.len - 1;
    return result;
}

size_t bb_response_room(size_t max)
{
    size_t around = sizeof success_head - 1 + sizeof success_tail - 1 - 1; /* no last comma */

    return max > around ? max - around : 1;
}

int32_t bb_rendered_init(bb_rendered *rendered, size_t record_count, size_t max_bytes,
                         bb_arena *arena)
{
    bb_buffer_init(&rendered->json, &arena->allocator, max_bytes);
    rendered->start = bb_arena_alloc_array(arena, record_count, sizeof *rendered->start);
    rendered->len = bb_arena_alloc_array(arena, record_count, sizeof *rendered->len);
    return rendered->start != NULL && rendered->len != NULL ? BB_OK : BB_ERR_NOMEM;
}

void bb_rendered_free(bb_rendered *rendered)
{
    bb_buffer_free(&rendered->json);
}

static void append_text(bb_buffer *json, bb_slice text)
{
    if (text.data == NULL)
        bb_buffer_append(json, "null", 4);
    else
        bb_json_append_string(json, text.data, text.len);
}

static void append_json(bb_buffer *json, bb_slice value)
{
    bb_buffer_append(json, value.data, value.len);
}

#define APPEND(json, literal) bb_buffer_append(json, literal, sizeof(literal) - 1)
#define APPEND_TEXT           append_text
#define APPEND_ARRAY          append_json
#define APPEND_OBJECT         append_json

/* What storage.h tells backends; with the comma that follows. */
#define XX(name, NAME, KIND) +(sizeof(",\"" #name "\":") - 1) // NOLINT(bugprone-macro-parentheses)
_Static_assert(
    BB_CONTACT_FRAME_BYTES ==
        sizeof("{\"id\":\"contact_\",\"external_id\":,\"created_at\":,\"updated_at\":},") -
            1 BB_FIELD_MAP(XX),
    "BB_CONTACT_FRAME_BYTES is not what a contact has besides its values");
#undef XX
/* A contact that a dry run would create has none (A6). */
static void append_id(bb_buffer *json, int64_t id)
{
    if (id == 0) {
        APPEND(json, "{\"id\":null");
        return;
    }
    APPEND(json, "{\"id\":\"contact_");
    bb_buffer_append_i64(json, id);
    APPEND(json, "\"");
}

int32_t bb_rendered_put(bb_rendered *rendered, size_t record, const bb_contact *contact)
{
    bb_buffer *json = &rendered->json;
    size_t start = json->len;

    append_id(json, contact->id);
    APPEND(json, ",\"external_id\":");
    append_text(json, contact->external_id);
#define XX(name, NAME, KIND)         \
    APPEND(json, ",\"" #name "\":"); \
    APPEND_##KIND(json, contact->name);
    BB_FIELD_MAP(XX)
#undef XX
    APPEND(json, ",\"created_at\":");
    bb_buffer_append_i64(json, contact->created_at_us / 1000000);
    APPEND(json, ",\"updated_at\":");
    bb_buffer_append_i64(json, contact->updated_at_us / 1000000);
    APPEND(json, "}");
    if (json->failed)
        return json->is_full ? BB_ERR_TOO_LARGE : BB_ERR_NOMEM;
    rendered->start[record] = start;
    rendered->len[record] = json->len - start;
    return BB_OK;
}

/* The length of the whole body; 0 if it overflows size_t, as duplicates of a large contact could
 * make it. */
static size_t success_length(const bb_batch *batch, const bb_rendered *rendered)
{
    size_t total = sizeof success_head + sizeof success_tail; /* with room for a NUL */

    for (size_t i = 0; i < batch->entry_count; i++) {
        size_t len = rendered->len[batch->record_of[i]] + 1;
        if (len > SIZE_MAX - total)
            return 0;
        total += len;
    }
    return total;
}

static char *append(char *to, const char *data, size_t len)
{
    memcpy(to, data, len);
    return to + len;
}

static void take_outcomes(bb_result *result, const bb_batch *batch)
{
    memcpy(result->outcomes, batch->outcomes, batch->entry_count);
    for (size_t i = 0; i < batch->entry_count; i++)
        result->counts[batch->outcomes[i]]++;
    result->entry_count = batch->entry_count;
}

static void write_success(bb_result *result, const bb_batch *batch, const bb_rendered *rendered)
{
    char *to = append(result->owned, success_head, sizeof success_head - 1);

    for (size_t i = 0; i < batch->entry_count; i++) {
        size_t record = batch->record_of[i];
        if (i > 0)
            *to++ = ',';
        to = append(to, rendered->json.data + rendered->start[record], rendered->len[record]);
    }
    to = append(to, success_tail, sizeof success_tail - 1);
    *to = '\0';
    result->body_len = (size_t)(to - result->owned);
    result->body = result->owned;
    take_outcomes(result, batch);
}

/* A 200 with contacts. */
static bb_result *make_full(const bb_allocator *allocator, const bb_batch *batch,
                            const bb_rendered *rendered)
{
    size_t length = success_length(batch, rendered);
    bb_result *result = new_result(allocator, BB_STATUS_SUCCESS);

    if (result == NULL)
        return bb_response_plain(BB_FAULT(BB_ERR_NOMEM));
    result->outcomes = bb_alloc(allocator, batch->entry_count);
    result->owned = length > 0 ? bb_alloc(allocator, length) : NULL;
    if (result->outcomes == NULL || result->owned == NULL) {
        bb_result_free(result);
        return bb_response_plain(BB_FAULT(BB_ERR_NOMEM));
    }
    write_success(result, batch, rendered);
    return result;
}

/* The same without contacts. */
static bb_result *make_minimal(const bb_allocator *allocator, const bb_batch *batch)
{
    bb_result *result = new_result(allocator, BB_STATUS_SUCCESS);

    if (result == NULL)
        return bb_response_plain(BB_FAULT(BB_ERR_NOMEM));
    result->outcomes = bb_alloc(allocator, batch->entry_count);
    if (result->outcomes == NULL) {
        bb_result_free(result);
        return bb_response_plain(BB_FAULT(BB_ERR_NOMEM));
    }
    take_outcomes(result, batch);
    result->body = bb_result_body(bb_response_plain(BB_STATUS_SUCCESS), &result->body_len);
    return result;
}

bb_result *bb_response_success(const bb_allocator *allocator, const bb_batch *batch,
                               const bb_rendered *rendered)
{
    if (batch->is_minimal)
        return make_minimal(allocator, batch);
    return make_full(allocator, batch, rendered);
}

/* --------------------------------------------------------------------------- what callers read */

void bb_result_free(bb_result *result)
{
    bb_allocator allocator;

    if (result == NULL || result->is_static)
        return;
    allocator = result->allocator;
    bb_free(&allocator, result->owned);
    bb_free(&allocator, result->outcomes);
    bb_free(&allocator, result);
}

void bb_results_free(bb_result *const *results, size_t count)
{
    for (size_t i = 0; results != NULL && i < count; i++)
        bb_result_free(results[i]);
}

int32_t bb_result_status(const bb_result *result)
{
    return result != NULL ? result->status : (int32_t)BB_STATUS_INTERNAL_ERROR;
}

int32_t bb_result_http_status(const bb_result *result)
{
    static const int32_t statuses[] = {
#define XX(name, number, http, message) [number] = (http),
        BB_STATUS_MAP(XX)
#undef XX
    };

    return statuses[bb_result_status(result)];
}

int32_t bb_result_code(const bb_result *result)
{
    static const int32_t codes[] = {
        [BB_STATUS_SUCCESS] = BB_OK,
        [BB_STATUS_INVALID_DATA] = BB_ERR_ARGUMENT,
        [BB_STATUS_TOO_MANY_CONTACTS] = BB_ERR_ARGUMENT,
        [BB_STATUS_NO_KEY] = BB_ERR_UNKNOWN_KEY,
        [BB_STATUS_INVALID_KEY] = BB_ERR_UNKNOWN_KEY,
        [BB_STATUS_NOT_FOUND] = BB_ERR_NOT_FOUND,
        [BB_STATUS_CONFLICT] = BB_ERR_CONFLICT,
        [BB_STATUS_PAYLOAD_TOO_LARGE] = BB_ERR_ARGUMENT,
        [BB_STATUS_INTERNAL_ERROR] = BB_ERR_INTERNAL,
        [BB_STATUS_UNAVAILABLE] = BB_ERR_UNAVAILABLE,
    };

    if (result != NULL && result->fault != BB_OK)
        return result->fault;
    return codes[bb_result_status(result)];
}

const char *bb_result_body(const bb_result *result, size_t *len)
{
    if (result == NULL)
        result = bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    if (len != NULL)
        *len = result->body_len;
    return result->body;
}

size_t bb_result_entries(const bb_result *result)
{
    return result != NULL ? result->entry_count : 0;
}

int32_t bb_result_outcome(const bb_result *result, size_t index)
{
    if (result == NULL || index >= result->entry_count)
        return -1;
    return result->outcomes[index];
}

size_t bb_result_count(const bb_result *result, int32_t outcome)
{
    if (result == NULL || outcome < BB_CREATED || outcome > BB_UNCHANGED)
        return 0;
    return result->counts[outcome];
}

int32_t bb_result_read(const bb_result *result, bb_result_view *view)
{
    bb_result_view all;

    if (view == NULL)
        return BB_ERR_ARGUMENT;
    if (result == NULL)
        result = bb_response_plain(BB_STATUS_INTERNAL_ERROR);
    bb_result_view_init(&all);
    all.code = bb_result_code(result);
    all.status = result->status;
    all.http_status = bb_result_http_status(result);
    all.body = result->body;
    all.body_len = result->body_len;
    all.outcomes = result->outcomes;
    all.entries = result->entry_count;
    all.created = result->counts[BB_CREATED];
    all.updated = result->counts[BB_UPDATED];
    all.unchanged = result->counts[BB_UNCHANGED];
    return bb_struct_fill(&bb_result_view_type, view, &all) ? BB_OK : BB_ERR_ARGUMENT;
}
