/*
 * sqlite_faults.c: what becomes of requests when the SQLite file or its disk breaks: locked by
 * another process, no room, corrupt, deleted, replaced, read-only. Each answer is one that the
 * contract lists, within the deadline, and the same handle serves 200 once the fault is gone (E11).
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

#include "hostile/check.h"
#include "support/endpoint.h"
#include "support/settings.h"
#include "support/wait.h"

/* What a request has while something is broken; once it is not, it has TEST_PATIENCE_MS. */
enum { TIMEOUT_MS = 1000, NOBODY = 65534 };

static const char read_body[] = "{\"users\":[{\"external_id\":\"a\"}]}";

/* A folder with a file of the library's in it, and a handle. */
typedef struct host {
    char folder[200];
    char path[240];
    bb_storage *storage;
    bb_contacts *contacts;
} host;

static void make_folder(host *h)
{
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)

    memset(h, 0, sizeof *h);
    snprintf(h->folder, sizeof h->folder, "%s/bb_test.XXXXXX", parent != NULL ? parent : "/tmp");
    CHECK(mkdtemp(h->folder) != NULL, "mkdtemp");
    snprintf(h->path, sizeof h->path, "%s/contacts.db", h->folder);
}

static void open_handle(host *h)
{
    CHECK(bb_storage_open_sqlite(h->path, strlen(h->path), NULL, &h->storage, NULL) == BB_OK, "%s",
          h->path);
    CHECK(test_open_contacts(h->storage, NULL, &h->contacts, NULL) == BB_OK, "opening");
}

static void close_handle(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    h->contacts = NULL;
    h->storage = NULL;
}

static void remove_files(const host *h)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".good", ".other"};
    char path[300];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", h->path, suffixes[i]);
        unlink(path);
    }
}

static void close_host(host *h)
{
    close_handle(h);
    remove_files(h);
    CHECK(rmdir(h->folder) == 0, "%s is not empty", h->folder);
}

static bb_result *send(const host *h, const char *body, int64_t timeout_ms)
{
    bb_principal principal;
    bb_request request;

    bb_principal_init(&principal);
    principal.workspace_id = 1;
    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.principal = &principal;
    request.body = body;
    request.body_len = strlen(body);
    request.timeout_ms = timeout_ms;
    return bb_contacts_upsert(h->contacts, &request);
}

/* Sends a body while something is broken: the answer does not take what an unbroken store has time
 * for. The HTTP status. */
static int32_t status_of(const host *h, const char *body, const char *what)
{
    int64_t start = test_now_ms();
    bb_result *result = send(h, body, TIMEOUT_MS);
    int32_t status = bb_result_http_status(result);
    int64_t took = test_now_ms() - start;

    CHECK(took < TEST_PATIENCE_MS / 2, "%s: %lld ms", what, (long long)took);
    CHECK(status == 200 || bb_result_entries(result) == 0, "%s", what);
    bb_result_free(result);
    return status;
}

/* Sends a body that has to be answered so, as nothing is broken. */
static void expect(const host *h, const char *body, int32_t wanted, const char *what)
{
    bb_result *result = send(h, body, TEST_PATIENCE_MS);
    int32_t status = bb_result_http_status(result);

    CHECK(status == wanted, "%s: %d", what, status);
    bb_result_free(result);
}

/* How many contacts there are whose name is this; -1 if that can't be told. */
static int count_named(const host *h, const char *name)
{
    char sql[200];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int count = -1;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM bb_contacts WHERE name = '%s'", name);
    if (sqlite3_open_v2(h->path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

/* `count` contacts of about `size` bytes each, all with one name. */
static char *make_body(const char *name, int count, size_t size)
{
    test_text body = {0};

    test_append(&body, "{\"users\":[");
    for (int i = 0; i < count; i++)
        test_append(&body, "%s{\"external_id\":\"%s-%d\",\"name\":\"%s\",\"email\":\"%0*d\"}",
                    i > 0 ? "," : "", name, i, name, (int)size, i);
    test_append(&body, "]}");
    return body.data;
}

static void open_host(host *h)
{
    char *body = make_body("first", 200, 500);

    make_folder(h);
    open_handle(h);
    CHECK(bb_storage_migrate(h->storage, TEST_PATIENCE_MS, NULL) == BB_OK, "migrating");
    CHECK(bb_storage_chatbot_add(h->storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK,
          "adding a chatbot");
    expect(h, read_body, 200, "at first");
    expect(h, body, 200, "at first");
    free(body);
}

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
    CHECK(child > 0 && read(ready[0], &byte, 1) == 1 && byte == '1', "no child with a lock");
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

    open_host(&h);
    child = lock_in_child(&h, "BEGIN IMMEDIATE");
    CHECK(status_of(&h, read_body, "locked") == 503, "locked");
    expect(&h, "{}", 400, "locked, a refusal: readers need no lock");
    stop_child(child);
    expect(&h, read_body, 200, "unlocked");
    close_host(&h);
}

/* Locked before the first session is opened, in the mode that keeps readers out too. */
static void test_E11_locked_before_the_first_session(void)
{
    host h;
    pid_t child;

    open_host(&h);
    close_handle(&h);
    open_handle(&h);
    child = lock_in_child(&h, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    CHECK(status_of(&h, read_body, "locked") == 503, "locked");
    stop_child(child);
    expect(&h, read_body, 200, "unlocked");
    close_host(&h);
}

/* ---------------------------------------------------------------------------------- disk full */

static off_t size_of(const char *path, const char *suffix)
{
    char name[300];
    struct stat state;

    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &state) == 0 ? state.st_size : 0;
}

/* Requests of 400 KB while there is no room for them, then room. */
static void run_out_of_room(host *h, int (*make_room)(const host *h))
{
    for (int i = 0; i < 5; i++) {
        char name[16];
        char *body;
        int32_t status;
        int count;
        snprintf(name, sizeof name, "full%d", i);
        body = make_body(name, 400, 1000);
        status = status_of(h, body, name);
        count = count_named(h, name);
        CHECK(status == 503, "%s: %d", name, status);
        CHECK(count == 0, "A2: %s: %d of 400 are stored", name, count);
        free(body);
    }
    CHECK(make_room(h) == 0, "making room: %d", errno);
    expect(h, read_body, 200, "with room");
    CHECK(count_named(h, "first") == 200, "what was there before");
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

    open_host(&h);
    most = size_of(h.path, "-wal") > size_of(h.path, "") ? size_of(h.path, "-wal")
                                                         : size_of(h.path, "");
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0, "getrlimit");
    limit.rlim_cur = (rlim_t)most + 20000;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
    run_out_of_room(&h, lift_limit);
    lift_limit(&h);
    close_host(&h);
}

static int enlarge_disk(const host *h)
{
    return mount("none", h->folder, "tmpfs", MS_REMOUNT, "size=32m");
}

/* A disk of its own that is full: ENOSPC. Only root may mount one. */
static void test_E11_disk_full(void)
{
    char *body = make_body("first", 200, 500);
    host h;

    make_folder(&h);
    if (mount("none", h.folder, "tmpfs", 0, "size=600k") != 0) {
        puts("SKIPPED: a full disk; mounting one is not permitted");
        rmdir(h.folder);
        free(body);
        return;
    }
    open_handle(&h);
    CHECK(bb_storage_migrate(h.storage, TEST_PATIENCE_MS, NULL) == BB_OK, "migrating");
    CHECK(bb_storage_chatbot_add(h.storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK,
          "adding a chatbot");
    expect(&h, body, 200, "at first");
    run_out_of_room(&h, enlarge_disk);
    close_handle(&h);
    CHECK(umount(h.folder) == 0, "umount");
    rmdir(h.folder);
    free(body);
}

/* ------------------------------------------------------------------- deleted, replaced, corrupt */

static int copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t got;
    int failed = in == NULL || out == NULL;

    while (!failed && (got = fread(buffer, 1, sizeof buffer, in)) > 0)
        failed = fwrite(buffer, 1, got, out) != got;
    if (in != NULL)
        fclose(in);
    if (out != NULL)
        failed |= fclose(out) != 0;
    return failed ? -1 : 0;
}

/* A whole copy in PATH.good: closing the last session moves the log into the file. */
static void keep_good_copy(host *h)
{
    char good[300];

    close_handle(h);
    snprintf(good, sizeof good, "%s.good", h->path);
    CHECK(copy_file(h->path, good) == 0, "copying");
    open_handle(h);
}

/* The good copy takes the file's place, as an administrator would do it. */
static void restore(const host *h)
{
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    char good[300];
    char other[300];

    snprintf(good, sizeof good, "%s.good", h->path);
    snprintf(other, sizeof other, "%s.other", h->path);
    CHECK(copy_file(good, other) == 0, "copying");
    for (size_t i = 0; i < 3; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s%s", h->path, suffixes[i]);
        unlink(name);
    }
    CHECK(rename(other, h->path) == 0, "renaming");
}

static void test_E8_deleted_and_replaced(void)
{
    int32_t status;
    char *body = make_body("after", 10, 10);
    host h;

    open_host(&h);
    keep_good_copy(&h);
    expect(&h, read_body, 200, "before");
    unlink(h.path);
    status = status_of(&h, body, "deleted");
    CHECK(status == 500 || status == 503, "deleted: %d", status);
    restore(&h);
    expect(&h, body, 200, "restored");
    CHECK(count_named(&h, "after") == 10, "E8: what was acknowledged is in the new file");
    restore(&h); /* while a session is open on the one before */
    expect(&h, body, 200, "replaced");
    CHECK(count_named(&h, "after") == 10, "E8: what was acknowledged is in the new file");
    close_host(&h);
    free(body);
}

/* Overwrites some bytes of the file, or cuts it off. */
static void damage(const host *h, uint64_t *random)
{
    off_t size = size_of(h->path, "");
    int file = open(h->path, O_WRONLY | O_CLOEXEC);
    uint32_t flips = 1 + test_random(random, 40);

    if (test_random(random, 6) == 0)
        CHECK(ftruncate(file, (off_t)test_random(random, (uint32_t)size)) == 0, "truncating");
    for (uint32_t i = 0; i < flips; i++) {
        /* the first pages more often: the schema and the keys are there */
        uint32_t range = test_random(random, 2) == 0 ? 8192 : (uint32_t)size;
        unsigned char byte = (unsigned char)test_random(random, 256);
        CHECK(pwrite(file, &byte, 1, (off_t)test_random(random, range)) == 1, "writing");
    }
    close(file);
}

static int is_listed(int32_t status)
{
    return status == 200 || status == 404 || status == 409 || status == 500 || status == 503;
}

static void test_E11_corrupt(void)
{
    char *body = make_body("corrupt", 50, 100);
    uint64_t random = test_seed();
    uint32_t times = test_times(60);
    uint32_t seen[6] = {0};
    host h;

    open_host(&h);
    keep_good_copy(&h);
    for (uint32_t i = 0; i < times; i++) {
        int32_t status;
        restore(&h);
        damage(&h, &random);
        for (int k = 0; k < 3; k++) {
            status = status_of(&h, k == 1 ? body : read_body, "corrupt");
            CHECK(is_listed(status), "corrupt: %d", status);
            seen[status / 100]++;
        }
        restore(&h);
        expect(&h, read_body, 200, "after the good file is back");
        if (check_failures > 5)
            break;
    }
    printf("corrupt files: %u times 200, %u times 4xx, %u times 5xx\n", seen[2], seen[4], seen[5]);
    CHECK(seen[5] > 0, "nothing was damaged");
    close_host(&h);
    free(body);
}

/* A file of something else. */
static void test_E11_no_database(void)
{
    FILE *file;
    host h;

    open_host(&h);
    keep_good_copy(&h);
    unlink(h.path);
    file = fopen(h.path, "wb");
    for (int i = 0; file != NULL && i < 1000; i++)
        fputs("no database at all\n", file);
    CHECK(file != NULL && fclose(file) == 0, "writing");
    expect(&h, read_body, 500, "no database");
    restore(&h);
    expect(&h, read_body, 200, "restored");
    close_host(&h);
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

/* In a child that is nobody, as root may write everywhere. */
static int run_read_only(host *h)
{
    char *body = make_body("written", 3, 10);
    int32_t status;

    check_failures = 0;
    open_handle(h);
    status = status_of(h, body, "read-only");
    CHECK(status == 503, "read-only: %d", status);
    CHECK(make_writable(h) == 0, "chmod: %d", errno);
    expect(h, body, 200, "writable");
    close_handle(h);
    free(body);
    return check_status();
}

static void test_E11_read_only(mode_t folder_mode, mode_t file_mode)
{
    int child_status = 0;
    pid_t child;
    host h;

    open_host(&h);
    close_handle(&h);
    if (getuid() == 0)
        CHECK(chown(h.folder, NOBODY, NOBODY) == 0 && chown(h.path, NOBODY, NOBODY) == 0, "chown");
    CHECK(chmod(h.folder, folder_mode) == 0 && chmod(h.path, file_mode) == 0, "chmod");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (getuid() == 0 && setuid(NOBODY) != 0)
            _exit(2);
        _exit(run_read_only(&h));
    }
    CHECK(child > 0 && waitpid(child, &child_status, 0) == child && child_status == 0,
          "folder %o, file %o: %d", (unsigned)folder_mode, (unsigned)file_mode, child_status);
    chmod(h.folder, 0755);
    remove_files(&h);
    CHECK(rmdir(h.folder) == 0, "%s is not empty", h.folder);
}

int main(void)
{
    test_E11_locked_by_another_process();
    test_E11_locked_before_the_first_session();
    test_E11_files_cannot_grow();
    test_E11_disk_full();
    test_E8_deleted_and_replaced();
    test_E11_corrupt();
    test_E11_no_database();
    test_E11_read_only(0555, 0644);
    test_E11_read_only(0555, 0444);
    test_E11_read_only(0755, 0444);
    return check_status();
}
