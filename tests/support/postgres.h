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

/* The same of an empty database that is made now. */
char *test_postgres_create(const char *name);

/* Removes a database, whoever is still connected. */
void test_postgres_drop(const char *name);

/* Runs SQL; see test_store_sql(). */
int test_postgres_sql(const char *conninfo, const char *sql, char *result, size_t result_size);

/* Opens a connection on which SQL has been run, such as one that takes a lock; NULL on failure. */
void *test_postgres_hold(const char *conninfo, const char *sql);
void test_postgres_let_go(void *connection);

#endif
