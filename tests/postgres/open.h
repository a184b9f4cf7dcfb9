/*
 * open.h: opens the PostgreSQL backend with options, on a test's own database.
 */
#ifndef BB_TEST_PG_OPEN_H
#define BB_TEST_PG_OPEN_H

#include "support/endpoint.h"

/* The defaults with tables in this schema, which must outlive the options. */
bb_postgres_options pg_options_of(const char *schema);

/* Opens a storage with its schema, and a handle that prints the errors that it logs. Returns
 * whether that succeeded; prints why not. */
int pg_open(test_endpoint *endpoint, const char *conninfo, const bb_postgres_options *options);
void pg_close(test_endpoint *endpoint);

/* Ends the handle's sessions, so that the server has all their counts. Returns whether none of them
 * was in a deadlock. */
int pg_saw_no_deadlock(test_endpoint *endpoint);

#endif
