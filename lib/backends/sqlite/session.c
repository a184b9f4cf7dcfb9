/*
 * session.c: what serves one request at a time: a connection to the SQLite file and its prepared
 * statements.
 */
#include "backends/sqlite/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "backends/sqlite/result_code.h"
#include "util/alloc.h"
#include "util/fields.h"

/* What a statement has for each field. SQLite numbers the named parameters on from the highest
 * number before them, which is 3; see write.c. */
#define COLUMN(name, NAME, KIND)     ", " #name
#define VALUE(name, NAME, KIND)      ", :" #name
#define ASSIGNMENT(name, NAME, KIND) ", " #name " = :" #name

/* clang-format off */
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
        "SELECT id, created_at_us, updated_at_us" BB_FIELD_MAP(COLUMN)
        " FROM bb_contacts WHERE chatbot_id = ?1 AND external_id = ?2",
    [BB_SQLITE_INSERT_CONTACT] =
        "INSERT INTO bb_contacts (chatbot_id, external_id, created_at_us, updated_at_us"
        BB_FIELD_MAP(COLUMN) ") VALUES (?1, ?2, ?3, ?3" BB_FIELD_MAP(VALUE) ")",
    [BB_SQLITE_UPDATE_CONTACT] =
        "UPDATE bb_contacts SET updated_at_us = ?3" BB_FIELD_MAP(ASSIGNMENT) " WHERE id = ?1",
    [BB_SQLITE_LAST_ID] = "SELECT seq FROM sqlite_sequence WHERE name = 'bb_contacts'",
    [BB_SQLITE_ADD_CHATBOT] =
        "INSERT INTO bb_chatbots (id, workspace_id, created_at_us) VALUES (?1, ?2, ?3)",
    [BB_SQLITE_ARCHIVE_CHATBOT] = "UPDATE bb_chatbots SET archived_at_us = ?2 WHERE id = ?1",
    [BB_SQLITE_ADD_KEY] = "INSERT INTO bb_api_keys (key_hash, workspace_id, chatbot_id,"
                          " expires_at_us, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)",
    [BB_SQLITE_REVOKE_KEY] = "UPDATE bb_api_keys SET revoked_at_us = ?2 WHERE key_hash = ?1",
};
/* clang-format on */

/* ------------------------------------------------------------------------------------- opening */

/* SQLite calls this after each commit that has added to the log. */
static int note_log(void *session_, sqlite3 *db, const char *schema, int pages)
{
    bb_sqlite_session *session = session_;

    (void)db;
    (void)schema;
    session->has_written = 1;
    session->log_pages = pages;
    return SQLITE_OK;
}

/* SQLite calls this about all that a statement does when it compiles it, so it costs nothing while
 * statements run. The last argument names the trigger that does it. */
static int note_triggers(void *session_, int action, const char *what, const char *of_what,
                         const char *schema, const char *trigger)
{
    bb_sqlite_session *session = session_;

    (void)action;
    (void)what;
    (void)of_what;
    (void)schema;
    if (trigger != NULL)
        session->has_triggers = 1;
    return SQLITE_OK;
}

void bb_sqlite_session_disconnect(bb_sqlite_session *session)
{
    int64_t deadline = session->deadline;

    session->deadline = 0; /* the last one to leave moves the log into the file: now or never */
    for (int i = 0; i < BB_SQLITE_STATEMENTS; i++)
        bb_sqlite_forget(session, (bb_sqlite_statement)i);
    bb_sqlite_disconnect(&session->checkpointer, &session->store->allocator);
    bb_sqlite_disconnect(&session->writer, &session->store->allocator);
    session->deadline = deadline;
    session->is_spent = 0;
}

/* BEGIN, COMMIT and ROLLBACK are prepared at the start: undoing must not fail for want of
 * memory. */
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

int32_t bb_sqlite_session_connect(bb_sqlite_session *session, int may_create, bb_error *error)
{
    bb_sqlite_store *store = session->store;
    const bb_sqlite_target target = {store->path, &store->allocator, &session->deadline};
    int32_t code;

    if (!may_create && access(store->path, F_OK) != 0)
        return bb_error_set(error, BB_ERR_UNAVAILABLE,
                            "there is no such file, and only migrating makes one: %s", store->path);
    code = bb_sqlite_connect(&session->writer, &target, may_create, error);
    if (code != BB_OK)
        return code;
    sqlite3_wal_hook(session->writer.db, note_log, session);
    sqlite3_set_authorizer(session->writer.db, note_triggers, session);
    code = prepare_transaction(session, error);
    if (code != BB_OK)
        bb_sqlite_session_disconnect(session);
    return code;
}

int32_t bb_sqlite_session_open(void *store_, int64_t deadline, void **session_, bb_error *error)
{
    bb_sqlite_store *store = store_;
    bb_sqlite_session *session = bb_zalloc(&store->allocator, sizeof *session);
    int32_t code = BB_OK;

    if (session == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    session->store = store;
    session->deadline = deadline;
    if (bb_sqlite_waiter_init(&session->waiter) != 0) {
        bb_free(&store->allocator, session);
        return bb_error_set(error, BB_ERR_INTERNAL, "pthread_cond_init failed");
    }
    /* migrating needs a session, too; for others, the first call says what is missing */
    if (bb_sqlite_file_holds_anything(store->path))
        code = bb_sqlite_session_connect(session, 0, error);
    if (code == BB_OK)
        *session_ = session;
    else
        bb_sqlite_session_close(session);
    return code;
}

void bb_sqlite_session_close(void *session_)
{
    bb_sqlite_session *session = session_;

    bb_sqlite_session_disconnect(session);
    bb_sqlite_waiter_destroy(&session->waiter);
    bb_free(&session->store->allocator, session);
}

/* ---------------------------------------------------------------------------------- statements */

int32_t bb_sqlite_prepared(bb_sqlite_session *session, bb_sqlite_statement which,
                           sqlite3_stmt **statement, bb_error *error)
{
    sqlite3_stmt **kept = &session->statements[which];

    if (*kept == NULL) {
        int result = sqlite3_prepare_v3(session->writer.db, texts[which], -1,
                                        SQLITE_PREPARE_PERSISTENT, kept, NULL);
        if (result != SQLITE_OK)
            return bb_sqlite_error(session->writer.db, result, error);
    }
    *statement = *kept;
    return BB_OK;
}

void bb_sqlite_forget(bb_sqlite_session *session, bb_sqlite_statement which)
{
    sqlite3_finalize(session->statements[which]);
    session->statements[which] = NULL;
}

int32_t bb_sqlite_execute(const bb_sqlite_session *session, sqlite3_stmt *statement,
                          bb_error *error)
{
    int result = sqlite3_step(statement);
    int32_t code =
        result == SQLITE_DONE ? BB_OK : bb_sqlite_error(session->writer.db, result, error);

    sqlite3_reset(statement);
    return code;
}

/* ------------------------------------------------------------------------------------- logging */

void bb_sqlite_log(const bb_sqlite_store *store, int32_t level, const char *format, ...)
{
    char line[400];
    va_list arguments;
    int len;

    if (store->log == NULL)
        return;
    va_start(arguments, format);
    len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    store->log(store->log_ctx, level, line,
               (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}
