/*
 * connection.h: one connection to the SQLite file, opened as all of ours are, and the files that it
 * has open.
 */
#ifndef BB_SQLITE_CONNECTION_H
#define BB_SQLITE_CONNECTION_H

#include <sqlite3.h>

#include "backends/sqlite/files.h"
#include "bb_contacts/storage.h"

typedef struct bb_sqlite_connection {
    sqlite3 *db; /* NULL: not open */
    bb_sqlite_files files;
} bb_sqlite_connection;

/* How to open one. */
typedef struct bb_sqlite_target {
    const char *path; /* this and the rest must outlive the connection */
    const bb_allocator *allocator;
    int64_t *deadline; /* until when to wait for locks; read at each */
} bb_sqlite_target;

/*
 * Opens the file in WAL mode. Makes none, and fills no empty one, unless `may_create`. On failure
 * nothing stays open. BB_ERR_UNAVAILABLE if the file is missing, empty, or can only be read;
 * BB_ERR_LOST if it was replaced meanwhile.
 */
int32_t bb_sqlite_connect(bb_sqlite_connection *connection, const bb_sqlite_target *target,
                          int may_create, bb_error *error);

/* The last connection to leave moves the log into the file. */
void bb_sqlite_disconnect(bb_sqlite_connection *connection, const bb_allocator *allocator);

#endif
