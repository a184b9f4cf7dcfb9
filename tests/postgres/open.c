/*
 * open.c: opens the PostgreSQL backend with options, on a test's own database.
 */
#include "postgres/open.h"

#include <stdio.h>

#include "support/wait.h"

bb_postgres_options pg_options_of(const char *schema)
{
    bb_postgres_options options;

    bb_postgres_options_init(&options);
    options.schema = schema;
    options.schema_len = strlen(schema);
    return options;
}

static void print_line(void *ctx, int32_t level, const char *line, size_t len)
{
    (void)ctx;
    if (level <= BB_LOG_ERROR)
        fprintf(stderr, "log: %.*s\n", (int)len, line);
}

int pg_open(test_endpoint *endpoint, const char *conninfo, const bb_postgres_options *options)
{
    bb_config config;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    memset(endpoint, 0, sizeof *endpoint);
    bb_config_init(&config);
    config.log = print_line;
    code = bb_storage_open_postgres_with(conninfo, strlen(conninfo), NULL, options,
                                         &endpoint->store.storage, &error);
    if (code == BB_OK)
        code = bb_storage_migrate(endpoint->store.storage, TEST_PATIENCE_MS, &error);
    if (code == BB_OK)
        code = test_open_contacts(endpoint->store.storage, &config, &endpoint->contacts, &error);
    if (code != BB_OK)
        fprintf(stderr, "cannot open: %s: %s\n", bb_code_name(code), error.message);
    return code == BB_OK;
}

void pg_close(test_endpoint *endpoint)
{
    bb_contacts_close(endpoint->contacts);
    bb_storage_close(endpoint->store.storage);
}

int pg_saw_no_deadlock(test_endpoint *endpoint)
{
    char count[20] = "unknown";

    bb_contacts_close(endpoint->contacts);
    endpoint->contacts = NULL;
    test_store_sql(&endpoint->store,
                   "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
                   count, sizeof count);
    printf("%s deadlocks\n", count);
    return strcmp(count, "0") == 0;
}
