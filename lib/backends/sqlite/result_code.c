/*
 * result_code.c: what SQLite's result codes mean to the library.
 */
#include "backends/sqlite/result_code.h"

/* Extended codes that mean something else than their class. */
static int32_t exact_code(int result)
{
    switch (result) {
    case SQLITE_BUSY_SNAPSHOT: /* another wrote since this transaction first read */
        return BB_ERR_RETRY;
    case SQLITE_IOERR_NOMEM:
        return BB_ERR_NOMEM;
    case SQLITE_READONLY_DBMOVED: /* since this transaction began */
        return BB_ERR_LOST;
    case SQLITE_CONSTRAINT_UNIQUE: /* our rules can't be broken, so it is one of the host's (E10) */
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return BB_ERR_CONFLICT;
    default:
        return BB_OK;
    }
}

int32_t bb_sqlite_code(int result)
{
    int32_t code = exact_code(result);

    if (code != BB_OK)
        return code;
    switch (result & 0xff) {
    case SQLITE_NOMEM:
        return BB_ERR_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* it lost the race for the WAL's locks too often */
        return BB_ERR_BUSY;
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOLFS:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return BB_ERR_UNAVAILABLE;
    case SQLITE_ERROR: /* our statements are fixed, so the tables that they name are missing or
                          differen */
    case SQLITE_SCHEMA:
        return BB_ERR_SCHEMA;
    default:
        /* CORRUPT and NOTADB are among these: E11 has 503 for what may pass, and a damaged file
         * does not heal by itself */
        return BB_ERR_INTERNAL;
    }
}

int32_t bb_sqlite_error(sqlite3 *db, int result, bb_error *error)
{
    const char *text = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(result);
    const char *path = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
    int32_t code = bb_sqlite_code(result);

    switch (path != NULL ? result & 0xff : SQLITE_OK) {
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return bb_error_set(error, code, "%s (SQLite %d, errno %d): %s", text, result,
                            sqlite3_system_errno(db), path);
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_NOTADB:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return bb_error_set(error, code, "%s (SQLite %d): %s", text, result, path);
    default:
        return bb_error_set(error, code, "%s (SQLite %d)", text, result);
    }
}
