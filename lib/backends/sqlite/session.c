/*
 * session.c: a connection to the SQLite file and its prepared statements.
 */
#include "backends/sqlite/session.h"

#include <string.h>
#include <time.h>

#include "backends/sqlite/result_code.h"
#include "util/alloc.h"

/* How long to sleep between two tries for a lock that another process holds. Short and always the
 * same: a busy process frees the lock for moments only, and a longer sleep misses most of them. */
enum { LOCK_PAUSE_NS = 500000 };

static const char *const texts[BB_SQLITE_STATEMENTS] = {
    [BB_SQLITE_BEGIN] = "BEGIN IMMEDIATE",
    [BB_SQLITE_COMMIT] = "COMMIT",
    [BB_SQLITE_ROLLBACK] = "ROLLBACK",
    [BB_SQLITE_FIND_KEY] =
        "SELECT workspace_id, chatbot_id, expires_at_us, revoked_at_us IS NOT NULL"
        " FROM bb_api_keys WHERE key_hash = ?1",
    [BB_SQLITE_FIND_CHATBOT] =
        "SELECT workspace_id, archived_at_us IS NOT NULL FROM bb_chatbots WHERE id = ?1",
    [BB_SQLITE_FIND_CONTACT] =
        "SELECT id, created_at_us, updated_at_us, name, email, phonenumber, stripe_accounts,"
        " custom_attributes FROM bb_contacts WHERE chatbot_id = ?1 AND external_id = ?2",
    [BB_SQLITE_INSERT_CONTACT] =
        "INSERT INTO bb_contacts (chatbot_id, created_at_us, updated_at_us, external_id, name,"
        " email, phonenumber, stripe_accounts, custom_attributes)"
        " VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [BB_SQLITE_UPDATE_CONTACT] =
        "UPDATE bb_contacts SET updated_at_us = ?2, name = ?4, email = ?5, phonenumber = ?6,"
        " stripe_accounts = ?7, custom_attributes = ?8 WHERE id = ?1",
    [BB_SQLITE_ADD_CHATBOT] =
        "INSERT INTO bb_chatbots (id, workspace_id, created_at_us) VALUES (?1, ?2, ?3)",
    [BB_SQLITE_ARCHIVE_CHATBOT] = "UPDATE bb_chatbots SET archived_at_us = ?2 WHERE id = ?1",
    [BB_SQLITE_ADD_KEY] = "INSERT INTO bb_api_keys (key_hash, workspace_id, chatbot_id,"
                          " expires_at_us, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)",
    [BB_SQLITE_REVOKE_KEY] = "UPDATE bb_api_keys SET revoked_at_us = ?2 WHERE key_hash = ?1",
};

static void pause_for_lock(void)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

    nanosleep(&pause, NULL);
}

/* SQLite's busy handler: whether to try again. */
static int wait_for_lock(void *session_, int tries)
{
    const bb_sqlite_session *session = session_;

    (void)tries;
    if (bb_deadline_left(session->deadline) == 0)
        return 0;
    pause_for_lock();
    return 1;
}

/* ------------------------------------------------------------------------------------- opening */

/*
 * Switches the file to WAL mode, where it stays. The switch does not always ask the busy handler
 * when two processes try it at once, so it is tried again here.
 * https://www.sqlite.org/pragma.html#pragma_journal_mode
 */
static int32_t use_wal(const bb_sqlite_session *session, bb_error *error)
{
    sqlite3_stmt *statement = NULL;
    int32_t code = BB_OK;
    int result = sqlite3_prepare_v2(session->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

    if (result != SQLITE_OK)
        return bb_sqlite_error(session->db, result, error);
    while ((result = sqlite3_step(statement)) != SQLITE_ROW) {
        if ((result & 0xff) != SQLITE_BUSY || bb_deadline_left(session->deadline) == 0) {
            code = bb_sqlite_error(session->db, result, error);
            break;
        }
        sqlite3_reset(statement);
        pause_for_lock();
    }
    /* a file that can only be read stays as it is */
    if (code == BB_OK && sqlite3_db_readonly(session->db, "main") == 0) {
        const unsigned char *mode = sqlite3_column_text(statement, 0);
        if (mode == NULL || strcmp((const char *)mode, "wal") != 0)
            code = bb_error_set(error, BB_ERR_UNAVAILABLE, "the file cannot be put in WAL mode");
    }
    sqlite3_finalize(statement);
    return code;
}

static int32_t configure(bb_sqlite_session *session, bb_error *error)
{
    sqlite3 *db = session->db;
    int32_t code;
    int result;

    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_handler(db, wait_for_lock, session);
    /* what a tampered file's schema could do to us: https://www.sqlite.org/security.html */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    code = use_wal(session, error);
    if (code != BB_OK)
        return code;
    result = sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON", NULL, NULL,
                          NULL);
    return result == SQLITE_OK ? BB_OK : bb_sqlite_error(db, result, error);
}

/* A connection of this thread's own: no mutex, no shared cache even if the host turned that on. */
static int32_t connect(bb_sqlite_session *session, bb_error *error)
{
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int result = sqlite3_open_v2(session->store->path, &session->db, flags, NULL);

    if (result != SQLITE_OK)
        return bb_sqlite_error(session->db, result, error);
    return configure(session, error);
}

/* BEGIN, COMMIT and ROLLBACK are there from the start: undoing must not fail for want of memory. */
static int32_t prepare_transaction(bb_sqlite_session *session, bb_error *error)
{
    const bb_sqlite_statement first[] = {BB_SQLITE_BEGIN, BB_SQLITE_COMMIT, BB_SQLITE_ROLLBACK};
    int32_t code = BB_OK;

    for (size_t i = 0; i < sizeof first / sizeof first[0] && code == BB_OK; i++) {
        sqlite3_stmt *unused;
        code = bb_sqlite_prepared(session, first[i], &unused, error);
    }
    return code;
}

int32_t bb_sqlite_session_open(void *store_, int64_t deadline, void **session_, bb_error *error)
{
    bb_sqlite_store *store = store_;
    bb_sqlite_session *session = bb_zalloc(&store->allocator, sizeof *session);
    int32_t code;

    if (session == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    session->store = store;
    session->deadline = deadline;
    if (bb_sqlite_waiter_init(&session->waiter) != 0) {
        bb_free(&store->allocator, session);
        return bb_error_set(error, BB_ERR_INTERNAL, "pthread_cond_init failed");
    }
    code = connect(session, error);
    if (code == BB_OK)
        code = prepare_transaction(session, error);
    if (code == BB_OK)
        *session_ = session;
    else
        bb_sqlite_session_close(session);
    return code;
}

void bb_sqlite_session_close(void *session_)
{
    bb_sqlite_session *session = session_;

    session->deadline = 0; /* the last one to leave moves the WAL into the file: now or never */
    for (size_t i = 0; i < BB_SQLITE_STATEMENTS; i++)
        sqlite3_finalize(session->statements[i]);
    sqlite3_close(session->db);
    bb_sqlite_waiter_destroy(&session->waiter);
    bb_free(&session->store->allocator, session);
}

/* ---------------------------------------------------------------------------------- statements */

int32_t bb_sqlite_prepared(bb_sqlite_session *session, bb_sqlite_statement which,
                           sqlite3_stmt **statement, bb_error *error)
{
    sqlite3_stmt **kept = &session->statements[which];

    if (*kept == NULL) {
        int result = sqlite3_prepare_v3(session->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                        kept, NULL);
        if (result != SQLITE_OK)
            return bb_sqlite_error(session->db, result, error);
    }
    *statement = *kept;
    return BB_OK;
}

int32_t bb_sqlite_execute(const bb_sqlite_session *session, sqlite3_stmt *statement,
                          bb_error *error)
{
    int result = sqlite3_step(statement);
    int32_t code = result == SQLITE_DONE ? BB_OK : bb_sqlite_error(session->db, result, error);

    sqlite3_reset(statement);
    return code;
}
