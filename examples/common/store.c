/*
 * store.c: opens the store that the command line names, and the endpoint on it.
 */
#include "store.h"

#include "log.h"

#include "bb_contacts/backends.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Without this check, a mistyped path would make a new and empty store. */
static int is_there(const char *uri)
{
    static const char sqlite[] = "sqlite:";
    const char *path = uri + sizeof sqlite - 1;

    if (strncmp(uri, sqlite, sizeof sqlite - 1) != 0 || access(path, F_OK) == 0)
        return 1;
    log_say("cannot open the store: %s: %s", path, strerror(errno));
    return 0;
}

int store_open(const char *uri, int may_make, int64_t timeout_ms, bb_storage **out)
{
    bb_storage_options options;
    bb_storage *storage = NULL;
    bb_error error;
    int32_t code;

    bb_storage_options_init(&options);
    options.log = log_line;
    bb_error_init(&error);
    code = bb_storage_open(uri, strlen(uri), &options, &storage, &error);
    if (code == BB_OK && !may_make && !is_there(uri)) {
        bb_storage_close(storage);
        return EXIT_FAILURE;
    }
    if (code == BB_OK)
        code = bb_storage_migrate(storage, timeout_ms, &error);
    if (code == BB_OK) {
        *out = storage;
        return EXIT_SUCCESS;
    }
    bb_storage_close(storage);
    return log_failure(code == BB_ERR_ARGUMENT ? "--store" : "cannot open the store", code, &error);
}

int endpoint_open(bb_storage *storage, uint32_t workers, uint32_t max_queued, int64_t max_answer,
                  int32_t custom_attributes, int64_t timeout_ms, bb_contacts **out)
{
    bb_config config;
    bb_error error;
    int32_t code;

    bb_config_init(&config);
    config.log = log_line;
    config.workers = workers;
    config.max_queued = max_queued;
    config.timeout_ms = timeout_ms;
    config.max_answer_bytes = (size_t)max_answer;
    config.custom_attributes = custom_attributes;
    bb_error_init(&error);
    code = bb_contacts_open(storage, &config, out, &error);
    return code == BB_OK ? EXIT_SUCCESS : log_failure("cannot serve", code, &error);
}
