/*
 * session.h: a connection to the SQLite file, its prepared statements and its transactions.
 */
#ifndef BB_SQLITE_SESSION_H
#define BB_SQLITE_SESSION_H

#include <sqlite3.h>

#include "backends/sqlite/connection.h"
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
    BB_SQLITE_LAST_ID,
    BB_SQLITE_ADD_CHATBOT,
    BB_SQLITE_ARCHIVE_CHATBOT,
    BB_SQLITE_ADD_KEY,
    BB_SQLITE_REVOKE_KEY,
    BB_SQLITE_STATEMENTS
} bb_sqlite_statement;

typedef struct bb_sqlite_session {
    bb_sqlite_store *store;
    bb_sqlite_connection writer;       /* reads and writes; not open while there is no file */
    bb_sqlite_connection checkpointer; /* not open until it is needed; see checkpoint.c */
    int64_t deadline;                  /* of the call that is under way */
    int is_spent;     /* something failed that opening the file anew may mend, which comes next */
    int has_triggers; /* a statement of ours fires triggers of the host's */
    int has_written;  /* the last commit added to the log */
    int log_pages;    /* pages in the log after it */
    bb_sqlite_waiter waiter;
    sqlite3_stmt *statements[BB_SQLITE_STATEMENTS]; /* NULL until first used */
} bb_sqlite_session;

/* session_open() and session_close() of the vtable. */
int32_t bb_sqlite_session_open(void *store, int64_t deadline, void **session, bb_error *error);
void bb_sqlite_session_close(void *session);

/* Opens the file for a session that was opened while it was missing, or that was disconnected:
 * BB_ERR_UNAVAILABLE if it is missing, unless `may_create`. */
int32_t bb_sqlite_session_connect(bb_sqlite_session *session, int may_create, bb_error *error);

/* Waits for nobody. */
void bb_sqlite_session_disconnect(bb_sqlite_session *session);

/* A statement, prepared when first asked for. */
int32_t bb_sqlite_prepared(bb_sqlite_session *session, bb_sqlite_statement which,
                           sqlite3_stmt **statement, bb_error *error);

/* Forgets a statement, so that it is prepared again when next asked for. */
void bb_sqlite_forget(bb_sqlite_session *session, bb_sqlite_statement which);

/* Runs a statement that gives no rows, and resets it. */
int32_t bb_sqlite_execute(const bb_sqlite_session *session, sqlite3_stmt *statement,
                          bb_error *error);

/* A line to the host's log. */
void bb_sqlite_log(const bb_sqlite_store *store, int32_t level, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Call it before reading outside of a write transaction. BB_ERR_LOST if the path no longer means
 * the file that this session has open. */
int32_t bb_sqlite_start(bb_sqlite_session *session, int64_t deadline, bb_error *error);

/*
 * A write transaction. begin takes the process's turn and then the file's write lock; BB_ERR_BUSY
 * if it can't by the deadline. After a BB_OK from it, call end with the work's code: it commits for
 * BB_OK, otherwise undoes all and returns `code`. If end returns BB_OK, what was written is in the
 * file that the path means.
 */
int32_t bb_sqlite_begin(bb_sqlite_session *session, int64_t deadline, bb_error *error);
int32_t bb_sqlite_end(bb_sqlite_session *session, int32_t code, bb_error *error);

/* The same, but undoes the work in any case. */
int32_t bb_sqlite_undo(bb_sqlite_session *session, int32_t code, bb_error *error);

#endif
