/*
 * limits.c: tests of what the kit knows nothing of: LMDB's limits, and several processes.
 *
 * Each test forks before it opens anything, as an LMDB environment and the library's handles belong
 * to one process.
 */
#include <bb_contacts/bb_contacts.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lmdb_storage.h"

enum { PATIENCE_MS = 60000, SHORT_MS = 300 };

static char file[200];
static int failures;

static void check(int condition, const char *what)
{
    printf("%s - %s\n", condition ? "ok" : "not ok", what);
    fflush(stdout);
    failures += !condition;
}

/* ---------------------------------------------------------------------------------- an endpoint */

typedef struct endpoint {
    bb_storage *storage;
    bb_contacts *contacts;
    char last_line[300]; /* of the log */
} endpoint;

static void keep_line(void *ctx, int32_t level, const char *line, size_t len)
{
    endpoint *e = ctx;

    (void)level;
    snprintf(e->last_line, sizeof e->last_line, "%.*s", (int)len, line);
}

static void must(int32_t code, const char *what)
{
    if (code == BB_OK)
        return;
    printf("not ok - %s: %s\n", what, bb_code_name(code));
    exit(1);
}

static void open_endpoint(endpoint *e, const lmdb_storage_options *options)
{
    bb_config config;

    memset(e, 0, sizeof *e);
    bb_config_init(&config);
    config.log = keep_line;
    config.log_ctx = e;
    must(lmdb_storage_open(file, options, &e->storage, NULL), "open");
    must(bb_storage_migrate(e->storage, PATIENCE_MS, NULL), "migrate");
    must(bb_storage_chatbot_add(e->storage, 123, 1, PATIENCE_MS, NULL), "chatbot_add");
    must(bb_contacts_open(e->storage, &config, &e->contacts, NULL), "contacts_open");
}

static void close_endpoint(endpoint *e)
{
    bb_contacts_close(e->contacts);
    bb_storage_close(e->storage);
}

/* Sends a body as workspace 1's principal; returns the HTTP status, and the outcome of the first
 * entry. */
static int32_t send_body(endpoint *e, const char *body, int32_t timeout_ms, int32_t *outcome)
{
    bb_principal principal;
    bb_request request;
    bb_result *result;
    int32_t status;

    bb_principal_init(&principal);
    principal.workspace_id = 1;
    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.principal = &principal;
    request.body = body;
    request.body_len = strlen(body);
    request.timeout_ms = timeout_ms;
    result = bb_contacts_upsert(e->contacts, &request);
    status = bb_result_http_status(result);
    *outcome = bb_result_outcome(result, 0);
    bb_result_free(result);
    return status;
}

/* Upserts the contact "key <number>" with a name of `name_len` letters. */
static int32_t upsert(endpoint *e, unsigned number, size_t name_len, int32_t timeout_ms,
                      int32_t *outcome)
{
    char *body = malloc(name_len + 100);
    int32_t status = 0;

    if (body == NULL)
        return 0;
    sprintf(body, "{\"users\":[{\"external_id\":\"key %u\",\"name\":\"%0*d\"}]}", number,
            (int)name_len, 0);
    status = send_body(e, body, timeout_ms, outcome);
    free(body);
    return status;
}

/* --------------------------------------------------------------------------------- a full store */

static void test_full_store(void)
{
    const lmdb_storage_options small = {.map_bytes = 1 << 20, .map_bytes_max = 4 << 20};
    endpoint e;
    int32_t outcome, status = 200;
    unsigned stored = 0;

    open_endpoint(&e, &small);
    while (stored < 100 && (status = upsert(&e, stored, 100000, PATIENCE_MS, &outcome)) == 200)
        stored++;
    check(stored > 20 && stored < 100, "the map grows up to its limit");
    check(status == 503, "past it a write is 503");
    check(strstr(e.last_line, "the store is full") != NULL, "the log says why");
    check(upsert(&e, 0, 100000, PATIENCE_MS, &outcome) == 200 && outcome == BB_UNCHANGED,
          "what is there is there");
    check(upsert(&e, stored, 1, PATIENCE_MS, &outcome) == 200, "what fits is written");
    close_endpoint(&e);
}

/* ------------------------------------------------------------------------- processes in the way */

/* A child that does this, writes a byte to the pipe, and stays until it is killed. */
static pid_t start_child(void (*block)(void))
{
    int ends[2];
    char byte = 0;
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        exit(1);
    if (child == 0) {
        block();
        if (write(ends[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        must(BB_ERR_INTERNAL, "a child that blocks");
    close(ends[0]);
    return child;
}

static void stop_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void take_writer_lock(void)
{
    char name[220];
    int fd;

    snprintf(name, sizeof name, "%s-writer", file);
    fd = open(name, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        _exit(1);
}

static void test_writer_elsewhere(void)
{
    pid_t child = start_child(take_writer_lock);
    endpoint e;
    int32_t outcome;
    bb_error error;

    bb_error_init(&error);
    must(lmdb_storage_open(file, NULL, &e.storage, NULL), "open");
    check(bb_storage_migrate(e.storage, SHORT_MS, &error) == BB_ERR_BUSY,
          "while another process writes, a deadline holds");
    stop_child(child);
    bb_storage_close(e.storage);
    open_endpoint(&e, NULL);
    check(upsert(&e, 1, 1, PATIENCE_MS, &outcome) == 200, "its end frees what it held");
    close_endpoint(&e);
}

/* Takes both places in the table of readers. */
static void take_readers(void)
{
    MDB_env *env;
    MDB_txn *txn;

    if (mdb_env_create(&env) != 0 || mdb_env_set_maxreaders(env, 2) != 0 ||
        mdb_env_open(env, file, MDB_NOSUBDIR | MDB_NOTLS, 0600) != 0)
        _exit(1);
    for (int i = 0; i < 2; i++) {
        if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
            _exit(1);
    }
}

static void test_readers_full(void)
{
    const lmdb_storage_options two_readers = {.readers = 2};
    endpoint e;
    pid_t child;
    int32_t outcome;
    int32_t code;
    bb_error error;

    bb_error_init(&error);
    open_endpoint(&e, &two_readers); /* the file beside keeps the number of places */
    close_endpoint(&e);
    child = start_child(take_readers);
    must(lmdb_storage_open(file, NULL, &e.storage, NULL), "open");
    code = bb_storage_chatbot_add(e.storage, 124, 1, SHORT_MS, &error);
    check(code == BB_ERR_BUSY, "without a place to read, a deadline holds");
    stop_child(child);
    bb_storage_close(e.storage);
    open_endpoint(&e, NULL);
    check(upsert(&e, 1, 1, PATIENCE_MS, &outcome) == 200, "the places of the dead are free");
    close_endpoint(&e);
}

/* ---------------------------------------------------------------------------- several processes */

enum { PROCESSES = 3, ROUNDS = 20, KEYS = 25 };

/* Upserts all keys again and again, with what all others write, too. Reports each answer. */
static void write_keys(int report)
{
    const lmdb_storage_options small = {.map_bytes = 1 << 20};
    endpoint e;
    int32_t outcome;

    open_endpoint(&e, &small);
    for (unsigned i = 0; i < ROUNDS * KEYS; i++) {
        unsigned char key = (unsigned char)(i % KEYS);
        if (upsert(&e, key, 20000, PATIENCE_MS, &outcome) != 200)
            _exit(1);
        if (outcome == BB_CREATED && write(report, &key, 1) != 1)
            _exit(1);
    }
    close_endpoint(&e);
    _exit(0);
}

/* How often each key was created, by what the processes report. */
static int each_was_created_once(int reports)
{
    int created[KEYS] = {0};
    int once = 1;
    unsigned char key;

    while (read(reports, &key, 1) == 1)
        created[key]++;
    for (size_t i = 0; i < KEYS; i++)
        once = once && created[i] == 1;
    return once;
}

static void test_processes(void)
{
    pid_t children[PROCESSES];
    int ends[2];
    int all_well = 1;
    endpoint e;
    int32_t outcome;

    if (pipe(ends) != 0)
        exit(1);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0)
            write_keys(ends[1]);
    }
    close(ends[1]);
    check(each_was_created_once(ends[0]), "of several processes one creates a contact");
    for (int i = 0; i < PROCESSES; i++) {
        int status = 1;
        all_well = waitpid(children[i], &status, 0) == children[i] && status == 0 && all_well;
    }
    check(all_well, "none of their requests fails, though the map grows under them");
    open_endpoint(&e, NULL);
    check(upsert(&e, 0, 20000, PATIENCE_MS, &outcome) == 200 && outcome == BB_UNCHANGED,
          "another process finds what they wrote");
    close_endpoint(&e);
}

/* -------------------------------------------------------------------------------------- a crash */

/* Reports each key whose answer was 200, until it is killed. */
static void write_until_killed(int report)
{
    endpoint e;
    int32_t outcome;

    open_endpoint(&e, NULL);
    for (uint32_t key = 0;; key++) {
        if (upsert(&e, key, 100, PATIENCE_MS, &outcome) != 200 ||
            write(report, &key, sizeof key) != sizeof key)
            _exit(1);
    }
}

static void test_crash(void)
{
    enum { BEFORE_THE_KILL = 30 };
    uint32_t key, answered = 0;
    int all_there = 1;
    endpoint e;
    int32_t outcome;
    pid_t child;
    int ends[2];

    if (pipe(ends) != 0 || (child = fork()) < 0)
        exit(1);
    if (child == 0)
        write_until_killed(ends[1]);
    close(ends[1]);
    while (read(ends[0], &key, sizeof key) == sizeof key) {
        answered++;
        if (answered == BEFORE_THE_KILL)
            kill(child, SIGKILL);
    }
    waitpid(child, NULL, 0);
    open_endpoint(&e, NULL);
    for (uint32_t i = 0; i < answered; i++)
        all_there = upsert(&e, i, 100, PATIENCE_MS, &outcome) == 200 && outcome == BB_UNCHANGED &&
                    all_there;
    check(answered >= BEFORE_THE_KILL && all_there, "what was answered 200 outlives its process");
    close_endpoint(&e);
}

/* ----------------------------------------------------------------------------------------- main */

static void on_a_new_file(void (*test)(void))
{
    static const char *const suffixes[] = {"", "-lock", "-writer"};
    const char *parent = getenv("TMPDIR");
    char folder[150];
    char name[220];

    snprintf(folder, sizeof folder, "%s/lmdb.XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) == NULL)
        exit(1);
    snprintf(file, sizeof file, "%s/contacts", folder);
    test();
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", file, suffixes[i]);
        unlink(name);
    }
    rmdir(folder);
}

int main(void)
{
    on_a_new_file(test_full_store);
    on_a_new_file(test_writer_elsewhere);
    on_a_new_file(test_readers_full);
    on_a_new_file(test_processes);
    on_a_new_file(test_crash);
    return failures > 0;
}
