/*
 * administration.c: migrates a storage and administers its chatbots; keys are in keys.c.
 */
#include "api/administration.h"

#include "execute/storage.h"
#include "util/clock.h"
#include "util/struct_size.h"

enum { DEFAULT_TIMEOUT_MS = 10000, RETRY_PAUSE_MS = 5 };

/* The message if the backend gives none. */
static const char *meaning_of(const bb_admin_command *command, int32_t code)
{
    if (code == BB_ERR_NOT_FOUND && command->not_found != NULL)
        return command->not_found;
    if (code == BB_ERR_CONFLICT && command->conflict != NULL)
        return command->conflict;
    return bb_code_text(code);
}

static int32_t invoke_once(bb_storage *storage, const bb_admin_command *command, bb_error *error)
{
    void *session = NULL;
    int32_t code = storage->vtable.session_open(storage->store, command->deadline, &session, error);

    if (code != BB_OK)
        return code;
    code = command->invoke(&storage->vtable, session, command, error);
    storage->vtable.session_close(session);
    return code;
}

/* What a code that asks for another attempt means once the time is over. */
static int32_t code_at_deadline(int32_t code)
{
    if (code == BB_ERR_RETRY)
        return BB_ERR_BUSY;
    return code == BB_ERR_LOST ? BB_ERR_UNAVAILABLE : code;
}

/* Every administrative function may be repeated, so it runs again after BB_ERR_RETRY and
 * BB_ERR_LOST. */
int32_t bb_administer(bb_storage *storage, bb_admin_command *command, int64_t timeout_ms,
                      bb_error *error)
{
    bb_error local;
    int32_t code;

    if (!bb_process_is_this(&storage->opener))
        return bb_error_set(error, BB_ERR_ARGUMENT, "the storage was " BB_OTHER_PROCESS);
    command->deadline = bb_deadline_in(bb_timeout_or(timeout_ms, DEFAULT_TIMEOUT_MS));
    if (bb_deadline_left(command->deadline) == 0)
        return bb_error_set(error, BB_ERR_BUSY, "no time is left");
    command->now_us = bb_wall_clock_us();
    for (;;) {
        bb_error_init(&local);
        code = invoke_once(storage, command, &local);
        if ((code != BB_ERR_RETRY && code != BB_ERR_LOST) ||
            bb_deadline_left(command->deadline) == 0)
            break;
        bb_pause_ms(RETRY_PAUSE_MS);
    }
    code = code_at_deadline(code);
    if (code == BB_OK)
        return BB_OK;
    local.code = code;
    if (local.message[0] == '\0')
        bb_error_set(&local, code, "%s", meaning_of(command, code));
    if (error != NULL)
        bb_struct_fill(&bb_error_type, error, &local);
    return code;
}

static int32_t invoke_migrate(const bb_storage_vtable *table, void *session,
                              const bb_admin_command *command, bb_error *error)
{
    return table->migrate(session, command->deadline, error);
}

int32_t bb_storage_migrate(bb_storage *storage, int64_t timeout_ms, bb_error *error)
{
    bb_admin_command command = {.invoke = invoke_migrate};

    if (storage == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage");
    return bb_administer(storage, &command, timeout_ms, error);
}

/* The arguments of the functions below. */
typedef struct chatbot {
    int64_t id;
    int64_t workspace_id;
    int32_t is_archived;
} chatbot;

static int32_t invoke_chatbot_add(const bb_storage_vtable *table, void *session,
                                  const bb_admin_command *command, bb_error *error)
{
    const chatbot *given = command->arguments;

    return table->chatbot_add(session, given->id, given->workspace_id, command->now_us,
                              command->deadline, error);
}

int32_t bb_storage_chatbot_add(bb_storage *storage, int64_t chatbot_id, int64_t workspace_id,
                               int64_t timeout_ms, bb_error *error)
{
    chatbot given = {.id = chatbot_id, .workspace_id = workspace_id};
    bb_admin_command command = {.invoke = invoke_chatbot_add,
                                .conflict = "the chatbot belongs to another workspace",
                                .arguments = &given};

    if (storage == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage");
    if (chatbot_id <= 0 || workspace_id <= 0)
        return bb_error_set(error, BB_ERR_ARGUMENT, "chatbot and workspace must be positive");
    return bb_administer(storage, &command, timeout_ms, error);
}

static int32_t invoke_chatbot_archive(const bb_storage_vtable *table, void *session,
                                      const bb_admin_command *command, bb_error *error)
{
    const chatbot *given = command->arguments;

    return table->chatbot_archive(session, given->id, given->is_archived, command->now_us,
                                  command->deadline, error);
}

int32_t bb_storage_chatbot_archive(bb_storage *storage, int64_t chatbot_id, int32_t archived,
                                   int64_t timeout_ms, bb_error *error)
{
    chatbot given = {.id = chatbot_id, .is_archived = archived != 0};
    bb_admin_command command = {.invoke = invoke_chatbot_archive,
                                .not_found = "there is no such chatbot",
                                .arguments = &given};

    if (storage == NULL)
        return bb_error_set(error, BB_ERR_ARGUMENT, "no storage");
    if (chatbot_id <= 0)
        return bb_error_set(error, BB_ERR_ARGUMENT, "chatbot must be positive");
    return bb_administer(storage, &command, timeout_ms, error);
}
