/*
 * files.c: the three files that a connection has open, and whether their names still mean them.
 */
#include "backends/sqlite/files.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* https://www.sqlite.org/walformat.html: bytes of the log's head; bytes of the index that are
 * mapped at once; and the 32-bit word in it that counts the log's frames. */
enum { LOG_HEAD = 32, INDEX_REGION = 32768, INDEX_FRAMES = 4 };

/* SQLite takes a file of one byte, which `echo > FILE` makes, for an empty one. */
enum { NOT_EMPTY = 2 };

enum { WRITE_BITS = S_IWUSR | S_IWGRP | S_IWOTH, ALL_BITS = 07777 };

/* Returns 0 for a file that is missing, is shorter than that, or cannot be examined. */
static int identify(const char *path, off_t least, bb_sqlite_file *file)
{
    struct stat state;

    if (stat(path, &state) != 0 || state.st_size < least)
        return 0;
    file->device = state.st_dev;
    file->inode = state.st_ino;
    return 1;
}

static int is_same(const bb_sqlite_file *a, const bb_sqlite_file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static int still_means(const char *path, off_t least, const bb_sqlite_file *file)
{
    bb_sqlite_file now;

    return identify(path, least, &now) && is_same(&now, file);
}

/* Whether the log is missing or empty. */
static int is_empty_log(const char *path)
{
    struct stat state;

    return stat(path, &state) != 0 || state.st_size < LOG_HEAD;
}

int bb_sqlite_file_holds_anything(const char *path)
{
    bb_sqlite_file unused;

    return identify(path, NOT_EMPTY, &unused);
}

/* ------------------------------------------------------------------------------------- opening */

int32_t bb_sqlite_files_init(bb_sqlite_files *files, sqlite3 *db, const char *path,
                             const bb_allocator *allocator, bb_error *error)
{
    const char *log_path = sqlite3_filename_wal(sqlite3_db_filename(db, "main"));
    size_t len = strlen(log_path);

    *files = (bb_sqlite_files){.path = path, .log_path = log_path};
    files->index_path = bb_strndup(allocator, log_path, len);
    if (files->index_path == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    memcpy(files->index_path + len - strlen("wal"), "shm", strlen("shm"));
    bb_sqlite_folder_open(&files->folder, files->index_path);
    return BB_OK;
}

void bb_sqlite_files_free(bb_sqlite_files *files, const bb_allocator *allocator)
{
    if (files->index_path == NULL)
        return;
    bb_sqlite_folder_close(&files->folder);
    bb_free(allocator, files->index_path);
    files->index_path = NULL;
}

static int32_t refuse_left_log(const char *log_path, bb_error *error)
{
    return bb_error_set(error, BB_ERR_UNAVAILABLE,
                        "a file that is not there has left its log behind; put it back, or "
                        "remove %s",
                        log_path);
}

int32_t bb_sqlite_check_left_log(const char *path, bb_error *error)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    char log_path[PATH_MAX + sizeof "-wal"];

    /* SQLite names the log after what a link leads to; what it cannot name, it will not open */
    if (vfs == NULL || (vfs->xFullPathname(vfs, path, PATH_MAX, log_path) & 0xff) != SQLITE_OK)
        return BB_OK;
    memcpy(log_path + strlen(log_path), "-wal", sizeof "-wal");
    /* in this order: whoever makes a file at this moment fills it before the log is there */
    if (bb_sqlite_file_holds_anything(log_path) && !bb_sqlite_file_holds_anything(path))
        return refuse_left_log(log_path, error);
    return BB_OK;
}

/* Whether the file is empty that the connection has open, whatever the path means by now. */
static int is_empty_database(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;

    return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
           file->pMethods->xFileSize(file, &size) != SQLITE_OK || size == 0;
}

int32_t bb_sqlite_files_check_empty(const bb_sqlite_files *files, sqlite3 *db, int may_fill,
                                    bb_error *error)
{
    int has_log = bb_sqlite_file_holds_anything(files->log_path); /* first, as above */

    if (!is_empty_database(db) || (may_fill && !has_log))
        return BB_OK;
    if (may_fill)
        return refuse_left_log(files->log_path, error);
    return bb_error_set(error, BB_ERR_UNAVAILABLE,
                        "the file is empty, and only migrating fills it: %s", files->path);
}

static void mend_mode(const char *path, mode_t wanted)
{
    struct stat state;

    /* chmod() fails if the file is not ours; then SQLite says what is wrong */
    if (stat(path, &state) == 0 && (wanted & WRITE_BITS & ~state.st_mode) != 0)
        (void)chmod(path, (state.st_mode | (wanted & WRITE_BITS)) & ALL_BITS);
}

void bb_sqlite_files_mend_modes(const bb_sqlite_files *files)
{
    struct stat database;

    if (stat(files->path, &database) != 0)
        return;
    mend_mode(files->log_path, database.st_mode);
    mend_mode(files->index_path, database.st_mode);
}

/* SQLite follows a link once, and later only knows whether that file is still in its place. */
static int learn_database(bb_sqlite_files *files, sqlite3 *db)
{
    int moved = 1;

    return identify(sqlite3_db_filename(db, "main"), NOT_EMPTY, &files->database) &&
           still_means(files->path, NOT_EMPTY, &files->database) &&
           sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && !moved;
}

/* The number of the log's frames, as the index has it. */
static uint32_t frames_in_index(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    void volatile *index = NULL;

    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, INDEX_REGION, 0, &index) != SQLITE_OK || index == NULL)
        return 0;
    return ((uint32_t volatile *)index)[INDEX_FRAMES];
}

/*
 * Whether the log to which other connections write is gone: the index, which this connection shares
 * with them, tells of frames, and the log that this one has found or just made has none. What it
 * wrote there would be lost. SQLite writes the head before the index tells of a frame, and clears
 * the index before it cuts the log, so one look before and one after the log's size are enough.
 */
static int is_without_log(const bb_sqlite_files *files, sqlite3 *db)
{
    uint32_t frames = frames_in_index(db);

    return frames > 0 && is_empty_log(files->log_path) && frames_in_index(db) == frames;
}

int32_t bb_sqlite_files_learn(bb_sqlite_files *files, sqlite3 *db, bb_error *error)
{
    if (!learn_database(files, db))
        return bb_sqlite_files_error(files, BB_SQLITE_DATABASE_AWAY, BB_ERR_LOST, error);
    if (!identify(files->log_path, 0, &files->log))
        return bb_sqlite_files_error(files, BB_SQLITE_LOG_AWAY, BB_ERR_LOST, error);
    if (!identify(files->index_path, 0, &files->index))
        return bb_sqlite_files_error(files, BB_SQLITE_INDEX_AWAY, BB_ERR_LOST, error);
    if (is_without_log(files, db))
        return bb_sqlite_files_error(files, BB_SQLITE_LOG_AWAY, BB_ERR_UNAVAILABLE, error);
    return BB_OK;
}

/* ------------------------------------------------------------------------------------ checking */

/* The path is always looked up, as each of its folders may be a link that leads elsewhere now. */
bb_sqlite_place bb_sqlite_files_check(bb_sqlite_files *files)
{
    struct timespec change;

    if (!still_means(files->path, NOT_EMPTY, &files->database))
        return BB_SQLITE_DATABASE_AWAY;
    if (bb_sqlite_folder_is_unchanged(&files->folder, &change))
        return BB_SQLITE_IN_PLACE;
    if (!still_means(files->log_path, 0, &files->log))
        return BB_SQLITE_LOG_AWAY;
    if (!still_means(files->index_path, 0, &files->index))
        return BB_SQLITE_INDEX_AWAY;
    bb_sqlite_folder_note(&files->folder, change);
    return BB_SQLITE_IN_PLACE;
}

int bb_sqlite_files_own_the_log(const bb_sqlite_files *files)
{
    bb_sqlite_file index;

    if (!bb_sqlite_file_holds_anything(files->path))
        return 0; /* emptied in place: the log may be all that there is */
    if (!still_means(files->log_path, 0, &files->log) && !is_empty_log(files->log_path))
        return 0;
    return !identify(files->index_path, 0, &index) || is_same(&index, &files->index);
}

int bb_sqlite_files_equal(const bb_sqlite_files *a, const bb_sqlite_files *b)
{
    return is_same(&a->database, &b->database) && is_same(&a->log, &b->log) &&
           is_same(&a->index, &b->index);
}

int32_t bb_sqlite_files_error(const bb_sqlite_files *files, bb_sqlite_place place, int32_t code,
                              bb_error *error)
{
    const char *path = files->path;

    if (place == BB_SQLITE_LOG_AWAY)
        path = files->log_path;
    else if (place == BB_SQLITE_INDEX_AWAY)
        path = files->index_path;
    return bb_error_set(error, code, "moved, deleted or replaced while in use: %s", path);
}
