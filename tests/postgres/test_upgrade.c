/*
 * test_upgrade.c: a newer build brings the schema from version 1 to a version 2, on a table with
 * rows, while a process of this build writes.
 *
 *     test_upgrade WRITER MIGRATE-OF-THE-NEXT-BUILD
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bb_contacts/backends.h"
#include "postgres/process.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

static int expect(const char *conninfo, const char *sql, const char *wanted)
{
    char found[100] = "";

    if (test_postgres_sql(conninfo, sql, found, sizeof found) == 0 && strcmp(found, wanted) == 0)
        return 0;
    fprintf(stderr, "%s: %s, not %s\n", sql, found, wanted);
    return -1;
}

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

    return process_wait(process_start(arguments));
}

/* What a build that knows version 1 only says to version 2. */
static int check_older_build(const char *conninfo)
{
    bb_storage *storage;
    bb_error error;
    int32_t code;

    bb_error_init(&error);
    if (bb_storage_open_postgres(conninfo, strlen(conninfo), NULL, &storage, &error) != BB_OK)
        return -1;
    code = bb_storage_migrate(storage, TEST_PATIENCE_MS, &error);
    bb_storage_close(storage);
    if (code == BB_ERR_SCHEMA)
        return 0;
    fprintf(stderr, "%s from migrate() of an older build\n", bb_code_name(code));
    return -1;
}

static int upgrade(char *conninfo, char **programs)
{
    const char *first[] = {programs[0], conninfo, "first", "4", "300", NULL};
    const char *second[] = {programs[0], conninfo, "second", "16", "3000", NULL};
    pid_t writer;
    int failed = process_wait(process_start(first)) != 0;

    failed |= expect(conninfo, "SELECT version FROM bb_contacts.schema_version", "1");
    writer = process_start(second);
    failed |= !test_wait_until(is_at_work, conninfo);
    test_pause_ms(500);
    failed |= migrate(programs[1], conninfo) != 0;
    failed |= process_wait(writer) != 0;
    failed |= expect(conninfo, "SELECT version FROM bb_contacts.schema_version", "2");
    failed |= expect(conninfo,
                     "SELECT bool_and(source = CASE WHEN external_id LIKE 'first-%' THEN 'old'"
                     " ELSE 'api' END) AND count(*) FILTER (WHERE external_id LIKE 'second-%') > 0"
                     " AND count(*) FILTER (WHERE external_id LIKE 'first-%') > 0"
                     " FROM bb_contacts.contacts",
                     "t");
    failed |= migrate(programs[1], conninfo) != 0;
    failed |= check_older_build(conninfo);
    return failed;
}

int main(int argc, char **argv)
{
    char name[64];
    char *conninfo;
    int failed;

    if (argc != 3)
        return 2;
    if (!test_postgres_is_there())
        return TEST_SKIPPED;
    snprintf(name, sizeof name, "bb_test_%ld_upgrade", (long)getpid());
    conninfo = test_postgres_create(name);
    if (conninfo == NULL)
        return 1;
    failed = upgrade(conninfo, argv + 1) != 0;
    test_postgres_drop(name);
    free(conninfo);
    return failed;
}
