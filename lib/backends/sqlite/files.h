/*
 * files.h: the three files that a connection has open (the database, its log and the log's index),
 * and whether their names still mean them.
 *
 * A write to a file that was moved, deleted or replaced would be acknowledged and lost (E8). None
 * of them is opened here: closing any descriptor of a file that SQLite has open, even our own,
 * would drop SQLite's locks on it. https://www.sqlite.org/howtocorrupt.html
 */
#ifndef BB_SQLITE_FILES_H
#define BB_SQLITE_FILES_H

#include <sqlite3.h>
#include <sys/types.h>

#include "backends/sqlite/folder.h"
#include "bb_contacts/storage.h"
#include "util/alloc.h"

typedef struct bb_sqlite_file {
    dev_t device;
    ino_t inode;
} bb_sqlite_file;

typedef struct bb_sqlite_files {
    const char *path;        /* the database's, as the host gave it; may be a link */
    const char *log_path;    /* beside the file that `path` led to when it was opened; owned by the
                                connection */
    char *index_path;        /* likewise; allocated */
    bb_sqlite_folder folder; /* of log and index */
    bb_sqlite_file database;
    bb_sqlite_file log;
    bb_sqlite_file index;
} bb_sqlite_files;

/* What has become of them; if several things apply, the first. */
typedef enum bb_sqlite_place {
    BB_SQLITE_IN_PLACE,
    BB_SQLITE_DATABASE_AWAY, /* moved, deleted or replaced, or a link leads elsewhere */
    BB_SQLITE_LOG_AWAY,      /* deleted or replaced */
    BB_SQLITE_INDEX_AWAY
} bb_sqlite_place;

/* Whether there is a file of this name, or a link to one, that holds anything. An empty database
 * is as none: SQLite deletes the log beside it, with all that was not in the file yet (E8). */
int bb_sqlite_file_holds_anything(const char *path);

/* BB_ERR_UNAVAILABLE if a file must not be made, or filled, at `path`: the log of one that is not
 * there has been left beside it. */
int32_t bb_sqlite_check_left_log(const char *path, bb_error *error);

/* Finds the names, for a connection to `path` that has just been opened and has read nothing. */
int32_t bb_sqlite_files_init(bb_sqlite_files *files, sqlite3 *db, const char *path,
                             const bb_allocator *allocator, bb_error *error);
void bb_sqlite_files_free(bb_sqlite_files *files, const bb_allocator *allocator);

/* BB_ERR_UNAVAILABLE if `db`, which has read nothing yet, must not read, as its file is empty:
 * always unless it may be filled, otherwise if a log was left beside it. */
int32_t bb_sqlite_files_check_empty(const bb_sqlite_files *files, sqlite3 *db, int may_fill,
                                    bb_error *error);

/* Lets all who may write to the database write to log and index. Call it before anything is read.
 * SQLite gives the two the mode that the database has when it makes them. Without this, a database
 * that was read-only for a while would keep an index that nobody can write to. */
void bb_sqlite_files_mend_modes(const bb_sqlite_files *files);

/* Learns which files `db` has open; it must have read something by now. BB_ERR_LOST if the names
 * mean other files by now, BB_ERR_UNAVAILABLE if the log is not the one that others write to. */
int32_t bb_sqlite_files_learn(bb_sqlite_files *files, sqlite3 *db, bb_error *error);

/* These check what the names mean now. */
bb_sqlite_place bb_sqlite_files_check(bb_sqlite_files *files);

/* Whether the connection's log is the one to which all others write, or last wrote: then it may be
 * moved into the database. */
int bb_sqlite_files_own_the_log(const bb_sqlite_files *files);

/* Whether two connections have the same files open. */
int bb_sqlite_files_equal(const bb_sqlite_files *a, const bb_sqlite_files *b);

/* Fills `error` with what has become of the files. */
int32_t bb_sqlite_files_error(const bb_sqlite_files *files, bb_sqlite_place place, int32_t code,
                              bb_error *error);

#endif
