/*
 * test_two_builds.c: two builds of the library, whose statements differ, behind one pooler with a
 * few server connections, each with 32 threads.
 *
 *     test_two_builds WRITER OTHER-WRITER
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "postgres/process.h"
#include "support/postgres.h"
#include "support/settings.h"
#include "support/wait.h"

/* Runs both writers at once on one database, with the option or without. */
static int run_both(const char *conninfo, char **writers, const char *option)
{
    char milliseconds[20];
    const char *first[] = {writers[0], conninfo, "one", "32", milliseconds, option, NULL};
    const char *second[] = {writers[1], conninfo, "two", "32", milliseconds, option, NULL};
    pid_t one, two;
    int failed;

    snprintf(milliseconds, sizeof milliseconds, "%u", test_times(5000));
    one = process_start(first);
    two = process_start(second);
    failed = process_wait(one) != 0;
    failed |= process_wait(two) != 0;
    return failed;
}

/* Whether the server has a few sessions only, so that there was a pooler. One that the pooler has
 * closed may take a moment to end. */
static int is_pooled(void *conninfo)
{
    char sessions[20] = "";

    if (test_postgres_sql(conninfo,
                          "SELECT count(*) FROM pg_stat_activity"
                          " WHERE datname = current_database() AND backend_type = 'client backend'",
                          sessions, sizeof sessions) != 0)
        return 0;
    printf("%s server connections\n", sessions);
    return strtol(sessions, NULL, 10) <= 4;
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
    snprintf(name, sizeof name, "bb_test_%ld_builds", (long)getpid());
    conninfo = test_postgres_create(name);
    if (conninfo == NULL)
        return 1;
    failed = run_both(conninfo, argv + 1, NULL);
    failed |= run_both(conninfo, argv + 1, "unnamed");
    failed |= !test_wait_until(is_pooled, conninfo);
    test_postgres_drop(name);
    free(conninfo);
    return failed;
}
