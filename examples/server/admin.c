/*
 * admin.c: the commands about chatbots, keys and the schema.
 */
#include "command_line.h"
#include "commands.h"
#include "log.h"

#include "bb_contacts/backends.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t timeout_ms(const struct options *options)
{
    return options->timeout * 1000;
}

int chatbot_add(bb_storage *storage, const struct options *options)
{
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    code = bb_storage_chatbot_add(storage, options->chatbot, options->workspace,
                                  timeout_ms(options), &error);
    if (code == BB_ERR_CONFLICT) {
        log_say("chatbot add: it belongs to another workspace");
        return EXIT_FAILURE;
    }
    return code == BB_OK ? EXIT_SUCCESS : log_failure("chatbot add", code, &error);
}

static int set_archived(const char *command, bb_storage *storage, const struct options *options,
                        int32_t archived)
{
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    code = bb_storage_chatbot_archive(storage, options->chatbot, archived, timeout_ms(options),
                                      &error);
    if (code == BB_ERR_NOT_FOUND) {
        log_say("%s: there is no such chatbot", command);
        return EXIT_FAILURE;
    }
    return code == BB_OK ? EXIT_SUCCESS : log_failure(command, code, &error);
}

int chatbot_archive(bb_storage *storage, const struct options *options)
{
    return set_archived("chatbot archive", storage, options, 1);
}

int chatbot_restore(bb_storage *storage, const struct options *options)
{
    return set_archived("chatbot restore", storage, options, 0);
}

int key_add(bb_storage *storage, const struct options *options)
{
    char key[BB_KEY_SIZE];
    bb_key_options scope;
    bb_error error;
    int32_t code;

    bb_key_options_init(&scope);
    scope.workspace_id = options->workspace;
    scope.chatbot_id = options->chatbot;
    scope.expires_at = options->expires;
    scope.env = options->env;
    scope.env_len = options->env == NULL ? 0 : strlen(options->env);
    bb_error_init(&error);
    code = bb_storage_key_add(storage, &scope, key, sizeof key, timeout_ms(options), &error);
    return code == BB_OK ? print_line("", key) : log_failure("key add", code, &error);
}

int key_revoke(bb_storage *storage, const struct options *options)
{
    const char *key = options->key;
    char line[1024];
    bb_error error;
    int32_t code;

    if (strcmp(key, "-") == 0) {
        if (fgets(line, sizeof line, stdin) == NULL)
            line[0] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        key = line;
    }
    bb_error_init(&error);
    code = bb_storage_key_revoke(storage, key, strlen(key), timeout_ms(options), &error);
    if (code == BB_ERR_NOT_FOUND) {
        log_say("key revoke: there is no such key");
        return EXIT_FAILURE;
    }
    return code == BB_OK ? EXIT_SUCCESS : log_failure("key revoke", code, &error);
}

int schema_print(const char *store)
{
    bb_error error;
    size_t len = 0;
    char *script;
    int32_t code;

    if (strncmp(store, "postgresql://", 13) != 0 && strncmp(store, "postgres://", 11) != 0) {
        log_say("schema print: --store postgresql://... is needed; other stores make their own");
        return EXIT_USAGE;
    }
    bb_error_init(&error);
    (void)bb_postgres_schema_sql(NULL, 0, NULL, 0, &len, &error);
    script = malloc(len + 1);
    if (script == NULL) {
        log_say("schema print: out of memory");
        return EXIT_FAILURE;
    }
    code = bb_postgres_schema_sql(NULL, 0, script, len + 1, &len, &error);
    if (code == BB_OK)
        fputs(script, stdout);
    free(script);
    if (code != BB_OK)
        return log_failure("schema print", code, &error);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    log_say("could not write to standard output");
    return EXIT_FAILURE;
}
