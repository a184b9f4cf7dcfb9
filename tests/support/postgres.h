/*
 * postgres.h: databases of a test's own on the server that BB_TEST_POSTGRES names.
 */
#ifndef BB_TEST_POSTGRES_H
#define BB_TEST_POSTGRES_H

#include <stddef.h>

/* Whether there is a server to test with. */
int test_postgres_is_there(void);

/* The connection string of a database on that server, or NULL after a message on standard error.
 * Freed by the caller. */
char *test_postgres_conninfo(const char *database);

/* The same for an empty database, which it makes. */
char *test_postgres_create(const char *name);

/* Removes a database, even if someone is still connected. */
void test_postgres_drop(const char *name);

/* A database of a test program's own. */
typedef struct test_database {
    char name[64];
    char *conninfo;
} test_database;

/* Makes one whose name holds `what`. Returns 0, TEST_SKIPPED if there is no server to test with
 * (said on standard output), or 1 after a message on standard error. */
int test_database_open(test_database *database, const char *what);
void test_database_close(test_database *database);

/* The connection string with another user; freed by the caller. */
char *test_postgres_as(const char *conninfo, const char *user);

/* Runs SQL; see test_store_sql(). The second does so where BB_TEST_POSTGRES leads to. */
int test_postgres_sql(const char *conninfo, const char *sql, char *result, size_t result_size);

int test_postgres_server_sql(const char *sql);

/* Whether the first value of a query is this one. If not, prints both. */
int test_postgres_gives(const char *conninfo, const char *sql, const char *wanted);

/* The same, now or within TEST_PATIENCE_MS; each time on a connection of its own. */
int test_postgres_comes_to(const char *conninfo, const char *sql, const char *wanted);

/* Opens a connection on which SQL has been run, such as one that takes a lock; NULL on failure. */
void *test_postgres_hold(const char *conninfo, const char *sql);
void test_postgres_let_go(void *connection);

#endif
