/*
 * store.h: a fresh, empty storage of any backend, with its own place that is removed again.
 */
#ifndef BB_TEST_STORE_H
#define BB_TEST_STORE_H

#include "bb_contacts/backends.h"

typedef struct test_store {
    const char *backend; /* "memory", "sqlite" or "postgres" */
    bb_storage *storage;
    char *place; /* the folder of the file, or the database's connection string; NULL: neither */
    char database[64]; /* PostgreSQL: the database's name */
} test_store;

/* Opens a storage in a place of its own; without its schema. Returns 0, TEST_SKIPPED if there is no
 * PostgreSQL to test with (said on standard output), or 1 after a message on standard error. */
int test_store_open(test_store *store, const char *backend);

/* The same with its schema. */
int test_store_open_migrated(test_store *store, const char *backend);

/* Closes the storage and opens its place again; memory is empty then. 0 or 1. */
int test_store_reopen(test_store *store);

/* Closes the storage and removes its place. */
void test_store_close(test_store *store);

/* Runs SQL in the place of a SQLite or PostgreSQL store, on a connection of its own; 0 for success.
 * The first column of the last row is written to `result`, if that is not NULL. */
int test_store_sql(const test_store *store, const char *sql, char *result, size_t result_size);

/* A text that changes when any row is written: PostgreSQL's row versions, or the state of SQLite's
 * log. Always the same for memory. */
int test_store_versions(const test_store *store, char *result, size_t result_size);

/* Locks all contacts of a SQLite or PostgreSQL store on a connection of its own, until it is
 * given to test_store_unlock(). NULL if that failed. */
void *test_store_lock(const test_store *store);

/* The same for one contact of a PostgreSQL store. */
void *test_store_lock_contact(const test_store *store, const char *external_id);

void test_store_unlock(const test_store *store, void *lock);

/* Whether these bytes are in SQLite's files or in any column of PostgreSQL's table of keys. -1:
 * can't tell. */
int test_store_holds(const test_store *store, const void *wanted, size_t len);

#endif
