/*
 * store.h: opens the store that the command line names, and the endpoint on it.
 */
#ifndef BB_EXAMPLE_STORE_H
#define BB_EXAMPLE_STORE_H

#include "bb_contacts/bb_contacts.h"

/* Opens the store and brings its schema up to date within `timeout_ms`. Makes a missing SQLite file
 * only if `may_make` is set. Says what went wrong, and returns the program's exit status. */
int store_open(const char *uri, int may_make, int64_t timeout_ms, bb_storage **out);

/* Opens the endpoint. `max_queued` requests may wait for the workers, an answer may have
 * `max_answer` bytes (0: the library's defaults), `custom_attributes` is a bb_attributes, and each
 * request may take `timeout_ms`. Says what went wrong, and returns the program's exit status. */
int endpoint_open(bb_storage *storage, uint32_t workers, uint32_t max_queued, int64_t max_answer,
                  int32_t custom_attributes, int64_t timeout_ms, bb_contacts **out);

#endif
