/*
 * connection.c: one connection to the SQLite file, opened as all of ours are.
 */
#include "backends/sqlite/connection.h"

#include <string.h>
#include <time.h>

#include "backends/sqlite/result_code.h"

/* How long to sleep between two tries for a lock that another process holds. Short and always the
 * same: a busy process frees the lock only for moments, and a longer sleep misses most of them. */
enum { LOCK_PAUSE_NS = 500000 };

static void pause_for_lock(void)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

    nanosleep(&pause, NULL);
}

/* SQLite's busy handler: returns whether to try again. */
static int wait_for_lock(void *deadline_, int tries)
{
    const int64_t *deadline = deadline_;

    (void)tries;
    if (bb_deadline_left(*deadline) == 0)
        return 0;
    pause_for_lock();
    return 1;
}

/*
 * Switches the file to WAL mode, in which it stays. If two processes try it at once, SQLite does
 * not always ask the busy handler, so this tries again.
 * https://www.sqlite.org/pragma.html#pragma_journal_mode
 */
static int32_t use_wal(sqlite3 *db, int64_t deadline, bb_error *error)
{
    sqlite3_stmt *statement = NULL;
    int32_t code = BB_OK;
    int result = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

    if (result != SQLITE_OK)
        return bb_sqlite_error(db, result, error);
    while ((result = sqlite3_step(statement)) != SQLITE_ROW) {
        if ((result & 0xff) != SQLITE_BUSY || bb_deadline_left(deadline) == 0) {
            code = bb_sqlite_error(db, result, error);
            break;
        }
        sqlite3_reset(statement);
        pause_for_lock();
    }
    if (code == BB_OK) {
        const unsigned char *mode = sqlite3_column_text(statement, 0);
        if (mode == NULL || strcmp((const char *)mode, "wal") != 0)
            code = bb_error_set(error, BB_ERR_UNAVAILABLE, "the file cannot be put in WAL mode");
    }
    sqlite3_finalize(statement);
    return code;
}

/*
 * A log that has grown large, as while somebody reads for long, is cut to this limit when it next
 * starts from the beginning. The limit is well above a log's ordinary size, so that it is not cut
 * and made anew all the time. The last statement reads, so log and index are open from now on.
 */
static const char pragmas[] = "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;"
                              "PRAGMA journal_size_limit = 16777216; PRAGMA user_version";

static int32_t configure(sqlite3 *db, const bb_sqlite_target *target, bb_error *error)
{
    int32_t code;
    int result;

    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_handler(db, wait_for_lock, target->deadline);
    /* against the schema of a tampered file: https://www.sqlite.org/security.html */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_wal_autocheckpoint(db, 0); /* see checkpoint.c */
    code = use_wal(db, *target->deadline, error);
    if (code != BB_OK)
        return code;
    result = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
    return result == SQLITE_OK ? BB_OK : bb_sqlite_error(db, result, error);
}

/* Opens it for one thread at a time: no mutex, and no shared cache even if the host turned that
 * on. */
static int32_t open_database(sqlite3 **db, const char *path, int may_create, bb_error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int result = sqlite3_open_v2(path, db, may_create ? flags | SQLITE_OPEN_CREATE : flags, NULL);

    if (result != SQLITE_OK)
        return bb_error_set(error, bb_sqlite_code(result), "%s (SQLite %d, errno %d): %s",
                            sqlite3_errstr(result), result,
                            *db != NULL ? sqlite3_system_errno(*db) : 0, path);
    /* before it reads: a connection that can only read makes an index that can only be read */
    if (sqlite3_db_readonly(*db, "main") != 0)
        return bb_error_set(error, BB_ERR_UNAVAILABLE, "the file can only be read: %s", path);
    return BB_OK;
}

int32_t bb_sqlite_connect(bb_sqlite_connection *connection, const bb_sqlite_target *target,
                          int may_create, bb_error *error)
{
    bb_sqlite_files *files = &connection->files;
    int32_t code = open_database(&connection->db, target->path, may_create, error);

    if (code == BB_OK)
        code = bb_sqlite_files_init(files, connection->db, target->path, target->allocator, error);
    if (code == BB_OK)
        code = bb_sqlite_files_check_empty(files, connection->db, may_create, error);
    if (code == BB_OK) {
        bb_sqlite_files_mend_modes(files);
        code = configure(connection->db, target, error);
    }
    if (code == BB_OK)
        code = bb_sqlite_files_learn(files, connection->db, error);
    if (code != BB_OK)
        bb_sqlite_disconnect(connection, target->allocator);
    return code;
}

void bb_sqlite_disconnect(bb_sqlite_connection *connection, const bb_allocator *allocator)
{
    if (connection->db == NULL)
        return;
    if (connection->files.index_path != NULL && !bb_sqlite_files_own_the_log(&connection->files))
        sqlite3_db_config(connection->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(connection->db);
    bb_sqlite_files_free(&connection->files, allocator);
    connection->db = NULL;
}
