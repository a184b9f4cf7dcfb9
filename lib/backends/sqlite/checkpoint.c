/*
 * checkpoint.c: moves what the write-ahead log holds into the database.
 *
 * SQLite does that by itself, after the commit and without the write lock. Up to 3.51.2 that can
 * damage the database if another connection begins the log anew at the same moment: SQLite then
 * takes frames of the new log for ones that are in the database already.
 * https://www.sqlite.org/wal.html#walresetbug The holder of the write lock keeps all others from
 * beginning the log anew. In SQLite one connection cannot both hold it and move pages. So there are
 * two: one takes the lock, the other moves the pages.
 */
#include "backends/sqlite/checkpoint.h"

/* As many as SQLite's own automatic checkpoints wait for. */
enum { LONG_LOG = 1000 };

/* Opens the second connection, unless it is open already. */
static int32_t open_checkpointer(bb_sqlite_session *session, bb_error *error)
{
    const bb_sqlite_target target = {session->store->path, &session->store->allocator,
                                     &session->deadline};
    int32_t code;

    if (session->checkpointer.db != NULL)
        return BB_OK;
    code = bb_sqlite_connect(&session->checkpointer, &target, 0, error);
    if (code == BB_OK &&
        !bb_sqlite_files_equal(&session->checkpointer.files, &session->writer.files)) {
        bb_sqlite_disconnect(&session->checkpointer, &session->store->allocator);
        return bb_error_set(error, BB_ERR_LOST, "the file was replaced");
    }
    return code;
}

static int is_worth_a_line(int result)
{
    return (result & 0xff) != SQLITE_OK && (result & 0xff) != SQLITE_BUSY;
}

static void move_pages(const bb_sqlite_session *session)
{
    sqlite3 *db = session->checkpointer.db;
    int result = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (is_worth_a_line(result))
        bb_sqlite_log(session->store, BB_LOG_WARN, "sqlite: the log stays long: %s (SQLite %d): %s",
                      sqlite3_errmsg(db), result, session->store->path);
}

void bb_sqlite_checkpoint_if_long(bb_sqlite_session *session)
{
    int64_t deadline = session->deadline;

    if (session->log_pages < LONG_LOG)
        return;
    /* it waits for nobody: the write is over, and its answer is due */
    session->deadline = 0;
    if (open_checkpointer(session, NULL) == BB_OK &&
        bb_sqlite_execute(session, session->statements[BB_SQLITE_BEGIN], NULL) == BB_OK) {
        move_pages(session);
        bb_sqlite_execute(session, session->statements[BB_SQLITE_ROLLBACK], NULL);
    }
    session->deadline = deadline;
}

int32_t bb_sqlite_checkpoint_lost_log(bb_sqlite_session *session, bb_error *error)
{
    const char *log_path = session->writer.files.log_path;
    sqlite3 *db = session->writer.db;
    int result;

    if (!bb_sqlite_files_own_the_log(&session->writer.files))
        return BB_OK; /* others have begun a new log: what this one holds is in the file */
    result = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (result != SQLITE_OK)
        return bb_error_set(error, BB_ERR_UNAVAILABLE,
                            "deleted, and what it holds cannot be moved into the file yet: %s "
                            "(SQLite %d): %s",
                            sqlite3_errmsg(db), result, log_path);
    bb_sqlite_log(session->store, BB_LOG_WARN,
                  "sqlite: deleted while in use; what it held is in the file now: %s", log_path);
    return BB_OK;
}
