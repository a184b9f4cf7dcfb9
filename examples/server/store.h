/*
 * store.h: opens the store that the command line names.
 */
#ifndef BB_SERVER_STORE_H
#define BB_SERVER_STORE_H

#include "bb_contacts/bb_contacts.h"

/* Opens the store and brings its schema up to date. An SQLite file that is not there is made only
 * if `may_make` is set. Returns the program's exit status; has said what went wrong. */
int store_open(const char *uri, int may_make, bb_storage **out);

#endif
