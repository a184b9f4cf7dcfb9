/*
 * sqlite_faults.c: requests while the SQLite file or its disk is broken: locked by another process,
 * full, corrupt, deleted, replaced, read-only. Each answer is one that the contract lists, within
 * the deadline, and the same handle serves 200 once the fault is gone (E11).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile/sqlite_host.h"
#include "support/check.h"
#include "support/endpoint.h"
#include "support/settings.h"

/* ------------------------------------------------------------------------------------ locked */

/* A child holds the file's lock until it is killed. */
static pid_t lock_in_child(const host *h, const char *sql)
{
    int ready[2];
    char byte = 0;
    pid_t child;

    if (pipe(ready) != 0)
        return -1;
    child = fork();
    if (child == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(h->path, &db) == SQLITE_OK &&
            sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && write(ready[1], "1", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    CHECK_MSG(child > 0 && read(ready[0], &byte, 1) == 1 && byte == '1', "no child with a lock");
    close(ready[0]);
    return child;
}

static void stop_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void test_E11_locked_by_another_process(void)
{
    host h;
    pid_t child;

    host_open(&h);
    child = lock_in_child(&h, "BEGIN IMMEDIATE");
    CHECK_MSG(host_status(&h, host_one_contact, "locked") == 503, "locked");
    host_expect(&h, "{}", 400, "locked, a refusal: readers need no lock");
    stop_child(child);
    host_expect(&h, host_one_contact, 200, "unlocked");
    host_close(&h);
}

/* The file is locked before the first session is opened, in the mode that keeps readers out too. */
static void test_E11_locked_before_the_first_session(void)
{
    host h;
    pid_t child;

    host_open(&h);
    host_close_handle(&h);
    host_open_handle(&h);
    child = lock_in_child(&h, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    CHECK_MSG(host_status(&h, host_one_contact, "locked") == 503, "locked");
    stop_child(child);
    host_expect(&h, host_one_contact, 200, "unlocked");
    host_close(&h);
}

/* ---------------------------------------------------------------------------------- disk full */

/* Requests of 400 KB while there is no room for them, then room. Each has a line with the cause. */
static void run_out_of_room(host *h, const char *cause, int (*make_room)(const host *h))
{
    for (int i = 0; i < 5; i++) {
        char name[16];
        char *body;
        int32_t status;
        int count;
        snprintf(name, sizeof name, "full%d", i);
        body = host_make_body(name, 400, 1000);
        status = host_status(h, body, name);
        count = host_count_named(h, name);
        CHECK_MSG(status == 503, "%s: %d", name, status);
        CHECK_MSG(host_was_told(h, cause), "%s: the log says %s", name, cause);
        CHECK_MSG(count == 0, "A2: %s: %d of 400 are stored", name, count);
        free(body);
    }
    CHECK_MSG(make_room(h) == 0, "making room: %d", errno);
    host_expect(h, host_one_contact, 200, "with room");
    CHECK_MSG(host_count_named(h, "first") == 200, "what was there before");
}

static int lift_limit(const host *h)
{
    struct rlimit limit;

    (void)h;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return -1;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_FSIZE, &limit);
}

/* No file may grow past a size: EFBIG, as a quota or an old file system says. */
static void test_E11_files_cannot_grow(void)
{
    struct rlimit limit;
    off_t most;
    host h;

    host_open(&h);
    most = host_size(&h, "-wal") > host_size(&h, "") ? host_size(&h, "-wal") : host_size(&h, "");
    CHECK_MSG(getrlimit(RLIMIT_FSIZE, &limit) == 0, "getrlimit");
    limit.rlim_cur = (rlim_t)most + 20000;
    signal(SIGXFSZ, SIG_IGN);
    CHECK_MSG(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
    run_out_of_room(&h, "disk I/O error (SQLite 778", lift_limit);
    lift_limit(&h);
    host_close(&h);
}

static int enlarge_disk(const host *h)
{
    return mount("none", h->folder, "tmpfs", MS_REMOUNT, "size=32m");
}

/* A disk of its own that is full: ENOSPC. Only root may mount one. */
static void test_E11_disk_full(void)
{
    char *body = host_make_body("first", 200, 500);
    host h;

    host_make_folder(&h);
    if (mount("none", h.folder, "tmpfs", 0, "size=600k") != 0) {
        puts("SKIPPED: a full disk; mounting one is not permitted");
        rmdir(h.folder);
        free(body);
        return;
    }
    host_open_handle(&h);
    host_migrate(&h);
    host_expect(&h, body, 200, "at first");
    run_out_of_room(&h, "disk is full (SQLite 13)", enlarge_disk);
    host_close_handle(&h);
    CHECK_MSG(umount(h.folder) == 0, "umount");
    rmdir(h.folder);
    free(body);
}

/* ------------------------------------------------------------------- deleted, replaced, corrupt */

/* Makes a whole copy in PATH.good: closing the last session moves the log into the file. */
static void keep_good_copy(host *h)
{
    host_close_handle(h);
    host_copy(h, "", ".good");
    host_open_handle(h);
}

/* Puts the good copy in the file's place, as an administrator would. */
static void restore(const host *h)
{
    host_copy(h, ".good", ".other");
    host_remove(h, "-wal");
    host_remove(h, "-shm");
    host_remove(h, "");
    host_rename(h, ".other", "");
}

static void test_E8_deleted_and_replaced(void)
{
    int32_t status;
    char *body = host_make_body("after", 10, 10);
    host h;

    host_open(&h);
    keep_good_copy(&h);
    host_expect(&h, host_one_contact, 200, "before");
    unlink(h.path);
    status = host_status(&h, body, "deleted");
    CHECK_MSG(status == 500 || status == 503, "deleted: %d", status);
    restore(&h);
    host_expect(&h, body, 200, "restored");
    CHECK_MSG(host_count_named(&h, "after") == 10, "E8: what was acknowledged is in the new file");
    restore(&h); /* while a session is open on the old file */
    host_expect(&h, body, 200, "replaced");
    CHECK_MSG(host_count_named(&h, "after") == 10, "E8: what was acknowledged is in the new file");
    host_close(&h);
    free(body);
}

/* Overwrites some bytes of the file, or cuts it off. */
static void damage(const host *h, uint64_t *random)
{
    off_t size = host_size(h, "");
    int file = open(h->path, O_WRONLY | O_CLOEXEC);
    uint32_t flips = 1 + test_random(random, 40);

    if (!CHECK_MSG(size > 0, "there is nothing to damage")) {
        close(file);
        return;
    }
    if (test_random(random, 6) == 0)
        CHECK_MSG(ftruncate(file, (off_t)test_random(random, (size_t)size)) == 0, "truncating");
    for (uint32_t i = 0; i < flips; i++) {
        /* the first pages more often: the schema and the keys are there */
        size_t range = test_random(random, 2) == 0 ? 8192 : (size_t)size;
        unsigned char byte = (unsigned char)test_random(random, 256);
        CHECK_MSG(pwrite(file, &byte, 1, (off_t)test_random(random, range)) == 1, "writing");
    }
    close(file);
}

static int is_listed(int32_t status)
{
    return status == 200 || status == 404 || status == 409 || status == 500 || status == 503;
}

static void test_E11_corrupt(void)
{
    char *body = host_make_body("corrupt", 50, 100);
    uint64_t random = test_seed();
    uint32_t times = test_times(60);
    uint32_t seen[6] = {0};
    host h;

    host_open(&h);
    keep_good_copy(&h);
    for (uint32_t i = 0; i < times; i++) {
        int32_t status;
        restore(&h);
        damage(&h, &random);
        for (int k = 0; k < 3; k++) {
            status = host_status(&h, k == 1 ? body : host_one_contact, "corrupt");
            CHECK_MSG(is_listed(status), "corrupt: %d", status);
            seen[status / 100]++;
        }
        restore(&h);
        host_expect(&h, host_one_contact, 200, "after the good file is back");
        if (check_failures() > 5)
            break;
    }
    printf("corrupt files: %u times 200, %u times 4xx, %u times 5xx\n", seen[2], seen[4], seen[5]);
    CHECK_MSG(seen[5] > 0, "nothing was damaged");
    host_close(&h);
    free(body);
}

/* A file of something else. */
static void test_E11_no_database(void)
{
    FILE *file;
    host h;

    host_open(&h);
    keep_good_copy(&h);
    unlink(h.path);
    file = fopen(h.path, "wb");
    for (int i = 0; file != NULL && i < 1000; i++)
        fputs("no database at all\n", file);
    CHECK_MSG(file != NULL && fclose(file) == 0, "writing");
    host_expect(&h, host_one_contact, 500, "no database");
    restore(&h);
    host_expect(&h, host_one_contact, 200, "restored");
    host_close(&h);
}

/* ------------------------------------------------------------------------------------ read-only */

/* All files of the database: SQLite makes the log as the file itself is. */
static int make_writable(const host *h)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    int failed = chmod(h->folder, 0755);

    for (size_t i = 0; i < 3; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s%s", h->path, suffixes[i]);
        failed |= chmod(path, 0644) != 0 && errno != ENOENT;
    }
    return failed;
}

static void run_read_only(host *h)
{
    char *body = host_make_body("written", 3, 10);
    int32_t status;

    host_open_handle(h);
    status = host_status(h, body, "read-only");
    CHECK_MSG(status == 503, "read-only: %d", status);
    CHECK_MSG(make_writable(h) == 0, "chmod: %d", errno);
    host_expect(h, body, 200, "writable");
    host_close_handle(h);
    free(body);
}

static void test_E11_read_only(mode_t folder_mode, mode_t file_mode)
{
    host h;

    host_open(&h);
    host_close_handle(&h);
    CHECK_MSG(chmod(h.folder, folder_mode) == 0 && chmod(h.path, file_mode) == 0, "chmod");
    host_run_as_nobody(&h, run_read_only);
    chmod(h.folder, 0755);
    host_remove_files(&h);
    CHECK_MSG(rmdir(h.folder) == 0, "%s is not empty", h.folder);
}

int main(void)
{
    CHECK_TEST(test_E11_locked_by_another_process());
    CHECK_TEST(test_E11_locked_before_the_first_session());
    CHECK_TEST(test_E11_files_cannot_grow());
    CHECK_TEST(test_E11_disk_full());
    CHECK_TEST(test_E8_deleted_and_replaced());
    CHECK_TEST(test_E11_corrupt());
    CHECK_TEST(test_E11_no_database());
    CHECK_TEST(test_E11_read_only(0555, 0644));
    CHECK_TEST(test_E11_read_only(0555, 0444));
    CHECK_TEST(test_E11_read_only(0755, 0444));
    return check_status();
}
