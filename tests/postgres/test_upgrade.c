/*
 * test_upgrade.c: a newer build brings the schema from version 2 to a version 3, on a table with
 * rows, while a process of this build writes.
 *
 *     test_upgrade WRITER MIGRATE-OF-THE-NEXT-BUILD
 */
#include <string.h>
#include <unistd.h>

#include "bb_contacts/backends.h"
#include "postgres/process.h"
#include "support/check.h"
#include "support/postgres.h"
#include "support/wait.h"

/* Whether the second writer has written something. */
static int is_at_work(void *conninfo)
{
    char found[8] = "";

    return test_postgres_sql(conninfo,
                             "SELECT EXISTS (SELECT FROM bb_contacts.contacts"
                             " WHERE external_id LIKE 'second-%')",
                             found, sizeof found) == 0 &&
           strcmp(found, "t") == 0;
}

static int migrate(const char *program, const char *conninfo)
{
    const char *arguments[] = {program, conninfo, NULL};

    return process_wait(process_start(arguments)) == 0;
}

/* What a build that knows only version 2 says to version 3. */
static void check_older_build(const char *conninfo)
{
    bb_storage *storage;
    int32_t code;

    if (!CHECK(bb_storage_open_postgres(conninfo, strlen(conninfo), NULL, &storage, NULL) == BB_OK))
        return;
    code = bb_storage_migrate(storage, TEST_PATIENCE_MS, NULL);
    CHECK_MSG(code == BB_ERR_SCHEMA, "%s", bb_code_name(code));
    bb_storage_close(storage);
}

static void test_E8_upgrade_under_load(char *conninfo, char **programs)
{
    const char *first[] = {programs[0], conninfo, "first", "4", "300", NULL};
    const char *second[] = {programs[0], conninfo, "second", "16", "3000", NULL};
    pid_t writer;

    CHECK(process_wait(process_start(first)) == 0);
    CHECK(test_postgres_gives(conninfo, "SELECT version FROM bb_contacts.schema_version", "2"));
    writer = process_start(second);
    CHECK(test_wait_until(is_at_work, conninfo));
    test_pause_ms(500);
    CHECK(migrate(programs[1], conninfo));
    CHECK(process_wait(writer) == 0);
    CHECK(test_postgres_gives(conninfo, "SELECT version FROM bb_contacts.schema_version", "3"));
    CHECK(test_postgres_gives(
        conninfo,
        "SELECT bool_and(source = CASE WHEN external_id LIKE 'first-%' THEN 'old'"
        " ELSE 'api' END) AND count(*) FILTER (WHERE external_id LIKE 'second-%') > 0"
        " AND count(*) FILTER (WHERE external_id LIKE 'first-%') > 0"
        " FROM bb_contacts.contacts",
        "t"));
    CHECK(migrate(programs[1], conninfo));
    check_older_build(conninfo);
}

int main(int argc, char **argv)
{
    test_database database;
    int status;

    if (argc != 3)
        return 2;
    status = test_database_open(&database, "upgrade");
    if (status != 0)
        return status;
    CHECK_TEST(test_E8_upgrade_under_load(database.conninfo, argv + 1));
    test_database_close(&database);
    return check_status();
}
