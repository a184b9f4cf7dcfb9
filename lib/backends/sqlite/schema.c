/*
 * schema.c: makes the tables in the SQLite file, and brings older ones up to date.
 */
#include "backends/sqlite/schema.h"

#include <stdio.h>
#include <string.h>

#include "backends/sqlite/result_code.h"

/*
 * The step at index n leads from version n to n + 1. They have no IF NOT EXISTS: version and tables
 * are made in one transaction, so a table that is there already is someone else's.
 *
 * AUTOINCREMENT is what keeps an id from being used again (E3). external_id has the default
 * collation, BINARY, which compares bytes. STRICT tables would need SQLite 3.37.
 */
static const char *const steps[] = {
    "CREATE TABLE bb_schema_version (version INTEGER NOT NULL);"
    "INSERT INTO bb_schema_version (version) VALUES (0);"
    "CREATE TABLE bb_chatbots ("
    " id INTEGER PRIMARY KEY,"
    " workspace_id INTEGER NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " archived_at_us INTEGER);"
    "CREATE TABLE bb_api_keys ("
    " key_hash BLOB NOT NULL PRIMARY KEY,"
    " workspace_id INTEGER NOT NULL,"
    " chatbot_id INTEGER,"
    " created_at_us INTEGER NOT NULL,"
    " expires_at_us INTEGER,"
    " revoked_at_us INTEGER) WITHOUT ROWID;"
    "CREATE TABLE bb_contacts ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " chatbot_id INTEGER NOT NULL,"
    " created_at_us INTEGER NOT NULL,"
    " updated_at_us INTEGER NOT NULL,"
    " external_id TEXT NOT NULL,"
    " name TEXT,"
    " email TEXT,"
    " phonenumber TEXT,"
    " stripe_accounts TEXT NOT NULL,"
    " custom_attributes TEXT NOT NULL);"
    "CREATE UNIQUE INDEX bb_contacts_external_id ON bb_contacts (chatbot_id, external_id)",
};

enum { CURRENT_VERSION = sizeof steps / sizeof steps[0] };

/* The result of a query for one value: whether there was a row, and the value as a number and as
 * the beginning of a text. */
typedef struct single_value {
    const char *sql;
    int found;
    int64_t number;
    char text[16];
} single_value;

static int32_t ask(sqlite3 *db, single_value *query, bb_error *error)
{
    sqlite3_stmt *statement = NULL;
    int32_t code = BB_OK;
    int result = sqlite3_prepare_v2(db, query->sql, -1, &statement, NULL);

    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        query->found = 1;
        query->number = sqlite3_column_int64(statement, 0);
        snprintf(query->text, sizeof query->text, "%s", text != NULL ? (const char *)text : "");
    } else if (result != SQLITE_DONE) {
        code = bb_sqlite_error(db, result, error);
    }
    sqlite3_finalize(statement);
    return code;
}

static int32_t read_version(sqlite3 *db, int64_t *version, bb_error *error)
{
    single_value query = {.sql = "SELECT version FROM bb_schema_version"};
    int32_t code = ask(db, &query, error);

    *version = query.number;
    return code;
}

/* BB_ERR_SCHEMA for a version that is newer than this library, or that no library has made. */
static int32_t check_version(int64_t version, bb_error *error)
{
    if (version >= 0 && version <= CURRENT_VERSION)
        return BB_OK;
    return bb_error_set(error, BB_ERR_SCHEMA,
                        "the file has schema version %lld; this library knows up to %d",
                        (long long)version, (int)CURRENT_VERSION);
}

/* The version of a file that may have no tables of ours yet: 0. */
static int32_t find_version(sqlite3 *db, int64_t *version, bb_error *error)
{
    single_value query = {.sql = "SELECT 1 FROM sqlite_master WHERE name = 'bb_schema_version'"};
    int32_t code = ask(db, &query, error);

    *version = 0;
    if (code != BB_OK || !query.found)
        return code;
    return read_version(db, version, error);
}

/* SQLite turns U+FFFE and U+FFFF into U+FFFD when it reads UTF-16 (C5). */
static int32_t check_encoding(sqlite3 *db, bb_error *error)
{
    single_value query = {.sql = "PRAGMA encoding"};
    int32_t code = ask(db, &query, error);

    if (code == BB_OK && strcmp(query.text, "UTF-8") != 0)
        code = bb_error_set(error, BB_ERR_SCHEMA, "the file's encoding is not UTF-8");
    return code;
}

/* Takes the write lock: others that want to upgrade wait, and then find it done. */
static int32_t upgrade(bb_sqlite_session *session, int64_t *from, bb_error *error)
{
    char record[64];
    int result;
    int32_t code = find_version(session->writer.db, from, error);

    if (code == BB_OK)
        code = check_version(*from, error);
    if (code == BB_OK)
        code = check_encoding(session->writer.db, error);
    if (code != BB_OK || *from == CURRENT_VERSION)
        return code;
    for (int64_t version = *from; version < CURRENT_VERSION; version++) {
        result = sqlite3_exec(session->writer.db, steps[version], NULL, NULL, NULL);
        if (result != SQLITE_OK)
            return bb_sqlite_error(session->writer.db, result, error);
    }
    snprintf(record, sizeof record, "UPDATE bb_schema_version SET version = %d",
             (int)CURRENT_VERSION);
    result = sqlite3_exec(session->writer.db, record, NULL, NULL, NULL);
    return result == SQLITE_OK ? BB_OK : bb_sqlite_error(session->writer.db, result, error);
}

/* Makes and opens the file for a session that has found none. */
static int32_t make_file(bb_sqlite_session *session, bb_error *error)
{
    int32_t code = bb_sqlite_check_left_log(session->store->path, error);

    return code == BB_OK ? bb_sqlite_session_connect(session, 1, error) : code;
}

/* Makes the session ready to read the file, and makes the file if it is missing. */
static int32_t start(bb_sqlite_session *session, int64_t deadline, bb_error *error)
{
    session->deadline = deadline;
    if (session->writer.db == NULL)
        return make_file(session, error);
    return bb_sqlite_start(session, deadline, error);
}

int32_t bb_sqlite_migrate(void *session_, int64_t deadline, bb_error *error)
{
    bb_sqlite_session *session = session_;
    int64_t version = 0;
    int32_t code = start(session, deadline, error);

    if (code != BB_OK)
        return code;
    /* If it is up to date, one read is enough, which works on a read-only file too. A failure that
     * is more than a missing table comes up again below. */
    code = read_version(session->writer.db, &version, NULL);
    if (code == BB_OK && version == CURRENT_VERSION)
        return BB_OK;
    if (code == BB_OK && check_version(version, error) != BB_OK)
        return BB_ERR_SCHEMA;
    code = bb_sqlite_begin(session, deadline, error);
    if (code != BB_OK)
        return code;
    code = bb_sqlite_end(session, upgrade(session, &version, error), error);
    if (code == BB_OK && version < CURRENT_VERSION)
        bb_sqlite_log(session->store, BB_LOG_INFO, "sqlite: schema version %lld brought to %d",
                      (long long)version, (int)CURRENT_VERSION);
    return code;
}
