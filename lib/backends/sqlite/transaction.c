/*
 * transaction.c: a session's transactions on the SQLite file.
 */
#include "backends/sqlite/checkpoint.h"
#include "backends/sqlite/session.h"

/* Whether the names still mean the files that this session has open. */
static int32_t check_files(bb_sqlite_session *session, bb_error *error)
{
    bb_sqlite_place place = bb_sqlite_files_check(&session->writer.files);
    int32_t code = BB_OK;

    if (place == BB_SQLITE_IN_PLACE)
        return BB_OK;
    if (place == BB_SQLITE_LOG_AWAY)
        code = bb_sqlite_checkpoint_lost_log(session, error);
    if (code != BB_OK)
        return code;
    return bb_sqlite_files_error(&session->writer.files, place, BB_ERR_LOST, error);
}

int32_t bb_sqlite_start(bb_sqlite_session *session, int64_t deadline, bb_error *error)
{
    int32_t code = BB_OK;

    if (bb_deadline_left(deadline) == 0)
        return bb_error_set(error, BB_ERR_BUSY, "the deadline had passed");
    session->deadline = deadline;
    if (session->writer.db != NULL)
        code = check_files(session, error);
    if (code == BB_OK && session->is_spent)
        bb_sqlite_session_disconnect(session);
    if (code == BB_OK && session->writer.db == NULL)
        code = bb_sqlite_session_connect(session, 0, error);
    return code;
}

int32_t bb_sqlite_begin(bb_sqlite_session *session, int64_t deadline, bb_error *error)
{
    bb_sqlite_writer_queue *writers = &session->store->writers;
    int32_t code;

    if (!bb_sqlite_writer_queue_enter(writers, &session->waiter, deadline))
        return bb_error_set(error, BB_ERR_BUSY, "other sessions were writing past the deadline");
    code = bb_sqlite_start(session, deadline, error);
    if (code == BB_OK) {
        code = bb_sqlite_execute(session, session->statements[BB_SQLITE_BEGIN], error);
        session->is_spent = code == BB_ERR_UNAVAILABLE;
    }
    if (code != BB_OK)
        bb_sqlite_writer_queue_leave(writers);
    return code;
}

/* Commits. What was written counts only if it is in the files that the names mean now; otherwise it
 * would be acknowledged and lost (E8). What happens to the files later happens to stored
 * contacts. */
static int32_t commit(bb_sqlite_session *session, bb_error *error)
{
    int32_t code;

    session->has_written = 0;
    code = bb_sqlite_execute(session, session->statements[BB_SQLITE_COMMIT], error);
    session->is_spent = code == BB_ERR_UNAVAILABLE;
    if (code != BB_OK || !session->has_written)
        return code;
    code = check_files(session, error);
    if (code == BB_OK)
        bb_sqlite_checkpoint_if_long(session);
    return code;
}

int32_t bb_sqlite_end(bb_sqlite_session *session, int32_t code, bb_error *error)
{
    if (code == BB_OK)
        code = commit(session, error);
    return bb_sqlite_undo(session, code, error);
}

int32_t bb_sqlite_undo(bb_sqlite_session *session, int32_t code, bb_error *error)
{
    if (code != BB_OK)
        session->is_spent = code == BB_ERR_UNAVAILABLE;
    /* some failures have ended the transaction already:
     * https://www.sqlite.org/lang_transaction.html */
    if (!sqlite3_get_autocommit(session->writer.db))
        bb_sqlite_execute(session, session->statements[BB_SQLITE_ROLLBACK], NULL);
    if (!sqlite3_get_autocommit(session->writer.db))
        code = bb_error_set(error, BB_ERR_LOST, "the transaction can be neither kept nor undone");
    bb_sqlite_writer_queue_leave(&session->store->writers);
    return code;
}
