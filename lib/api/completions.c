/*
 * completions.c: completion queues: submitting and taking without callbacks.
 *
 * A queue is an outbox of the handle's, and knows its process by itself, as handle and storage may
 * be closed before it.
 */
#include "api/upsert.h"
#include "dispatch/outboxes.h"
#include "util/alloc.h"
#include "util/process.h"
#include "util/struct_size.h"

enum { MOST_LINES = 65536 };

struct bb_completions {
    bb_allocator allocator;
    bb_process opener;
    bb_contacts *contacts; /* to be used only after bb_outboxes_enter() */
    bb_outboxes *outboxes; /* of the handle's queues */
    bb_outbox_member own;  /* this queue's place among them */
};

static int is_usable(const bb_completions *completions)
{
    return completions != NULL && bb_process_is_this(&completions->opener);
}

/* ------------------------------------------------------------------------- opening and closing */

static int32_t check_handle(const bb_contacts *contacts, bb_error *error)
{
    if (contacts == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no handle");
    if (!bb_contacts_is_usable(contacts))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the handle was " BB_OTHER_PROCESS);
    if (contacts->outboxes == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "the handle has no workers");
    return BB_OK;
}

/* The options as this version knows them. */
static int32_t read_options(const bb_completions_options *given, bb_completions_options *options,
                            bb_error *error)
{
    int32_t code = BB_OK;

    bb_completions_options_init(options);
    if (given != NULL)
        code = bb_struct_read(&bb_completions_options_type, options, given, error);
    if (code == BB_OK && options->max_lines > MOST_LINES)
        code = bb_error_set(error, BB_ERR_ARGUMENT, "max_lines is out of its bounds");
    return code;
}

static int32_t open_outbox(bb_completions *completions, uint32_t max_lines, bb_error *error)
{
    int32_t code =
        bb_outbox_open(&completions->allocator, max_lines, bb_ready_fd_open, &completions->own.box);

    if (code != BB_OK)
        return bb_error_set(error, code,
                            code == BB_ERR_NOMEM ? "out of memory" : "no file descriptor is left");
    if (bb_outboxes_add(completions->outboxes, &completions->own))
        return BB_OK;
    bb_outbox_close(completions->own.box);
    return bb_error_set(error, BB_ERR_CLOSED, "the handle is being closed");
}

int32_t bb_completions_open(bb_contacts *contacts, const bb_completions_options *given,
                            bb_completions **out, bb_error *error)
{
    bb_completions_options options;
    bb_completions *completions;
    int32_t code;

    if (out == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "nowhere to put the queue");
    *out = NULL;
    code = check_handle(contacts, error);
    if (code == BB_OK)
        code = read_options(given, &options, error);
    if (code != BB_OK)
        return code;
    completions = bb_zalloc(&contacts->executor.allocator, sizeof *completions);
    if (completions == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    completions->allocator = contacts->executor.allocator;
    completions->contacts = contacts;
    completions->outboxes = contacts->outboxes;
    code = open_outbox(completions, options.max_lines, error);
    if (code != BB_OK) {
        bb_free(&contacts->executor.allocator, completions);
        return code;
    }
    bb_process_remember(&completions->opener);
    *out = completions;
    return BB_OK;
}

void bb_completions_stop(bb_completions *completions)
{
    if (is_usable(completions))
        bb_outbox_stop(completions->own.box);
}

void bb_completions_close(bb_completions *completions)
{
    bb_allocator memory;

    if (completions == NULL)
        return;
    memory = completions->allocator;
    if (is_usable(completions)) {
        bb_outboxes_remove(completions->outboxes, &completions->own);
        bb_outbox_close(completions->own.box);
    } else {
        bb_outboxes_abandon(completions->outboxes);
        bb_outbox_abandon(completions->own.box);
    }
    bb_process_forget(&completions->opener);
    bb_free(&memory, completions);
}

/* ------------------------------------------------------------------------------------ requests */

static int32_t submit(bb_completions *completions, const bb_request *request, int only_authorizes,
                      uint64_t tag, uint64_t *ticket)
{
    int32_t code;

    if (!is_usable(completions) || request == NULL)
        return BB_ERR_ARGUMENT;
    if (!bb_outboxes_enter(completions->outboxes))
        return BB_ERR_CLOSED;
    if (ticket != NULL)
        *ticket = 0;
    code = bb_contacts_submit_to(completions->contacts, request, only_authorizes,
                                 completions->own.box, tag, ticket);
    bb_outboxes_leave(completions->outboxes);
    return code;
}

int32_t bb_completions_submit(bb_completions *completions, const bb_request *request, uint64_t tag,
                              uint64_t *ticket)
{
    return submit(completions, request, 0, tag, ticket);
}

int32_t bb_completions_submit_authorize(bb_completions *completions, const bb_request *request,
                                        uint64_t tag, uint64_t *ticket)
{
    return submit(completions, request, 1, tag, ticket);
}

int32_t bb_completions_fd(bb_completions *completions)
{
    return is_usable(completions) ? bb_outbox_fd(completions->own.box) : -1;
}

int32_t bb_completions_take(bb_completions *completions, bb_completion *array, size_t max,
                            int64_t timeout_ms, size_t *taken)
{
    if (taken != NULL)
        *taken = 0;
    if (!is_usable(completions) || array == NULL || max == 0 || taken == NULL ||
        !bb_struct_is_known(&bb_completion_type, array))
        return BB_ERR_ARGUMENT;
    if (timeout_ms == BB_TIMEOUT_NONE_LEFT) /* not for ever, as with other negative numbers */
        timeout_ms = 0;
    return bb_outbox_take(completions->own.box, array, max, timeout_ms, taken);
}
