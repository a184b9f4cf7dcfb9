/*
 * postgres.c: databases of a test's own on the server that BB_TEST_POSTGRES names.
 */
#include "support/postgres.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *server(void)
{
    const char *value = getenv("BB_TEST_POSTGRES"); // NOLINT(concurrency-mt-unsafe)

    return value != NULL && *value != '\0' ? value : NULL;
}

int test_postgres_is_there(void)
{
    return server() != NULL;
}

/* Appends keyword='value' with what libpq wants escaped. */
static size_t append_option(char *to, const char *keyword, const char *value)
{
    size_t len = (size_t)sprintf(to, "%s='", keyword);

    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            to[len++] = '\\';
        to[len++] = *value;
    }
    return len + (size_t)sprintf(to + len, "' ");
}

char *test_postgres_conninfo(const char *database)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(server(), &message);
    size_t size = 2 * strlen(database) + 16, len = 0;
    char *conninfo;

    if (options == NULL) {
        fprintf(stderr, "BB_TEST_POSTGRES: %s\n", message != NULL ? message : "out of memory");
        PQfreemem(message);
        return NULL;
    }
    for (PQconninfoOption *o = options; o->keyword != NULL; o++)
        size += o->val != NULL ? strlen(o->keyword) + 2 * strlen(o->val) + 5 : 0;
    conninfo = malloc(size);
    for (PQconninfoOption *o = options; conninfo != NULL && o->keyword != NULL; o++) {
        if (o->val != NULL && strcmp(o->keyword, "dbname") != 0)
            len += append_option(conninfo + len, o->keyword, o->val);
    }
    if (conninfo != NULL)
        append_option(conninfo + len, "dbname", database);
    PQconninfoFree(options);
    return conninfo;
}

int test_postgres_sql(const char *conninfo, const char *sql, char *result, size_t result_size)
{
    PGconn *connection = PQconnectdb(conninfo);
    PGresult *answer = NULL;
    ExecStatusType status = PGRES_FATAL_ERROR;
    int failed = 1;

    if (PQstatus(connection) == CONNECTION_OK) {
        answer = PQexec(connection, sql);
        status = PQresultStatus(answer);
    }
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        failed = 0;
        if (result != NULL && PQntuples(answer) > 0)
            snprintf(result, result_size, "%s", PQgetvalue(answer, PQntuples(answer) - 1, 0));
    } else {
        fprintf(stderr, "PostgreSQL: %s", PQerrorMessage(connection));
    }
    PQclear(answer);
    PQfinish(connection);
    return failed;
}

/* Runs "sh SCRIPT <verb> <name>"; 0 if it succeeded. */
static int run_script(const char *script, const char *verb, const char *name)
{
    int status = -1;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", script, verb, name, (char *)NULL);
        _exit(126);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "sh %s %s %s failed\n", script, verb, name);
        return -1;
    }
    return 0;
}

/* Makes or removes a database, by SQL or as the script says that BB_TEST_POSTGRES_DATABASE names,
 * where a database is more than one server's. */
static int change_database(const char *verb, const char *name)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char *script = getenv("BB_TEST_POSTGRES_DATABASE");
    int is_drop = strcmp(verb, "drop") == 0;
    char sql[160];

    if (script != NULL && *script != '\0')
        return run_script(script, verb, name);
    snprintf(sql, sizeof sql, "%s DATABASE %s %s", is_drop ? "DROP" : "CREATE", name,
             is_drop ? "WITH (FORCE)" : "");
    return test_postgres_sql(server(), sql, NULL, 0);
}

char *test_postgres_create(const char *name)
{
    if (change_database("create", name) != 0)
        return NULL;
    return test_postgres_conninfo(name);
}

void test_postgres_drop(const char *name)
{
    change_database("drop", name);
}

void *test_postgres_hold(const char *conninfo, const char *sql)
{
    PGconn *connection = PQconnectdb(conninfo);
    PGresult *answer = PQstatus(connection) == CONNECTION_OK ? PQexec(connection, sql) : NULL;
    int ok = PQresultStatus(answer) == PGRES_COMMAND_OK;

    PQclear(answer);
    if (!ok) {
        fprintf(stderr, "PostgreSQL: %s", PQerrorMessage(connection));
        PQfinish(connection);
        return NULL;
    }
    return connection;
}

void test_postgres_let_go(void *connection)
{
    PQfinish(connection);
}
