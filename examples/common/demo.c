/*
 * demo.c: `--demo`: a chatbot and a key to try things with.
 */
#include "demo.h"

#include "command_line.h"
#include "log.h"

#include <stdlib.h>

int demo_prepare(bb_storage *storage, int64_t timeout_ms)
{
    const char *given = getenv("BOOKBAG_API_KEY");
    int made = given == NULL || given[0] == '\0';
    char key[BB_KEY_SIZE];
    bb_key_options scope;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    code = bb_storage_chatbot_add(storage, 123, 1, timeout_ms, &error);
    if (code != BB_OK)
        return log_failure("--demo: chatbot 123", code, &error);

    bb_key_options_init(&scope);
    scope.workspace_id = 1;
    scope.env = "test";
    scope.env_len = 4;
    scope.token = made ? NULL : given;
    scope.token_len = made ? 0 : strlen(given);
    code = bb_storage_key_add(storage, &scope, made ? key : NULL, made ? sizeof key : 0, timeout_ms,
                              &error);
    if (code != BB_OK)
        return log_failure(made ? "--demo" : "--demo: BOOKBAG_API_KEY", code, &error);
    return made ? print_line("BOOKBAG_API_KEY=", key) : EXIT_SUCCESS;
}
