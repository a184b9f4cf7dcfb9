/*
 * transaction.c: a session's transactions on the SQLite file.
 */
#include "backends/sqlite/session.h"

/*
 * A file that is gone, or that another has taken the place of, is still open here: what went into
 * it would be acknowledged and lost (E8).
 */
static int has_moved(const bb_sqlite_session *session)
{
    int moved = 0;

    return sqlite3_file_control(session->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

int32_t bb_sqlite_start(bb_sqlite_session *session, int64_t deadline, bb_error *error)
{
    session->deadline = deadline;
    if (has_moved(session))
        return bb_error_set(error, BB_ERR_LOST, "the database file was deleted or replaced");
    if (session->is_read_only)
        return bb_error_set(error, BB_ERR_LOST, "the database file was read-only when opened");
    return BB_OK;
}

int32_t bb_sqlite_begin(bb_sqlite_session *session, int64_t deadline, bb_error *error)
{
    bb_sqlite_writer_queue *writers = &session->store->writers;
    int32_t code;

    if (!bb_sqlite_writer_queue_enter(writers, &session->waiter, deadline))
        return bb_error_set(error, BB_ERR_BUSY, "other sessions were writing past the deadline");
    code = bb_sqlite_start(session, deadline, error);
    if (code == BB_OK)
        code = bb_sqlite_execute(session, session->statements[BB_SQLITE_BEGIN], error);
    if (code != BB_OK)
        bb_sqlite_writer_queue_leave(writers);
    return code;
}

int32_t bb_sqlite_end(bb_sqlite_session *session, int32_t code, bb_error *error)
{
    if (code == BB_OK)
        code = bb_sqlite_execute(session, session->statements[BB_SQLITE_COMMIT], error);
    /* some failures have ended the transaction already:
     * https://www.sqlite.org/lang_transaction.html */
    if (!sqlite3_get_autocommit(session->db))
        bb_sqlite_execute(session, session->statements[BB_SQLITE_ROLLBACK], NULL);
    if (!sqlite3_get_autocommit(session->db))
        code = bb_error_set(error, BB_ERR_LOST, "the transaction can be neither kept nor undone");
    bb_sqlite_writer_queue_leave(&session->store->writers);
    /* this connection stays so for ever; the file may be made writable */
    if (code == BB_ERR_UNAVAILABLE && sqlite3_db_readonly(session->db, "main") == 1)
        session->is_read_only = 1;
    return code;
}
