/*
 * test_statement_pooling.c: a PgBouncer in statement mode, which can't tell why a transaction
 * failed, is refused at once, with a line that says so (E11).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

static int32_t migrate(const char *conninfo, bb_error *error)
{
    bb_storage *storage = NULL;
    int32_t code;

    bb_error_init(error);
    code = bb_storage_open_postgres(conninfo, strlen(conninfo), NULL, &storage, error);
    if (code == BB_OK)
        code = bb_storage_migrate(storage, TEST_PATIENCE_MS, error);
    bb_storage_close(storage);
    return code;
}

static void test_E11_a_migration_is_refused_at_once(const char *conninfo)
{
    int64_t began = test_now_ms();
    bb_error error;

    CHECK(migrate(conninfo, &error) == BB_ERR_UNSUPPORTED);
    CHECK(strstr(error.message, "statement mode") != NULL);
    CHECK(test_now_ms() - began < TEST_PATIENCE_MS / 2);
}

static char last_line[500]; /* in the log */

static void keep_line(void *ctx, int32_t level, const char *line, size_t len)
{
    (void)ctx;
    (void)level;
    snprintf(last_line, sizeof last_line, "%.*s", (int)len, line);
}

/* Any request is refused, be it one that a conflict would end or an ordinary one. */
static void test_E11_requests_are_refused_at_once(const char *conninfo)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"a\",\"email\":\"a@b\"}]}";
    int64_t began = test_now_ms();
    test_endpoint endpoint = {{0}, NULL};
    bb_result *result;
    bb_config config;

    bb_config_init(&config);
    config.log = keep_line;
    CHECK(bb_storage_open_postgres(conninfo, strlen(conninfo), NULL, &endpoint.store.storage,
                                   NULL) == BB_OK);
    CHECK(test_open_contacts(endpoint.store.storage, &config, &endpoint.contacts, NULL) == BB_OK);
    result = test_send(&endpoint, body, sizeof body - 1);
    CHECK(bb_result_http_status(result) == 500);
    CHECK(strstr(last_line, "statement mode") != NULL);
    CHECK(test_now_ms() - began < TEST_PATIENCE_MS / 2);
    bb_result_free(result);
    bb_contacts_close(endpoint.contacts);
    bb_storage_close(endpoint.store.storage);
}

int main(void)
{
    test_database database;
    int status = test_database_open(&database, "pooling");

    if (status != 0)
        return status;
    CHECK_TEST(test_E11_a_migration_is_refused_at_once(database.conninfo));
    CHECK_TEST(test_E11_requests_are_refused_at_once(database.conninfo));
    test_database_close(&database);
    return check_status();
}
