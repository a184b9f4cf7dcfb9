/*
 * schema_versions.c: migrate() refuses a store whose table of the schema's version was tampered
 * with or damaged, and leaves it as it is. It is served again once the version is right.
 *
 *     test_hostile_schema_versions BACKEND
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/store.h"
#include "support/wait.h"

static const char *table_of(const test_store *store)
{
    return strcmp(store->backend, "postgres") == 0 ? "bb_contacts.schema_version"
                                                   : "bb_schema_version";
}

static void set_version(const test_store *store, const char *version)
{
    char sql[200];

    snprintf(sql, sizeof sql, "UPDATE %s SET version = %s", table_of(store), version);
    CHECK_MSG(test_store_sql(store, sql, NULL, 0) == 0, "%s", sql);
}

static void get_version(const test_store *store, char version[64])
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT version FROM %s", table_of(store));
    CHECK_MSG(test_store_sql(store, sql, version, 64) == 0, "%s", sql);
}

static void expect_refused(const test_store *store, const char *version)
{
    char found[64] = "";
    bb_error error;
    int32_t code;

    set_version(store, version);
    bb_error_init(&error);
    code = bb_storage_migrate(store->storage, TEST_PATIENCE_MS, &error);
    CHECK_MSG(code == BB_ERR_SCHEMA, "version %s: %s: %s", version, bb_code_name(code),
              error.message);
    get_version(store, found);
    CHECK_MSG(strcmp(found, version) == 0, "version %s became %s", version, found);
}

int main(int argc, char **argv)
{
    /* of the width that both have for it, and of SQLite's */
    static const char *const versions[] = {"-1", "-2147483648", "2147483647", "1000"};
    static const char *const wide[] = {"-9223372036854775807", "9223372036854775807"};
    char right[64] = "";
    test_store store;
    int status = test_store_open_migrated(&store, argc > 1 ? argv[1] : "sqlite");

    if (status != 0)
        return status;
    get_version(&store, right);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        expect_refused(&store, versions[i]);
    for (size_t i = 0; strcmp(store.backend, "sqlite") == 0 && i < 2; i++)
        expect_refused(&store, wide[i]);
    set_version(&store, right);
    CHECK_MSG(bb_storage_migrate(store.storage, TEST_PATIENCE_MS, NULL) == BB_OK,
              "version %s is right", right);
    CHECK_MSG(bb_storage_chatbot_add(store.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK,
              "it serves");
    test_store_close(&store);
    return check_status();
}
