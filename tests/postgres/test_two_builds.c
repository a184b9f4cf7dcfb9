/*
 * test_two_builds.c: two builds of the library, whose statements differ, behind one pooler with a
 * few server connections, each with 32 threads.
 *
 *     test_two_builds WRITER OTHER-WRITER
 */
#include <stdio.h>

#include "postgres/process.h"
#include "support/check.h"
#include "support/postgres.h"
#include "support/settings.h"

/* Runs both writers at once on one database, with the option or without. */
static void run_both(const char *conninfo, char **writers, const char *option)
{
    char milliseconds[20];
    const char *first[] = {writers[0], conninfo, "one", "32", milliseconds, option, NULL};
    const char *second[] = {writers[1], conninfo, "two", "32", milliseconds, option, NULL};
    pid_t one, two;

    snprintf(milliseconds, sizeof milliseconds, "%u", test_times(5000));
    one = process_start(first);
    two = process_start(second);
    CHECK(process_wait(one) == 0);
    CHECK(process_wait(two) == 0);
}

static void test_E7_two_builds_behind_one_pooler(const char *conninfo, char **writers)
{
    run_both(conninfo, writers, NULL);
    run_both(conninfo, writers, "unnamed");
    /* so there was a pooler; a session that it closed may take a moment to end */
    CHECK(test_postgres_comes_to(
        conninfo,
        "SELECT count(*) <= 4 FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend'",
        "t"));
}

int main(int argc, char **argv)
{
    test_database database;
    int status;

    if (argc != 3)
        return 2;
    status = test_database_open(&database, "builds");
    if (status != 0)
        return status;
    CHECK_TEST(test_E7_two_builds_behind_one_pooler(database.conninfo, argv + 1));
    test_database_close(&database);
    return check_status();
}
