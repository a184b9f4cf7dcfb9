/*
 * result_code.h: what SQLite's result codes mean to the library.
 */
#ifndef BB_SQLITE_RESULT_CODE_H
#define BB_SQLITE_RESULT_CODE_H

#include <sqlite3.h>

#include "bb_contacts/storage.h"

/* The bb_code for an extended result code that is a failure. */
int32_t bb_sqlite_code(int result);

/* The same, and writes SQLite's message to `error`. Call it before anything else is done with `db`.
 * If `db` is NULL, the message is the code's general text. */
int32_t bb_sqlite_error(sqlite3 *db, int result, bb_error *error);

#endif
