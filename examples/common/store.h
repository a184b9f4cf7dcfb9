/*
 * store.h: opens the store that the command line names, and the endpoint on it.
 */
#ifndef BB_EXAMPLE_STORE_H
#define BB_EXAMPLE_STORE_H

#include "bb_contacts/bb_contacts.h"

/* Opens the store and brings its schema up to date. An SQLite file that is not there is made only
 * if `may_make` is set, and the schema has so long. Returns the program's exit status; has said
 * what went wrong. */
int store_open(const char *uri, int may_make, int64_t timeout_ms, bb_storage **out);

/* Opens the endpoint, with as many workers, for which so many requests may wait (0: the library's
 * default), each for so long. Returns the program's exit status, likewise. */
int endpoint_open(bb_storage *storage, uint32_t workers, uint32_t max_queued, int64_t timeout_ms,
                  bb_contacts **out);

#endif
