/*
 * session.h: a connection to the SQLite file, its prepared statements and its transactions.
 */
#ifndef BB_SQLITE_SESSION_H
#define BB_SQLITE_SESSION_H

#include <sqlite3.h>

#include "backends/sqlite/writer_queue.h"
#include "bb_contacts/backends.h"
#include "bb_contacts/storage.h"

/* What the sessions of one storage share. */
typedef struct bb_sqlite_store {
    bb_allocator allocator;
    bb_log_fn log; /* or NULL */
    void *log_ctx;
    char *path; /* absolute, so that a later chdir() changes nothing */
    bb_sqlite_writer_queue writers;
} bb_sqlite_store;

/* The statements that a session keeps; their texts are in session.c. */
typedef enum bb_sqlite_statement {
    BB_SQLITE_BEGIN,
    BB_SQLITE_COMMIT,
    BB_SQLITE_ROLLBACK,
    BB_SQLITE_FIND_KEY,
    BB_SQLITE_FIND_CHATBOT,
    BB_SQLITE_FIND_CONTACT,
    BB_SQLITE_INSERT_CONTACT,
    BB_SQLITE_UPDATE_CONTACT,
    BB_SQLITE_ADD_CHATBOT,
    BB_SQLITE_ARCHIVE_CHATBOT,
    BB_SQLITE_ADD_KEY,
    BB_SQLITE_REVOKE_KEY,
    BB_SQLITE_STATEMENTS
} bb_sqlite_statement;

typedef struct bb_sqlite_session {
    bb_sqlite_store *store;
    sqlite3 *db;
    int64_t deadline; /* of the call that is under way */
    int is_read_only; /* the file could only be read when it was opened, and a write failed */
    bb_sqlite_waiter waiter;
    sqlite3_stmt *statements[BB_SQLITE_STATEMENTS]; /* NULL until first used */
} bb_sqlite_session;

/* session_open() and session_close() of the vtable. */
int32_t bb_sqlite_session_open(void *store, int64_t deadline, void **session, bb_error *error);
void bb_sqlite_session_close(void *session);

/* A statement, prepared when first asked for. */
int32_t bb_sqlite_prepared(bb_sqlite_session *session, bb_sqlite_statement which,
                           sqlite3_stmt **statement, bb_error *error);

/* Runs a statement that gives no rows, and resets it. */
int32_t bb_sqlite_execute(const bb_sqlite_session *session, sqlite3_stmt *statement,
                          bb_error *error);

/* To be called before reading outside of a write transaction. BB_ERR_LOST if the file has been
 * deleted or replaced under this session, or this session cannot write to it though another might.
 */
int32_t bb_sqlite_start(bb_sqlite_session *session, int64_t deadline, bb_error *error);

/*
 * A write transaction: begin takes the process's turn and then the file's write lock, BB_ERR_BUSY
 * if it can't until the deadline. If it returned BB_OK, end is called with what became of the work:
 * commits for BB_OK, otherwise undoes all and returns `code`.
 */
int32_t bb_sqlite_begin(bb_sqlite_session *session, int64_t deadline, bb_error *error);
int32_t bb_sqlite_end(bb_sqlite_session *session, int32_t code, bb_error *error);

#endif
