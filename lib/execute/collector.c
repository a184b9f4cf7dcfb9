/*
 * collector.c: collects what a backend hands back for one write, record by record, and makes the
 * answer.
 */
#include "execute/collector.h"

#include "execute/contact_check.h"
#include "util/fields.h"
#include "util/struct_size.h"

int32_t bb_collector_init(bb_collector *collector, const bb_access *access, bb_batch *batch,
                          size_t max_answer_bytes, bb_arena *arena)
{
    *collector = (bb_collector){
        .access = *access, .batch = batch, .max_bytes = bb_response_room(max_answer_bytes)};
    return bb_rendered_init(&collector->rendered, batch->record_count, collector->max_bytes, arena);
}

void bb_collector_free(bb_collector *collector)
{
    bb_rendered_free(&collector->rendered);
    bb_result_free(collector->answer);
}

static void forget(bb_collector *collector)
{
    bb_result_free(collector->answer);
    collector->answer = NULL;
    collector->put_count = 0;
    collector->put_code = BB_OK;
    collector->faulty_id = 0;
    collector->bytes = 0;
    collector->is_crowded_out = 0;
    bb_batch_forget_oversized(collector->batch);
    bb_buffer_reset(&collector->rendered.json);
    for (size_t i = 0; i < collector->batch->record_count; i++)
        collector->rendered.len[i] = 0;
}

/* A contact as this library knows it, in `room` if the backend knows less of it; NULL if there is
 * none. */
static const bb_contact *known_contact(const bb_contact *contact, bb_contact *room)
{
    if (contact == NULL || contact->size == sizeof *room)
        return contact;
    *room = (bb_contact){.size = sizeof *room};
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bb_contact_set_value(room, &bb_fields[i], bb_fields[i].initial);
    return bb_struct_view(&bb_contact_type, room, contact);
}

/* What a backend hands back of a record that merging would make too large (D3). */
static int32_t take_oversized(bb_collector *collector, size_t index)
{
    bb_batch *batch = collector->batch;

    if (index >= batch->record_count || !(batch->pointers[index]->flags & BB_RECORD_MERGE))
        return BB_ERR_ARGUMENT;
    bb_batch_note_oversized(batch, index);
    return BB_OK;
}

/* Adds `entries` times `len` to a sum. Returns 0, and adds nothing, if that is more than `max`. */
static int add_up(size_t *sum, size_t len, size_t entries, size_t max)
{
    if (len > (max - *sum) / entries)
        return 0;
    *sum += len * entries;
    return 1;
}

/* Counts what the answer has of a record, as often as it has it (A7). */
static int32_t count_bytes(bb_collector *collector, size_t index)
{
    size_t len = collector->rendered.len[index] + 1;
    size_t entries = collector->batch->records[index].entries;

    if (!add_up(&collector->bytes, len, entries, collector->max_bytes))
        return BB_ERR_TOO_LARGE;
    if (collector->group_bytes == NULL ||
        add_up(collector->group_bytes, len, entries, collector->max_bytes))
        return BB_OK;
    collector->is_crowded_out = 1;
    return BB_ERR_TOO_LARGE;
}

/* Takes a contact for the answer. */
static int32_t take_contact(bb_collector *collector, size_t index, const bb_contact *contact)
{
    bb_batch *batch = collector->batch;
    bb_contact room;
    const bb_contact *known = known_contact(contact, &room);
    int32_t code;

    if (known == NULL)
        return BB_ERR_ARGUMENT;
    code = bb_contact_check(&batch->allocator, batch->pointers[index], known);
    if (code == BB_ERR_INTERNAL)
        collector->faulty_id = known->id;
    if (code == BB_OK)
        code = bb_rendered_put(&collector->rendered, index, known);
    return code == BB_OK ? count_bytes(collector, index) : code;
}

static int32_t take(bb_collector *collector, size_t index, int32_t outcome,
                    const bb_contact *contact, const bb_contact *before)
{
    bb_batch *batch = collector->batch;
    bb_contact room;
    const bb_contact *former = known_contact(before, &room);
    int32_t code = BB_OK;

    if (index >= batch->record_count || outcome < BB_CREATED || outcome > BB_UNCHANGED ||
        collector->rendered.len[index] != 0 || (former == NULL && before != NULL))
        return BB_ERR_ARGUMENT;
    if (batch->is_minimal)
        collector->rendered.len[index] = 1; /* it has been put */
    else
        code = take_contact(collector, index, contact);
    if (code == BB_OK)
        code = bb_batch_set_outcomes(batch, index, outcome, former);
    if (code != BB_OK || ++collector->put_count < batch->record_count)
        return code;
    /* the last one: if the backend puts before it commits, all of the answer's memory is taken
     * before the commit */
    collector->answer = bb_response_success(&batch->allocator, batch, &collector->rendered);
    return bb_result_status(collector->answer) == BB_STATUS_SUCCESS ? BB_OK : BB_ERR_NOMEM;
}

/* The backend calls this for each record that it has written. */
static int32_t put(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                   const bb_contact *before)
{
    bb_collector *collector = ctx;
    int32_t code = outcome == BB_PUT_OVERSIZED ? take_oversized(collector, index)
                                               : take(collector, index, outcome, contact, before);

    if (collector->put_code == BB_OK)
        collector->put_code = code;
    return code;
}

bb_write bb_collector_begin(bb_collector *collector)
{
    bb_write write = {.size = sizeof write,
                      .access = &collector->access,
                      .records = collector->batch->pointers,
                      .record_count = collector->batch->record_count,
                      .put = put,
                      .put_ctx = collector,
                      .max_attribute_bytes = collector->batch->rules.max_attribute_bytes,
                      .max_bytes = collector->max_bytes,
                      .flags = (collector->batch->rules.is_dry_run ? BB_WRITE_DRY_RUN : 0) |
                               (collector->batch->is_minimal ? BB_WRITE_OUTCOMES_ONLY : 0)};

    forget(collector);
    return write;
}

int32_t bb_collector_check(const bb_collector *collector, int32_t code, bb_error *error)
{
    if (collector->faulty_id != 0)
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "contact_%lld of chatbot %lld is stored with invalid JSON or UTF-8",
                            (long long)collector->faulty_id,
                            (long long)collector->access.chatbot_id);
    if (code == BB_OK && collector->put_code == BB_ERR_TOO_LARGE)
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "the backend has stored what is too large for an answer");
    if (code == BB_OK && (collector->put_code != BB_OK || collector->answer == NULL))
        return bb_error_set(error, BB_ERR_INTERNAL,
                            "the backend did not hand back every record once");
    return code;
}

/* The answer to a write that merging would have made too large. */
static bb_result *refuse_oversized(const bb_batch *batch)
{
    bb_issues issues;
    bb_result *refusal;

    bb_issues_init(&issues, &batch->allocator);
    bb_batch_add_issues(batch, &issues);
    refusal = bb_response_issues(&batch->allocator, &issues, batch->root);
    bb_issues_free(&issues);
    return refusal;
}

bb_result *bb_collector_finish(bb_collector *collector, int32_t status)
{
    bb_result *answer = collector->answer;

    collector->answer = NULL;
    bb_rendered_free(&collector->rendered);
    if (status == BB_STATUS_SUCCESS)
        return answer;
    bb_result_free(answer);
    if (status == BB_STATUS_INVALID_DATA)
        return refuse_oversized(collector->batch);
    return bb_response_plain(status);
}
