/*
 * sqlite_host.h: a handle over an SQLite file in a folder of its own, for tests that break the
 * file.
 */
#ifndef BB_HOSTILE_SQLITE_HOST_H
#define BB_HOSTILE_SQLITE_HOST_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/endpoint.h"
#include "support/wait.h"

/* The time of a request while something is broken; otherwise it is TEST_PATIENCE_MS. */
enum { HOST_TIMEOUT_MS = 1000 };

static const char host_one_contact[] = "{\"users\":[{\"external_id\":\"a\"}]}";

/* A folder with a file of the library's in it, a handle, and the last lines of its log. */
typedef struct host {
    char folder[200];
    char path[240];
    bb_storage *storage;
    bb_contacts *contacts;
    pthread_mutex_t mutex; /* guards the log */
    char log[8192];
} host;

static inline void host_log(void *ctx, int32_t level, const char *line, size_t len)
{
    host *h = ctx;
    size_t had;

    (void)level;
    pthread_mutex_lock(&h->mutex);
    had = strlen(h->log);
    if (had + len + 2 > sizeof h->log)
        had = 0;
    snprintf(h->log + had, sizeof h->log - had, "%.*s\n", (int)len, line);
    pthread_mutex_unlock(&h->mutex);
}

/* Whether the log has had this text since the last call. */
static inline int host_was_told(host *h, const char *text)
{
    int was;

    pthread_mutex_lock(&h->mutex);
    was = strstr(h->log, text) != NULL;
    if (!was)
        fprintf(stderr, "the log: %s\n", h->log);
    h->log[0] = '\0';
    pthread_mutex_unlock(&h->mutex);
    return was;
}

static inline void host_make_folder(host *h)
{
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)

    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->mutex, NULL);
    snprintf(h->folder, sizeof h->folder, "%s/bb_test.XXXXXX", parent != NULL ? parent : "/tmp");
    CHECK_MSG(mkdtemp(h->folder) != NULL, "mkdtemp");
    snprintf(h->path, sizeof h->path, "%s/contacts.db", h->folder);
}

static inline void host_open_handle(host *h)
{
    bb_storage_options options;
    bb_config config;

    bb_storage_options_init(&options);
    options.log = host_log;
    options.log_ctx = h;
    bb_config_init(&config);
    config.log = host_log;
    config.log_ctx = h;
    CHECK_MSG(bb_storage_open_sqlite(h->path, strlen(h->path), &options, &h->storage, NULL) ==
                  BB_OK,
              "%s", h->path);
    CHECK_MSG(test_open_contacts(h->storage, &config, &h->contacts, NULL) == BB_OK, "opening");
}

static inline void host_close_handle(host *h)
{
    bb_contacts_close(h->contacts);
    bb_storage_close(h->storage);
    h->contacts = NULL;
    h->storage = NULL;
}

/* Another handle over the same file, as another process would have it. */
static inline void host_open_second(host *h, const host *first)
{
    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->mutex, NULL);
    snprintf(h->path, sizeof h->path, "%s", first->path);
    host_open_handle(h);
}

static inline void host_close_second(host *h)
{
    host_close_handle(h);
    pthread_mutex_destroy(&h->mutex);
}

/* The name of a file beside the database. */
static inline const char *host_name(const host *h, const char *suffix, char name[300])
{
    snprintf(name, 300, "%s%s", h->path, suffix);
    return name;
}

static inline void host_remove(const host *h, const char *suffix)
{
    char name[300];

    unlink(host_name(h, suffix, name));
}

static inline void host_rename(const host *h, const char *from, const char *to)
{
    char old_name[300];
    char new_name[300];

    CHECK_MSG(rename(host_name(h, from, old_name), host_name(h, to, new_name)) == 0, "%s to %s",
              from, to);
}

static inline void host_copy(const host *h, const char *from, const char *to)
{
    char name[300];
    char buffer[65536];
    FILE *in = fopen(host_name(h, from, name), "rb");
    FILE *out = fopen(host_name(h, to, name), "wb");
    size_t got;
    int failed = in == NULL || out == NULL;

    while (!failed && (got = fread(buffer, 1, sizeof buffer, in)) > 0)
        failed = fwrite(buffer, 1, got, out) != got;
    if (in != NULL)
        fclose(in);
    if (out != NULL)
        failed |= fclose(out) != 0;
    CHECK_MSG(!failed, "copying %s to %s", from, to);
}

static inline off_t host_size(const host *h, const char *suffix)
{
    char name[300];
    struct stat state;

    return stat(host_name(h, suffix, name), &state) == 0 ? state.st_size : 0;
}

static inline void host_remove_files(const host *h)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".good", ".other"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        host_remove(h, suffixes[i]);
}

static inline void host_close(host *h)
{
    host_close_handle(h);
    host_remove_files(h);
    CHECK_MSG(rmdir(h->folder) == 0, "%s is not empty", h->folder);
    pthread_mutex_destroy(&h->mutex);
}

static inline bb_result *host_send(const host *h, const char *body, int64_t timeout_ms)
{
    bb_request request = test_request(body, strlen(body));

    request.timeout_ms = timeout_ms;
    return bb_contacts_upsert(h->contacts, &request);
}

/* Sends a body while something is broken, with less time than for an unbroken store. Returns the
 * HTTP status. */
static inline int32_t host_status(const host *h, const char *body, const char *what)
{
    int64_t start = test_now_ms();
    bb_result *result = host_send(h, body, HOST_TIMEOUT_MS);
    int32_t status = bb_result_http_status(result);
    int64_t took = test_now_ms() - start;

    CHECK_MSG(took < TEST_PATIENCE_MS / 2, "%s: %lld ms", what, (long long)took);
    CHECK_MSG(status == 200 || bb_result_entries(result) == 0, "%s", what);
    bb_result_free(result);
    return status;
}

/* Sends a body that must get this answer, as nothing is broken. */
static inline void host_expect(const host *h, const char *body, int32_t wanted, const char *what)
{
    bb_result *result = host_send(h, body, TEST_PATIENCE_MS);
    int32_t status = bb_result_http_status(result);

    CHECK_MSG(status == wanted, "%s: %d", what, status);
    bb_result_free(result);
}

/* The first number that a query on a connection of its own gives; -1 if there is none. */
static inline int64_t host_ask(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t answer = -1;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, TEST_PATIENCE_MS) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

/* Runs statements of the host's on a connection of its own. */
static inline void host_run(const host *h, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    if (sqlite3_open_v2(h->path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_busy_timeout(db, TEST_PATIENCE_MS);
    CHECK_MSG(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql,
              message != NULL ? message : "");
    sqlite3_free(message);
    sqlite3_close(db);
}

/* How many contacts there are whose name is this; -1 if that can't be told. */
static inline int host_count_named(const host *h, const char *name)
{
    char sql[200];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM bb_contacts WHERE name = '%s'", name);
    return (int)host_ask(h->path, sql);
}

/* `count` contacts of about `size` bytes each, all with one name. */
static inline char *host_make_body(const char *name, int count, size_t size)
{
    test_text body = {0};

    test_append(&body, "{\"users\":[");
    for (int i = 0; i < count; i++)
        test_append(&body, "%s{\"external_id\":\"%s-%d\",\"name\":\"%s\",\"email\":\"%0*d\"}",
                    i > 0 ? "," : "", name, i, name, (int)size, i);
    test_append(&body, "]}");
    return body.data;
}

/* Sends `count` contacts with this name, which must be stored. */
static inline void host_store(const host *h, const char *name, int count, size_t size)
{
    char *body = host_make_body(name, count, size);

    host_expect(h, body, 200, name);
    free(body);
}

static inline void host_migrate(const host *h)
{
    CHECK_MSG(bb_storage_migrate(h->storage, TEST_PATIENCE_MS, NULL) == BB_OK, "migrating");
    CHECK_MSG(bb_storage_chatbot_add(h->storage, 123, 1, TEST_PATIENCE_MS, NULL) == BB_OK,
              "adding a chatbot");
}

/* Runs checks in a child whose user is nobody, as root may write everywhere. */
static inline void host_run_as_nobody(host *h, void (*run)(host *h))
{
    enum { NOBODY = 65534 };
    int status = 0;
    pid_t child;

    if (getuid() == 0)
        CHECK(chown(h->folder, NOBODY, NOBODY) == 0 && chown(h->path, NOBODY, NOBODY) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        unsigned before = check_failures();
        if (getuid() == 0 && setuid(NOBODY) != 0)
            _exit(2);
        run(h);
        _exit(check_failures() > before);
    }
    CHECK_MSG(child > 0 && waitpid(child, &status, 0) == child && status == 0, "%d", status);
}

static inline void host_open(host *h)
{
    host_make_folder(h);
    host_open_handle(h);
    host_migrate(h);
    host_expect(h, host_one_contact, 200, "at first");
    host_store(h, "first", 200, 500);
}

#endif
