/*
 * sqlite_files.c: stored contacts when the SQLite file, its log or the log's index is moved,
 * deleted, replaced, made read-only or led elsewhere under an open handle: what was answered 200 is
 * in the file that the path meant then (E8), and all goes on once the file is back (E11).
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "hostile/sqlite_host.h"

enum { THREADS = 8, EACH = 3, SENT = THREADS * EACH };

typedef struct sender {
    const host *h;
    const char *name;
    int number;
    pthread_t thread;
} sender;

static void *run_sender(void *arg)
{
    const sender *s = arg;

    for (int i = 0; i < EACH; i++) {
        test_text body = {0};
        test_append(&body, "{\"users\":[{\"external_id\":\"%s-%d-%d\",\"name\":\"%s\"}]}", s->name,
                    s->number, i, s->name);
        host_expect(s->h, body.data, 200, s->name);
        free(body.data);
    }
    return NULL;
}

/* From several threads, so that there are several sessions. */
static void send_from_all(const host *h, const char *name)
{
    sender senders[THREADS];

    for (int i = 0; i < THREADS; i++) {
        senders[i] = (sender){.h = h, .name = name, .number = i};
        CHECK_MSG(pthread_create(&senders[i].thread, NULL, run_sender, &senders[i]) == 0,
                  "a thread");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
}

/* ------------------------------------------------------------------------- moved, deleted, back */

static void test_E8_moved_away_and_back(void)
{
    host h;

    host_open(&h);
    host_rename(&h, "", ".other");
    CHECK_MSG(host_status(&h, host_one_contact, "moved") == 503, "moved");
    CHECK_MSG(host_was_told(&h, h.path), "the log says which file");
    CHECK_MSG(host_status(&h, host_one_contact, "moved") == 503, "moved, again");
    CHECK_MSG(host_was_told(&h, h.path), "the log says which file");
    CHECK_MSG(bb_storage_chatbot_add(h.storage, 5, 1, 100, NULL) != BB_OK, "administration");
    CHECK_MSG(bb_storage_migrate(h.storage, 100, NULL) != BB_OK, "migrating beside the old log");
    CHECK_MSG(host_size(&h, "") == 0 && access(h.path, F_OK) != 0, "only migrating makes a file");
    host_rename(&h, ".other", "");
    host_store(&h, "after", 1, 10);
    host_close_handle(&h);
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d", host_count_named(&h, "first"));
    CHECK_MSG(host_count_named(&h, "after") == 1, "after it is back");
    host_close(&h);
}

/* Makes a file of so many bytes where there is none. */
static void make_small_file(const char *path, int size)
{
    FILE *file = fopen(path, "wb");

    CHECK_MSG(file != NULL && fprintf(file, "%.*s", size, "\n") == size, "%s", path);
    if (file != NULL)
        fclose(file);
}

/* `reopens`: the server is started anew meanwhile. */
static void leave_empty_file(int size, int reopens)
{
    host h;

    host_open(&h);
    host_rename(&h, "", ".other");
    make_small_file(h.path, size);
    if (reopens) {
        host_close_handle(&h);
        host_open_handle(&h);
    }
    for (int i = 0; i < 3; i++)
        CHECK_MSG(host_status(&h, host_one_contact, "empty") == 503, "empty");
    CHECK_MSG(host_was_told(&h, "the file is empty"), "the log says what is wrong");
    CHECK_MSG(bb_storage_chatbot_add(h.storage, 5, 1, 100, NULL) != BB_OK, "administration");
    CHECK_MSG(bb_storage_migrate(h.storage, 100, NULL) == BB_ERR_UNAVAILABLE,
              "migrating beside the old log");
    CHECK_MSG(host_size(&h, "") == size, "nothing fills it");
    host_rename(&h, ".other", "");
    host_store(&h, "after", 1, 10);
    host_close_handle(&h);
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d bytes: %d", size,
              host_count_named(&h, "first"));
    CHECK_MSG(host_count_named(&h, "after") == 1, "after it is back");
    host_close(&h);
}

/* SQLite deletes the log beside an empty file when it reads it; one of a byte it takes for empty.
 */
static void test_E8_an_empty_file_for_a_while(void)
{
    leave_empty_file(0, 0);
    leave_empty_file(0, 1);
    leave_empty_file(1, 0);
}

/* Emptied and filled again, as `cat backup > FILE` does. */
static void test_E8_emptied_and_filled_again(void)
{
    host h;

    host_open(&h);
    host_copy(&h, "", ".good");
    CHECK_MSG(truncate(h.path, 0) == 0, "truncating");
    CHECK_MSG(host_status(&h, host_one_contact, "emptied") == 503, "emptied");
    CHECK_MSG(host_status(&h, host_one_contact, "emptied") == 503, "emptied, again");
    CHECK_MSG(host_was_told(&h, "the file is empty"), "the log says what is wrong");
    host_copy(&h, ".good", "");
    host_store(&h, "after", 1, 10);
    host_close_handle(&h);
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d", host_count_named(&h, "first"));
    CHECK_MSG(host_count_named(&h, "after") == 1, "after it is back");
    host_close(&h);
}

/* The same while the handle is closed in between: nothing of the log may go. */
static void test_E8_closed_while_the_file_is_away(void)
{
    host h;

    host_open(&h);
    host_rename(&h, "", ".other");
    host_close_handle(&h);
    host_open_handle(&h);
    CHECK_MSG(host_status(&h, host_one_contact, "moved") == 503, "moved");
    host_rename(&h, ".other", "");
    host_expect(&h, host_one_contact, 200, "back");
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d", host_count_named(&h, "first"));
    host_close(&h);
}

/* Requests while there is no file leave nothing behind that would be in a restored file's way. */
static void test_E8_restored_after_requests(void)
{
    host h;

    host_open(&h);
    host_close_handle(&h);
    host_copy(&h, "", ".good");
    host_open_handle(&h);
    host_expect(&h, host_one_contact, 200, "before");
    host_remove(&h, "");
    host_remove(&h, "-wal");
    host_remove(&h, "-shm");
    CHECK_MSG(host_status(&h, host_one_contact, "removed") == 503, "removed");
    host_copy(&h, ".good", "");
    host_store(&h, "after", 3, 10);
    host_close_handle(&h);
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d", host_count_named(&h, "first"));
    CHECK_MSG(host_count_named(&h, "after") == 3, "after it is back");
    host_close(&h);
}

/* Restores as the page says, step by step, under a handle with several sessions that gets requests
 * all the time. */
static void test_E8_restored_as_the_page_says(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[300];
    char sql[400];
    host h;

    host_open(&h);
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", host_name(&h, ".good", name));
    host_run(&h, sql);
    send_from_all(&h, "later");
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char moved[16];
        snprintf(moved, sizeof moved, "-old%s", suffixes[i]);
        host_rename(&h, suffixes[i], moved);
        CHECK_MSG(host_status(&h, host_one_contact, "moved") == 503, "moved: %s", suffixes[i]);
    }
    host_rename(&h, ".good", "");
    host_store(&h, "after", 3, 10);
    send_from_all(&h, "again");
    host_close_handle(&h);
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d", host_count_named(&h, "first"));
    CHECK_MSG(host_count_named(&h, "after") == 3, "%d", host_count_named(&h, "after"));
    CHECK_MSG(host_count_named(&h, "again") == SENT, "%d", host_count_named(&h, "again"));
    CHECK_MSG(host_count_named(&h, "later") == 0, "of the file before");
    host_rename(&h, "-old", "");
    host_rename(&h, "-old-wal", "-wal");
    host_rename(&h, "-old-shm", "-shm");
    CHECK_MSG(host_count_named(&h, "later") == SENT, "in the file before");
    host_close(&h);
}

/* Without a file, or with an empty one, all is 503 at once; the first migration makes it. */
static void make_first_file(int is_empty)
{
    host h;

    host_make_folder(&h);
    if (is_empty)
        make_small_file(h.path, 0);
    host_open_handle(&h);
    CHECK_MSG(host_status(&h, host_one_contact, "no file") == 503, "no file");
    CHECK_MSG(host_was_told(&h, h.path), "the log says which file");
    CHECK_MSG(bb_storage_chatbot_add(h.storage, 123, 1, 100, NULL) == BB_ERR_UNAVAILABLE,
              "no file");
    CHECK_MSG(is_empty || access(h.path, F_OK) != 0, "only migrating makes a file");
    CHECK_MSG(host_size(&h, "") == 0, "only migrating fills it");
    host_migrate(&h);
    host_expect(&h, host_one_contact, 200, "migrated");
    host_close(&h);
}

static void test_E11_no_file_yet(void)
{
    make_first_file(0);
    make_first_file(1);
}

/* ------------------------------------------------------------------------- the log, the index */

/* The requests of a child that were answered 200. */
typedef struct answers {
    _Atomic int first;
    _Atomic int after;
    _Atomic int step;
} answers;

static int is_ready(void *ctx)
{
    const answers *seen = ctx;

    return atomic_load(&seen->step) == 1;
}

static int may_go_on(void *ctx)
{
    const answers *seen = ctx;

    return atomic_load(&seen->step) == 2;
}

/* Stores contacts, waits until a file is gone, goes on storing, and dies. */
static void run_child(host *h, answers *seen)
{
    host_open_handle(h);
    for (int i = 0; i < 5; i++) {
        char name[16];
        char *body;
        snprintf(name, sizeof name, "early%d", i);
        body = host_make_body(name, 1, 10);
        if (host_status(h, body, name) == 200)
            seen->first++;
        free(body);
    }
    seen->step = 1;
    test_wait_until(may_go_on, seen);
    for (int i = 0; i < 5; i++) {
        char name[16];
        char *body;
        snprintf(name, sizeof name, "late%d", i);
        body = host_make_body(name, 1, 10);
        if (host_status(h, body, name) == 200)
            seen->after++;
        free(body);
    }
    kill(getpid(), SIGKILL);
}

/* `suffix` is deleted under a process that is killed later. Meanwhile another adds a chatbot. */
static void delete_under_a_process(const char *suffix)
{
    answers *seen =
        mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int32_t added;
    pid_t child;
    host h;

    host_open(&h);
    host_close_handle(&h);
    fflush(stdout);
    child = fork();
    if (child == 0)
        run_child(&h, seen);
    test_wait_until(is_ready, seen);
    host_remove(&h, suffix);
    host_open_handle(&h);
    added = bb_storage_chatbot_add(h.storage, 5, 1, HOST_TIMEOUT_MS, NULL);
    host_close_handle(&h);
    seen->step = 2;
    waitpid(child, NULL, 0);
    CHECK_MSG(seen->first == 5, "%d", seen->first);
    CHECK_MSG(host_ask(h.path, "SELECT count(*) FROM bb_contacts WHERE name GLOB 'early*'") == 5,
              "%s: what was answered before", suffix);
    CHECK_MSG(host_ask(h.path, "SELECT count(*) FROM bb_contacts WHERE name GLOB 'late*'") >=
                  seen->after,
              "%s: what was answered after", suffix);
    CHECK_MSG(added != BB_OK ||
                  host_ask(h.path, "SELECT count(*) FROM bb_chatbots WHERE id = 5") == 1,
              "%s: a chatbot that was added", suffix);
    CHECK_MSG(seen->after == 5, "%s: it goes on: %d", suffix, seen->after);
    host_open_handle(&h);
    host_expect(&h, host_one_contact, 200, "after that");
    CHECK_MSG(bb_storage_chatbot_add(h.storage, 5, 1, TEST_PATIENCE_MS, NULL) == BB_OK,
              "after that");
    host_close(&h);
    munmap(seen, sizeof *seen);
}

static void test_E8_the_log_is_deleted(void)
{
    delete_under_a_process("-wal");
}

static void test_E8_the_index_is_deleted(void)
{
    delete_under_a_process("-shm");
}

static int has_rested(void *ctx)
{
    const host *h = ctx;
    struct stat state;

    return stat(h->folder, &state) == 0 && time(NULL) - state.st_ctime > 4;
}

/* In a folder where nothing has changed for a while, names are not looked up for each request. */
static void test_E8_deleted_in_a_folder_that_has_rested(void)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    host hosts[2];

    for (size_t i = 0; i < 2; i++)
        host_open(&hosts[i]);
    for (size_t i = 0; i < 2; i++) {
        host *h = &hosts[i];
        CHECK_MSG(test_wait_until(has_rested, h), "the folder changes");
        host_store(h, "rested", 3, 10);
        host_store(h, "still", 3, 10);
        host_remove(h, suffixes[i]);
        host_store(h, "after", 3, 10);
        CHECK_MSG(host_was_told(h, suffixes[i]), "the log says which file");
        host_close_handle(h);
        CHECK_MSG(host_count_named(h, "first") == 200, "%d", host_count_named(h, "first"));
        CHECK_MSG(host_count_named(h, "still") == 3, "%d", host_count_named(h, "still"));
        CHECK_MSG(host_count_named(h, "after") == 3, "%d", host_count_named(h, "after"));
        host_close(h);
    }
}

/* While somebody reads, a deleted log cannot be moved into the file. Until it can, nothing else is
 * done. */
static void test_E8_the_log_is_deleted_while_read(void)
{
    sqlite3 *reader = NULL;
    host h;

    host_open(&h);
    CHECK_MSG(sqlite3_open_v2(h.path, &reader, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                  sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM bb_contacts", NULL, NULL,
                               NULL) == SQLITE_OK,
              "reading");
    host_store(&h, "more", 10, 10);
    host_remove(&h, "-wal");
    CHECK_MSG(host_status(&h, host_one_contact, "read") == 503, "read");
    CHECK_MSG(host_was_told(&h, "-wal"), "the log says which file");
    CHECK_MSG(host_status(&h, host_one_contact, "read") == 503, "read, again");
    sqlite3_close(reader);
    host_store(&h, "after", 10, 10);
    host_close_handle(&h);
    CHECK_MSG(host_count_named(&h, "first") == 200, "%d", host_count_named(&h, "first"));
    CHECK_MSG(host_count_named(&h, "more") == 10, "%d", host_count_named(&h, "more"));
    CHECK_MSG(host_count_named(&h, "after") == 10, "%d", host_count_named(&h, "after"));
    host_close(&h);
}

/* ------------------------------------------------------------------------------- led elsewhere */

static int64_t count_named_in(const char *folder, const char *name)
{
    char path[300];
    char sql[100];

    snprintf(path, sizeof path, "%s/contacts.db", folder);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM bb_contacts WHERE name = '%s'", name);
    return host_ask(path, sql);
}

static void lead(const char *link_name, const char *to)
{
    char next[300];

    snprintf(next, sizeof next, "%s.next", link_name);
    CHECK_MSG(symlink(to, next) == 0 && rename(next, link_name) == 0, "%s to %s", link_name, to);
}

/* A place that the link may lead to. */
typedef struct side {
    char folder[216];
    char target[240];
} side;

static void make_side(side *s, const host *h, int number, int links_folder)
{
    snprintf(s->folder, sizeof s->folder, "%s/%d", h->folder, number);
    snprintf(s->target, sizeof s->target, "%s/%d%s", h->folder, number,
             links_folder ? "" : "/contacts.db");
    CHECK_MSG(mkdir(s->folder, 0700) == 0, "%s", s->folder);
}

static void remove_side(const side *s, host *h)
{
    snprintf(h->path, sizeof h->path, "%s/contacts.db", s->folder);
    host_remove_files(h);
    CHECK_MSG(rmdir(s->folder) == 0, "%s is not empty", s->folder);
}

/* `links_folder`: the folder of the file is a link, otherwise the file itself. */
static void lead_elsewhere(int links_folder)
{
    char link_name[216];
    side sides[2];
    host h;

    host_make_folder(&h);
    snprintf(link_name, sizeof link_name, "%s/%s", h.folder,
             links_folder ? "current" : "contacts.db");
    if (links_folder)
        snprintf(h.path, sizeof h.path, "%s/contacts.db", link_name);
    for (int i = 1; i >= 0; i--) {
        make_side(&sides[i], &h, i, links_folder);
        lead(link_name, sides[i].target);
        host_open_handle(&h);
        host_migrate(&h);
        if (i > 0)
            host_close_handle(&h);
    }
    send_from_all(&h, "before");
    lead(link_name, sides[1].target);
    send_from_all(&h, "elsewhere");
    lead(link_name, sides[0].target);
    send_from_all(&h, "back");
    host_close_handle(&h);
    CHECK_MSG(count_named_in(sides[0].folder, "before") == SENT, "before");
    CHECK_MSG(count_named_in(sides[0].folder, "elsewhere") == 0, "in the file before: %lld",
              (long long)count_named_in(sides[0].folder, "elsewhere"));
    CHECK_MSG(count_named_in(sides[1].folder, "elsewhere") == SENT, "elsewhere");
    CHECK_MSG(count_named_in(sides[0].folder, "back") == SENT, "back");
    remove_side(&sides[0], &h);
    remove_side(&sides[1], &h);
    unlink(link_name);
    host_close(&h);
}

static void test_E8_a_link_that_leads_elsewhere(void)
{
    lead_elsewhere(0);
    lead_elsewhere(1);
}

/* Writes and dies, so that the log stays. */
static void write_and_die(host *h)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        host_open_handle(h);
        host_store(h, "before", SENT, 10);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
}

/* Moves the file that the link leads to away, and back after migrating was refused. */
static void migrate_while_away(const host *h, const host *target, int is_empty)
{
    host_rename(target, "", ".other");
    if (is_empty)
        make_small_file(target->path, 0);
    CHECK_MSG(bb_storage_migrate(h->storage, 100, NULL) == BB_ERR_UNAVAILABLE,
              "migrating beside the old log");
    CHECK_MSG(bb_storage_chatbot_add(h->storage, 9, 1, 100, NULL) == BB_ERR_UNAVAILABLE,
              "administration");
    CHECK_MSG(is_empty || access(target->path, F_OK) != 0, "no file is made");
    host_rename(target, ".other", "");
}

/* `links_folder` as above; `is_empty`: there is an empty file in the place of the one that was
 * moved. */
static void migrate_through_link(int links_folder, int is_empty)
{
    char link_name[216];
    host target = {0};
    side s;
    host h;

    host_make_folder(&h);
    snprintf(link_name, sizeof link_name, "%s/%s", h.folder,
             links_folder ? "current" : "contacts.db");
    if (links_folder)
        snprintf(h.path, sizeof h.path, "%s/contacts.db", link_name);
    make_side(&s, &h, 0, links_folder);
    snprintf(target.path, sizeof target.path, "%s/contacts.db", s.folder);
    lead(link_name, s.target);
    host_open_handle(&h);
    host_migrate(&h);
    host_close_handle(&h);
    write_and_die(&h);
    host_open_handle(&h);
    migrate_while_away(&h, &target, is_empty);
    host_store(&h, "after", 1, 10);
    host_close_handle(&h);
    CHECK_MSG(count_named_in(s.folder, "before") == SENT, "before: %lld",
              (long long)count_named_in(s.folder, "before"));
    CHECK_MSG(count_named_in(s.folder, "after") == 1, "after");
    remove_side(&s, &h);
    unlink(link_name);
    host_close(&h);
}

static void test_E8_migrating_through_a_link(void)
{
    migrate_through_link(0, 0);
    migrate_through_link(0, 1);
    migrate_through_link(1, 0);
}

/* -------------------------------------------------------------------------- read-only at times */

static void set_mode(const host *h, const char *suffix, mode_t mode)
{
    char name[300];

    CHECK_MSG(chmod(host_name(h, suffix, name), mode) == 0, "%s to %o", name, (unsigned)mode);
}

/* Reads the file while it is read-only, and dies without closing it, as a killed sqlite3 does. It
 * leaves an index that can only be read. */
static void leave_index(const host *h)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        sqlite3 *db = NULL;
        sqlite3_open_v2(h->path, &db, SQLITE_OPEN_READWRITE, NULL);
        sqlite3_exec(db, "SELECT count(*) FROM bb_contacts", NULL, NULL, NULL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void run_read_only_at_times(host *h)
{
    set_mode(h, "", 0444);
    host_open_handle(h);
    CHECK_MSG(host_status(h, host_one_contact, "read-only") == 503, "read-only");
    CHECK_MSG(host_was_told(h, h->path), "the log says which file");
    set_mode(h, "", 0666);
    host_expect(h, host_one_contact, 200, "writable");
    host_close_handle(h);
    set_mode(h, "", 0444);
    leave_index(h);
    set_mode(h, "", 0666);
    host_open_handle(h);
    host_expect(h, host_one_contact, 200, "beside an index that could only be read");
    host_close_handle(h);
}

static void test_E11_read_only_at_times(void)
{
    host h;

    host_open(&h);
    host_close_handle(&h);
    host_run_as_nobody(&h, run_read_only_at_times);
    host_close(&h);
}

/* ------------------------------------------------------------------------------ the log's size */

enum { LIMIT = 16777216 };

static void test_the_log_shrinks_once_nobody_reads(void)
{
    sqlite3 *reader = NULL;
    host h;

    host_open(&h);
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "short%d", i);
        host_store(&h, name, 500, 500);
    }
    CHECK_MSG(host_size(&h, "-wal") < LIMIT, "nobody reads: %lld",
              (long long)host_size(&h, "-wal"));
    CHECK_MSG(sqlite3_open_v2(h.path, &reader, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                  sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM bb_contacts", NULL, NULL,
                               NULL) == SQLITE_OK,
              "reading");
    for (int i = 0; i < 200 && host_size(&h, "-wal") / 2 < LIMIT; i++) {
        char name[16];
        snprintf(name, sizeof name, "long%d", i);
        host_store(&h, name, 500, 500);
    }
    sqlite3_close(reader);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "after%d", i);
        host_store(&h, name, 1, 10);
    }
    CHECK_MSG(host_size(&h, "-wal") <= LIMIT, "nobody reads any more: %lld",
              (long long)host_size(&h, "-wal"));
    host_close(&h);
}

/* ---------------------------------------------------------------------------- ids at their end */

static void test_E11_no_more_ids(void)
{
    host h;

    host_open(&h);
    host_run(&h, "UPDATE sqlite_sequence SET seq = 9223372036854775805 WHERE name = 'bb_contacts'");
    host_store(&h, "last", 1, 10);
    host_expect(&h, "{\"users\":[{\"external_id\":\"x\"},{\"external_id\":\"y\"}]}", 500,
                "two, where one is left");
    CHECK_MSG(host_was_told(&h, "no more ids"), "the log says so");
    host_store(&h, "very last", 1, 10);
    host_expect(&h, "{\"users\":[{\"external_id\":\"x\"}]}", 500, "one, where none is left");
    CHECK_MSG(host_was_told(&h, "no more ids"), "the log says so");
    host_expect(&h, host_one_contact, 200, "an update takes none");
    host_close(&h);
}

int main(void)
{
    CHECK_TEST(test_E8_moved_away_and_back());
    CHECK_TEST(test_E8_an_empty_file_for_a_while());
    CHECK_TEST(test_E8_emptied_and_filled_again());
    CHECK_TEST(test_E8_closed_while_the_file_is_away());
    CHECK_TEST(test_E8_restored_after_requests());
    CHECK_TEST(test_E8_restored_as_the_page_says());
    CHECK_TEST(test_E11_no_file_yet());
    CHECK_TEST(test_E8_the_log_is_deleted());
    CHECK_TEST(test_E8_the_index_is_deleted());
    CHECK_TEST(test_E8_deleted_in_a_folder_that_has_rested());
    CHECK_TEST(test_E8_the_log_is_deleted_while_read());
    CHECK_TEST(test_E8_a_link_that_leads_elsewhere());
    CHECK_TEST(test_E8_migrating_through_a_link());
    CHECK_TEST(test_E11_read_only_at_times());
    CHECK_TEST(test_the_log_shrinks_once_nobody_reads());
    CHECK_TEST(test_E11_no_more_ids());
    return check_status();
}
