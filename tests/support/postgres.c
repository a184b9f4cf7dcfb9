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

#include "support/settings.h"
#include "support/wait.h"

static const char *server(void)
{
    const char *value = getenv("BB_TEST_POSTGRES"); // NOLINT(concurrency-mt-unsafe)

    return value != NULL && *value != '\0' ? value : NULL;
}

int test_postgres_is_there(void)
{
    return server() != NULL;
}

/* Appends keyword='value', escaped for libpq. */
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

/* Makes or removes a database, by SQL, or by the script that BB_TEST_POSTGRES_DATABASE names, where
 * a database is more than one server's. */
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
    return test_postgres_server_sql(sql);
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

char *test_postgres_as(const char *conninfo, const char *user)
{
    size_t size = strlen(conninfo) + strlen(user) + 20;
    char *other = malloc(size);

    if (other != NULL)
        snprintf(other, size, "%s user='%s'", conninfo, user);
    return other;
}

int test_postgres_server_sql(const char *sql)
{
    return test_postgres_sql(server(), sql, NULL, 0);
}

int test_database_open(test_database *database, const char *what)
{
    if (!test_postgres_is_there()) {
        puts("SKIPPED: BB_TEST_POSTGRES names no server; see tests/postgres.sh");
        return TEST_SKIPPED;
    }
    snprintf(database->name, sizeof database->name, "bb_test_%ld_%s", (long)getpid(), what);
    database->conninfo = test_postgres_create(database->name);
    return database->conninfo != NULL ? 0 : 1;
}

void test_database_close(test_database *database)
{
    test_postgres_drop(database->name);
    free(database->conninfo);
    database->conninfo = NULL;
}

/* A query, the expected value, and the value it gave. */
typedef struct question {
    const char *conninfo;
    const char *sql;
    const char *wanted;
    char found[2000];
} question;

static int is_answered_so(void *ctx)
{
    question *q = ctx;

    snprintf(q->found, sizeof q->found, "(none)");
    return test_postgres_sql(q->conninfo, q->sql, q->found, sizeof q->found) == 0 &&
           strcmp(q->found, q->wanted) == 0;
}

static int print_unless(int is_so, const question *q)
{
    if (!is_so)
        fprintf(stderr, "%s\n  gave %s\n  not  %s\n", q->sql, q->found, q->wanted);
    return is_so;
}

int test_postgres_gives(const char *conninfo, const char *sql, const char *wanted)
{
    question q = {conninfo, sql, wanted, ""};

    return print_unless(is_answered_so(&q), &q);
}

int test_postgres_comes_to(const char *conninfo, const char *sql, const char *wanted)
{
    question q = {conninfo, sql, wanted, ""};

    return print_unless(test_wait_until(is_answered_so, &q), &q);
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
