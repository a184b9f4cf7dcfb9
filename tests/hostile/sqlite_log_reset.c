/*
 * sqlite_log_reset.c: two handles over one SQLite file, as two processes would have them, meet
 * SQLite's own fault (https://www.sqlite.org/wal.html#walresetbug, up to 3.51.2): one moves the log
 * into the file while the other begins the log anew. What was answered 200 is there, and the file
 * is whole (E8).
 *
 * For the fault, the other must commit at two particular moments. At both, SQLite calls the
 * operating system, where our layer lets the other commit.
 */
#include "hostile/sqlite_host.h"

/* The lock of those who move the log: https://www.sqlite.org/walformat.html#locks */
enum { CHECKPOINT_LOCK = 1 };

/* What the layer is to do next. */
static struct {
    const host *other;   /* NULL: nothing */
    const char *at_lock; /* the name of contacts to store when the lock is taken; NULL: done */
    const char *at_read; /* and of those to store when the log's end is known, but not how far it
                            has been moved */
    const sqlite3_io_methods *methods;
    int (*open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
    int stored; /* of these */
} layer;

/* The other's request, which may find the file locked. */
static void store_by_other(const char **name, int count)
{
    const host *other = layer.other;
    char *body = host_make_body(*name, count, 300);

    *name = NULL;
    layer.other = NULL; /* its own calls pass */
    layer.stored += host_status(other, body, "in between") == 200 ? count : 0;
    layer.other = other;
    free(body);
}

static int lock_index(sqlite3_file *file, int offset, int count, int flags)
{
    if (layer.other != NULL && layer.at_lock != NULL && offset == CHECKPOINT_LOCK &&
        flags == (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE))
        store_by_other(&layer.at_lock, 700);
    return layer.methods->xShmLock(file, offset, count, flags);
}

/* SQLite calls this only when a checkpoint has found the log changed. */
static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    if (layer.other != NULL && layer.at_lock == NULL && layer.at_read != NULL && page == NULL)
        store_by_other(&layer.at_read, 1);
    return layer.methods->xUnfetch(file, offset, page);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    static sqlite3_io_methods methods;
    int result = layer.open(vfs, name, file, flags, out);

    if (result == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB)) {
        layer.methods = file->pMethods;
        methods = *file->pMethods;
        methods.xShmLock = lock_index;
        methods.xUnfetch = unfetch;
        file->pMethods = &methods;
    }
    return result;
}

static void put_layer_in_place(void)
{
    static sqlite3_vfs vfs;

    vfs = *sqlite3_vfs_find(NULL);
    vfs.zName = "layer";
    vfs.pNext = NULL;
    layer.open = vfs.xOpen;
    vfs.xOpen = open_file;
    CHECK_MSG(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK, "the layer");
}

static void test_E8_one_moves_the_log_while_another_begins_it_anew(void)
{
    host one;
    host other;

    host_open(&one);
    host_open_second(&other, &one);
    host_store(&other, "warm", 1, 10);
    layer.at_lock = "at lock";
    layer.at_read = "at read";
    layer.other = &other;
    /* enough pages that it moves the log; by then the other does, too */
    host_store(&one, "many", 1000, 4000);
    layer.other = NULL;
    CHECK_MSG(layer.at_lock == NULL, "the log was not moved");
    /* a log that is longer than before, and is moved like the first one */
    host_store(&one, "more", 1000, 6000);
    host_store(&other, "end", 1000, 6000);
    host_close_second(&other);
    host_close_handle(&one);
    CHECK_MSG(host_ask(one.path, "SELECT count(*) FROM pragma_integrity_check"
                                 " WHERE integrity_check <> 'ok'") == 0,
              "the file is not whole");
    CHECK_MSG(host_ask(one.path, "SELECT count(*) FROM bb_contacts") ==
                  201 + 1 + 3000 + layer.stored,
              "%lld contacts, %d stored in between",
              (long long)host_ask(one.path, "SELECT count(*) FROM bb_contacts"), layer.stored);
    host_close(&one);
}

int main(void)
{
    put_layer_in_place();
    CHECK_TEST(test_E8_one_moves_the_log_while_another_begins_it_anew());
    return check_status();
}
