/*
 * test_sqlite.c: the SQLite backend by its parts: opening, result codes, the order of writers, and
 * files that are not as they should be (A2, C5, E7, E11).
 */
#include "unit.h"

#include "bb_contacts/backends.h"

#ifdef BB_WITH_SQLITE

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "backends/sqlite/result_code.h"
#include "backends/sqlite/writer_queue.h"
#include "execute/storage.h"

typedef struct place {
    char folder[200];
    char path[240];
} place;

static void make_place(place *p)
{
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)

    snprintf(p->folder, sizeof p->folder, "%s/bb_test.XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof p->path, "%s/contacts.db", p->folder);
}

static void remove_place(const place *p)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char path[300];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(path, sizeof path, "%s%s", p->path, suffixes[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(p->folder), 0);
}

static int32_t open_at(const char *path, size_t len, const bb_allocator *allocator,
                       bb_storage **storage)
{
    bb_storage_options options;

    bb_storage_options_init(&options);
    options.allocator = allocator;
    return bb_storage_open_sqlite(path, len, &options, storage, NULL);
}

static bb_storage *open_place(const place *p)
{
    bb_storage *storage = NULL;

    assert_int_equal(open_at(p->path, strlen(p->path), NULL, &storage), BB_OK);
    return storage;
}

/* On a connection of its own, as another program would. */
static void run_sql(const place *p, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ------------------------------------------------------------------------------------- opening */

static void test_open_paths_are_checked(void **state)
{
    bb_storage_options small;
    bb_allocator partial = {NULL, NULL, NULL, NULL};
    bb_storage *storage = NULL;

    (void)state;
    bb_storage_options_init(&small);
    small.size--;
    assert_int_equal(open_at(NULL, 0, NULL, &storage), BB_ERR_ARGUMENT);
    assert_int_equal(open_at("", 0, NULL, &storage), BB_ERR_ARGUMENT);
    assert_int_equal(open_at("a\0b", 3, NULL, &storage), BB_ERR_ARGUMENT);
    assert_int_equal(open_at(":memory:", 8, NULL, &storage), BB_ERR_ARGUMENT);
    assert_int_equal(open_at("a", 1, &partial, &storage), BB_ERR_ARGUMENT);
    assert_int_equal(open_at("a", 1, NULL, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open_sqlite("a", 1, &small, &storage, NULL), BB_ERR_ARGUMENT);
    assert_int_equal(bb_storage_open("sqlite:a", 8, &small, &storage, NULL), BB_ERR_ARGUMENT);
    assert_null(storage);
}

static void test_A2_opening_while_memory_fails(void **state)
{
    unit_memory memory;
    bb_storage *storage = NULL;
    int32_t code = BB_ERR_NOMEM;
    size_t n = 0;

    (void)state;
    unit_memory_init(&memory);
    while (code != BB_OK) {
        assert_int_equal(code, BB_ERR_NOMEM);
        assert_null(storage);
        assert_int_equal(memory.live, 0);
        unit_memory_fail(&memory, ++n, 0);
        code = open_at("a", 1, &memory.allocator, &storage);
    }
    assert_in_range(n, 3, 10);
    bb_storage_close(storage);
    unit_memory_check(&memory);
}

/* A path without a folder means nothing where the current one is gone. */
static void test_E11_no_current_directory(void **state)
{
    bb_storage *storage = NULL;
    char before[1000];
    place p;

    (void)state;
    make_place(&p);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(p.folder), 0);
    remove_place(&p);
    assert_int_equal(open_at("a", 1, NULL, &storage), BB_ERR_UNAVAILABLE);
    assert_int_equal(chdir(before), 0);
    assert_null(storage);
}

/* ------------------------------------------------------------------------------- result codes */

static void test_E11_result_codes(void **state)
{
    static const struct {
        int result;
        int32_t code;
    } expectations[] = {
        {SQLITE_BUSY_SNAPSHOT, BB_ERR_RETRY},
        {SQLITE_IOERR_NOMEM, BB_ERR_NOMEM},
        {SQLITE_NOMEM, BB_ERR_NOMEM},
        {SQLITE_READONLY_DBMOVED, BB_ERR_LOST},
        {SQLITE_CONSTRAINT_UNIQUE, BB_ERR_CONFLICT},
        {SQLITE_CONSTRAINT_PRIMARYKEY, BB_ERR_CONFLICT},
        {SQLITE_CONSTRAINT_NOTNULL, BB_ERR_INTERNAL},
        {SQLITE_BUSY, BB_ERR_BUSY},
        {SQLITE_BUSY_RECOVERY, BB_ERR_BUSY},
        {SQLITE_LOCKED, BB_ERR_BUSY},
        {SQLITE_PROTOCOL, BB_ERR_BUSY},
        {SQLITE_CANTOPEN, BB_ERR_UNAVAILABLE},
        {SQLITE_FULL, BB_ERR_UNAVAILABLE},
        {SQLITE_IOERR_FSYNC, BB_ERR_UNAVAILABLE},
        {SQLITE_READONLY, BB_ERR_UNAVAILABLE},
        {SQLITE_ERROR, BB_ERR_SCHEMA},
        {SQLITE_SCHEMA, BB_ERR_SCHEMA},
        {SQLITE_CORRUPT, BB_ERR_INTERNAL},
        {SQLITE_NOTADB, BB_ERR_INTERNAL},
        {SQLITE_TOOBIG, BB_ERR_INTERNAL},
    };
    bb_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expectations); i++)
        assert_int_equal(bb_sqlite_code(expectations[i].result), expectations[i].code);
    /* without a connection the code is all that there is to say */
    bb_error_init(&error);
    assert_int_equal(bb_sqlite_error(NULL, SQLITE_NOMEM, &error), BB_ERR_NOMEM);
    assert_non_null(strstr(error.message, "(SQLite 7)"));
}

/* ---------------------------------------------------------------------------------- the queue */

typedef struct writer {
    bb_sqlite_writer_queue *queue;
    bb_sqlite_waiter waiter;
    int32_t timeout_ms;
    int came;
    atomic_int is_over;
    pthread_t thread;
} writer;

static void *wait_for_turn(void *arg)
{
    writer *w = arg;

    w->came = bb_sqlite_writer_queue_enter(w->queue, &w->waiter, bb_deadline_in(w->timeout_ms));
    if (w->came)
        bb_sqlite_writer_queue_leave(w->queue);
    atomic_store(&w->is_over, 1);
    return NULL;
}

static int is_last(bb_sqlite_writer_queue *queue, const bb_sqlite_waiter *waiter)
{
    int is;

    pthread_mutex_lock(&queue->mutex);
    is = queue->last == waiter;
    pthread_mutex_unlock(&queue->mutex);
    return is;
}

/* Starts a writer and waits until it has queued up, or, on a slow machine, given up. */
static void start_writer(bb_sqlite_writer_queue *queue, writer *w, int32_t timeout_ms)
{
    const struct timespec pause = {0, 1000000};

    *w = (writer){.queue = queue, .timeout_ms = timeout_ms};
    assert_int_equal(bb_sqlite_waiter_init(&w->waiter), 0);
    assert_int_equal(pthread_create(&w->thread, NULL, wait_for_turn, w), 0);
    while (!is_last(queue, &w->waiter) && !atomic_load(&w->is_over))
        nanosleep(&pause, NULL);
}

/* A writer that gives up, in the middle or at the end, takes nobody else out. */
static void test_E7_a_writer_that_gives_up_leaves_the_others_in_order(void **state)
{
    static const int32_t timeouts[] = {60000, 300, 60000, 300};
    bb_sqlite_writer_queue queue;
    bb_sqlite_waiter holder;
    writer writers[COUNT_OF(timeouts)];

    (void)state;
    assert_int_equal(bb_sqlite_writer_queue_init(&queue), 0);
    assert_int_equal(bb_sqlite_waiter_init(&holder), 0);
    assert_int_equal(bb_sqlite_writer_queue_enter(&queue, &holder, bb_deadline_in(0)), 1);
    for (size_t i = 0; i < COUNT_OF(timeouts); i++)
        start_writer(&queue, &writers[i], timeouts[i]);
    pthread_join(writers[1].thread, NULL);
    pthread_join(writers[3].thread, NULL);
    assert_ptr_equal(queue.first, &writers[0].waiter);
    assert_ptr_equal(queue.first->next, &writers[2].waiter);
    assert_ptr_equal(queue.last, &writers[2].waiter);
    bb_sqlite_writer_queue_leave(&queue);
    pthread_join(writers[0].thread, NULL);
    pthread_join(writers[2].thread, NULL);
    for (size_t i = 0; i < COUNT_OF(timeouts); i++) {
        assert_int_equal(writers[i].came, timeouts[i] > 300);
        bb_sqlite_waiter_destroy(&writers[i].waiter);
    }
    assert_int_equal(queue.taken, 0);
    bb_sqlite_waiter_destroy(&holder);
    bb_sqlite_writer_queue_destroy(&queue);
}

/* ------------------------------------------------------------------------ files of another kind */

static void test_C5_a_file_in_UTF_16_is_refused(void **state)
{
    bb_storage *storage;
    place p;

    (void)state;
    make_place(&p);
    run_sql(&p, "PRAGMA encoding = 'UTF-16'; CREATE TABLE other (a)");
    storage = open_place(&p);
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_ERR_SCHEMA);
    bb_storage_close(storage);
    remove_place(&p);
}

/* Tables that are there already are someone else's, and stay as they are. */
static void test_E11_a_table_of_someone_elses(void **state)
{
    bb_storage *storage;
    place p;

    (void)state;
    make_place(&p);
    run_sql(&p, "CREATE TABLE bb_contacts (other)");
    storage = open_place(&p);
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_ERR_SCHEMA);
    run_sql(&p, "INSERT INTO bb_contacts (other) VALUES (1); DROP TABLE bb_contacts");
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK);
    run_sql(&p, "UPDATE bb_schema_version SET version = 0");
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_ERR_SCHEMA);
    run_sql(&p, "DELETE FROM bb_schema_version");
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_ERR_SCHEMA);
    bb_storage_close(storage);
    remove_place(&p);
}

/* ------------------------------------------------------------------------------------- writing */

enum { RECORDS = 200 };

typedef struct slow_put {
    size_t count;
    long pause_ns;
} slow_put;

static int32_t put_slowly(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                          const bb_contact *before)
{
    slow_put *self = ctx;
    const struct timespec pause = {0, self->pause_ns};

    (void)index;
    (void)outcome;
    (void)contact;
    (void)before;
    self->count++;
    if (self->pause_ns > 0)
        nanosleep(&pause, NULL);
    return BB_OK;
}

static int32_t write_records(const bb_storage *storage, int64_t timeout_ms, slow_put *put)
{
    static char keys[RECORDS][8];
    static bb_record records[RECORDS];
    static const bb_record *pointers[RECORDS];
    bb_access access = {.size = sizeof access, .chatbot_id = 123, .workspace_id = 1, .now_us = 1};
    bb_write write = {.size = sizeof write,
                      .access = &access,
                      .records = pointers,
                      .record_count = RECORDS,
                      .put = put_slowly,
                      .put_ctx = put};
    void *session = NULL;
    bb_error error;
    int32_t code;

    for (int i = 0; i < RECORDS; i++) {
        snprintf(keys[i], sizeof keys[i], "%05d", i);
        records[i] = (bb_record){.size = sizeof records[i],
                                 .external_id = {keys[i], 5},
                                 .stripe_accounts = LITERAL("[]"),
                                 .custom_attributes = LITERAL("{}")};
        pointers[i] = &records[i];
    }
    bb_error_init(&error);
    assert_int_equal(
        storage->vtable.session_open(storage->store, bb_deadline_in(60000), &session, &error),
        BB_OK);
    access.deadline = bb_deadline_in(timeout_ms);
    code = storage->vtable.write(session, &write, &error);
    storage->vtable.session_close(session);
    return code;
}

static void test_E11_a_write_ends_at_its_deadline_with_nothing_stored(void **state)
{
    slow_put slow = {0, 10000000};
    slow_put fast = {0, 0};
    bb_storage *storage;
    place p;

    (void)state;
    make_place(&p);
    storage = open_place(&p);
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK);
    assert_int_equal(bb_storage_chatbot_add(storage, 123, 1, 0, NULL), BB_OK);
    /* in the middle, so that there is something to undo; later if the machine is slow */
    for (int64_t ms = 500; slow.count == 0 && ms < 60000; ms *= 4)
        assert_int_equal(write_records(storage, ms, &slow), BB_ERR_BUSY);
    assert_in_range(slow.count, 1, RECORDS - 1);
    run_sql(&p, "CREATE TABLE empty (a CHECK (a = 0));"
                "INSERT INTO empty SELECT count(*) FROM bb_contacts");
    assert_int_equal(write_records(storage, 60000, &fast), BB_OK);
    assert_int_equal(fast.count, RECORDS);
    bb_storage_close(storage);
    remove_place(&p);
}

/* The columns cannot be null in a table of ours; in one that was tampered with they can. */
static void test_E11_a_stored_contact_without_its_JSON(void **state)
{
    slow_put put = {0, 0};
    bb_storage *storage;
    place p;

    (void)state;
    make_place(&p);
    storage = open_place(&p);
    assert_int_equal(bb_storage_migrate(storage, 0, NULL), BB_OK);
    assert_int_equal(bb_storage_chatbot_add(storage, 123, 1, 0, NULL), BB_OK);
    run_sql(&p, "DROP TABLE bb_contacts;"
                "CREATE TABLE bb_contacts (id INTEGER PRIMARY KEY, chatbot_id, created_at_us,"
                " updated_at_us, external_id, name, email, phonenumber, stripe_accounts,"
                " custom_attributes);"
                "INSERT INTO bb_contacts (chatbot_id, external_id) VALUES (123, '00007')");
    assert_int_equal(write_records(storage, 60000, &put), BB_ERR_INTERNAL);
    assert_int_equal(put.count, 7);
    bb_storage_close(storage);
    remove_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_paths_are_checked),
        cmocka_unit_test(test_A2_opening_while_memory_fails),
        cmocka_unit_test(test_E11_no_current_directory),
        cmocka_unit_test(test_E11_result_codes),
        cmocka_unit_test(test_E7_a_writer_that_gives_up_leaves_the_others_in_order),
        cmocka_unit_test(test_C5_a_file_in_UTF_16_is_refused),
        cmocka_unit_test(test_E11_a_table_of_someone_elses),
        cmocka_unit_test(test_E11_a_write_ends_at_its_deadline_with_nothing_stored),
        cmocka_unit_test(test_E11_a_stored_contact_without_its_JSON),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 77; /* skipped: there is no SQLite backend in this build */
}

#endif
