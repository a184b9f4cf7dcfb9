/*
 * store.c: the LMDB environment, and transactions that keep to deadlines.
 *
 * For a transaction that writes, mdb_txn_begin() waits until every other such one has ended, in any
 * process, and knows no deadline. So nobody calls it without the right to write. That is two locks,
 * for which one can wait with a deadline: `is_writing` among the threads of a process, and a file's
 * lock among processes. Both end with the process that holds them.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { DATABASES = 4, SCHEMA_VERSION = 1, LONGEST_PAUSE_MS = 8 };

static const size_t default_map_bytes = (size_t)64 << 20;
static const size_t default_map_bytes_max = (size_t)64 << 30;
static const unsigned default_readers = 512;

/* ------------------------------------------------------------------------------- LMDB's results */

static int32_t code_of(int result)
{
    switch (result) {
    case ENOMEM:
        return BB_ERR_NOMEM;
    case MDB_READERS_FULL:
        return BB_ERR_BUSY;
    case ENOSPC:
    case EACCES:
    case ENOENT:
    case EROFS:
    case EIO:
    case MDB_PANIC: /* an earlier commit failed half way; the process must open the file anew */
        return BB_ERR_UNAVAILABLE;
    default:
        return BB_ERR_INTERNAL;
    }
}

int32_t lmdb_fail(lmdb_txn *t, int result, bb_error *error)
{
    if (result == MDB_MAP_FULL) {
        t->is_full = 1; /* lmdb_write_end() makes it larger */
        return bb_error_set(error, BB_ERR_RETRY, "the map is full");
    }
    return bb_error_set(error, code_of(result), "LMDB: %s", mdb_strerror(result));
}

/* ------------------------------------------------------------------------------------- the gate */

static int32_t too_late(bb_error *error, const char *what)
{
    return bb_error_set(error, BB_ERR_BUSY, "%s past the deadline", what);
}

/* Waits, with the lock held, until something changes; 0 at the deadline. */
static int wait_for_change(lmdb_store *store, int64_t deadline)
{
    struct timespec at = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

    return bb_deadline_left(deadline) > 0 &&
           pthread_cond_timedwait(&store->changed, &store->lock, &at) != ETIMEDOUT;
}

/* Waits until `*flag` is 0, and sets it; 0 at the deadline. */
static int take(lmdb_store *store, int *flag, int64_t deadline)
{
    int is_mine = 1;

    pthread_mutex_lock(&store->lock);
    while (*flag && is_mine)
        is_mine = wait_for_change(store, deadline);
    if (is_mine)
        *flag = 1;
    pthread_mutex_unlock(&store->lock);
    return is_mine;
}

static void give_back(lmdb_store *store, int *flag)
{
    pthread_mutex_lock(&store->lock);
    *flag = 0;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

/* Counts a transaction in, unless the map is changing; 0 at the deadline. */
static int enter(lmdb_store *store, int64_t deadline)
{
    int is_in = 1;

    pthread_mutex_lock(&store->lock);
    while (store->is_resizing && is_in)
        is_in = wait_for_change(store, deadline);
    store->open += is_in;
    pthread_mutex_unlock(&store->lock);
    return is_in;
}

static void leave(lmdb_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->open--;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

/* Changes the size of the map, while no transaction of this process is open; 0 takes the size that
 * another process has given to it. */
static int32_t resize(lmdb_store *store, size_t bytes, int64_t deadline, bb_error *error)
{
    int is_quiet = 1;
    int result = 0;

    if (!take(store, &store->is_resizing, deadline))
        return too_late(error, "the map was changing");
    pthread_mutex_lock(&store->lock);
    while (store->open > 0 && is_quiet)
        is_quiet = wait_for_change(store, deadline);
    pthread_mutex_unlock(&store->lock);
    if (is_quiet)
        result = mdb_env_set_mapsize(store->env, bytes);
    give_back(store, &store->is_resizing);
    if (!is_quiet)
        return too_late(error, "transactions were open");
    return result == 0 ? BB_OK
                       : bb_error_set(error, BB_ERR_UNAVAILABLE, "the map can't be %zu bytes: %s",
                                      bytes, mdb_strerror(result));
}

/* Doubles the map, for the one who writes. */
static int32_t grow(lmdb_store *store, int64_t deadline, bb_error *error)
{
    size_t limit = store->options.map_bytes_max;
    MDB_envinfo info;
    int32_t code;

    mdb_env_info(store->env, &info);
    if (info.me_mapsize >= limit)
        return bb_error_set(error, BB_ERR_UNAVAILABLE,
                            "the store is full: its map may have %zu bytes (map_bytes_max)", limit);
    code =
        resize(store, info.me_mapsize < limit / 2 ? info.me_mapsize * 2 : limit, deadline, error);
    return code == BB_OK ? BB_ERR_RETRY : code;
}

/* A pause before the next try, longer each time; 0 at the deadline. */
static int pause_until(int64_t deadline, long *pause_ms)
{
    int32_t left = bb_deadline_left(deadline);
    struct timespec pause = {.tv_nsec = (*pause_ms < left ? *pause_ms : left) * 1000000};

    if (left == 0)
        return 0;
    nanosleep(&pause, NULL);
    if (*pause_ms < LONGEST_PAUSE_MS)
        *pause_ms *= 2;
    return 1;
}

/* Waits for the right to write. */
static int32_t become_writer(lmdb_store *store, int64_t deadline, bb_error *error)
{
    long pause_ms = 1;

    if (!take(store, &store->is_writing, deadline))
        return too_late(error, "other threads were writing");
    while (flock(store->writer_fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno == EWOULDBLOCK || errno == EINTR) && pause_until(deadline, &pause_ms))
            continue;
        give_back(store, &store->is_writing);
        return too_late(error, "other processes were writing");
    }
    return BB_OK;
}

static void stop_writing(lmdb_store *store)
{
    flock(store->writer_fd, LOCK_UN);
    give_back(store, &store->is_writing);
}

/* --------------------------------------------------------------------------------- transactions */

/* Begins one, whatever other processes have done to the map and to the table of readers. */
static int32_t begin(lmdb_store *store, unsigned flags, int64_t deadline, lmdb_txn *t,
                     bb_error *error)
{
    long pause_ms = 1;
    int32_t code = BB_OK;
    int result;

    *t = (lmdb_txn){.store = store, .deadline = deadline};
    while (code == BB_OK) {
        if (!enter(store, deadline))
            return too_late(error, "the map was changing");
        result = mdb_txn_begin(store->env, NULL, flags, &t->txn);
        if (result == 0)
            return BB_OK;
        leave(store);
        if (result == MDB_MAP_RESIZED) {
            code = resize(store, 0, deadline, error);
        } else {
            code = lmdb_fail(t, result, error);
            if (result == MDB_READERS_FULL && pause_until(deadline, &pause_ms)) {
                mdb_reader_check(store->env, NULL); /* those of processes that are no more */
                code = BB_OK;
            }
        }
    }
    return code;
}

void lmdb_read_end(lmdb_txn *t)
{
    mdb_txn_abort(t->txn);
    leave(t->store);
}

/* Commits. Nobody knows what became of a commit that failed while it was written. */
static int32_t commit(lmdb_txn *t, bb_error *error)
{
    int result = mdb_txn_commit(t->txn);
    int32_t code = result == 0 ? BB_OK : lmdb_fail(t, result, error);

    return result == EIO || code == BB_ERR_INTERNAL ? BB_ERR_LOST : code;
}

int32_t lmdb_write_end(lmdb_txn *t, int32_t code, bb_error *error)
{
    if (code == BB_OK)
        code = commit(t, error);
    else
        mdb_txn_abort(t->txn);
    leave(t->store);
    if (t->is_full)
        code = grow(t->store, t->deadline, error);
    stop_writing(t->store);
    return code;
}

/* Begins a transaction that writes, with or without a schema. */
static int32_t begin_writing(lmdb_store *store, int64_t deadline, lmdb_txn *t, bb_error *error)
{
    int32_t code = become_writer(store, deadline, error);

    if (code != BB_OK)
        return code;
    code = begin(store, 0, deadline, t, error);
    if (code != BB_OK)
        stop_writing(store);
    return code;
}

/* ------------------------------------------------------------------------------------ attaching */

static int open_writer_file(const char *path)
{
    static const char suffix[] = "-writer";
    size_t size = strlen(path) + sizeof suffix;
    char *name = malloc(size);
    int fd;

    if (name == NULL)
        return -1;
    snprintf(name, size, "%s%s", path, suffix);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(name);
    return fd;
}

/* MDB_NOTLS: a place in the table of readers is a transaction's, and not its thread's. */
static int open_env(lmdb_store *store, MDB_env *env)
{
    int result = mdb_env_set_maxdbs(env, DATABASES);

    if (result == 0)
        result = mdb_env_set_maxreaders(env, store->options.readers);
    if (result == 0)
        result = mdb_env_set_mapsize(env, store->options.map_bytes);
    if (result == 0)
        result = mdb_env_open(env, store->path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    return result;
}

/* Opens the file, which is made only if `is_migrating`. */
static int32_t open_file(lmdb_store *store, int is_migrating, bb_error *error)
{
    MDB_env *env;
    int result;

    if (store->env != NULL)
        return BB_OK;
    if (!is_migrating && access(store->path, F_OK) != 0)
        return bb_error_set(error, BB_ERR_UNAVAILABLE, "there is no file; migrate makes it");
    if (store->writer_fd < 0)
        store->writer_fd = open_writer_file(store->path);
    if (store->writer_fd < 0)
        return bb_error_set(error, BB_ERR_UNAVAILABLE, "the writer's file can't be opened");
    result = mdb_env_create(&env);
    if (result == 0 && (result = open_env(store, env)) != 0)
        mdb_env_close(env);
    if (result != 0)
        return bb_error_set(error, code_of(result), "LMDB: %s", mdb_strerror(result));
    store->env = env;
    return BB_OK;
}

static int open_databases(lmdb_store *store, MDB_txn *txn, unsigned flags)
{
    int result = mdb_dbi_open(txn, "meta", flags, &store->meta);

    if (result == 0)
        result = mdb_dbi_open(txn, "chatbots", flags, &store->chatbots);
    if (result == 0)
        result = mdb_dbi_open(txn, "api_keys", flags, &store->api_keys);
    if (result == 0)
        result = mdb_dbi_open(txn, "contacts", flags, &store->contacts);
    return result;
}

static MDB_val version_key(void)
{
    static char name[] = "schema_version";

    return (MDB_val){sizeof name - 1, name};
}

/* Opens what a schema of this version has. */
static int32_t open_schema(lmdb_store *store, int64_t deadline, bb_error *error)
{
    MDB_val key = version_key();
    MDB_val value;
    int64_t version = 0;
    lmdb_txn t;
    int32_t code = begin(store, MDB_RDONLY, deadline, &t, error);
    int result;

    if (code != BB_OK)
        return code;
    result = open_databases(store, t.txn, 0);
    if (result == 0)
        result = mdb_get(t.txn, store->meta, &key, &value);
    if (result == 0 && value.mv_size == sizeof version)
        memcpy(&version, value.mv_data, sizeof version);
    if (result == MDB_NOTFOUND)
        code = bb_error_set(error, BB_ERR_SCHEMA, "the file has no schema; migrate makes it");
    else if (result != 0)
        code = lmdb_fail(&t, result, error);
    else if (version != SCHEMA_VERSION)
        code =
            bb_error_set(error, BB_ERR_SCHEMA, "the schema is of version %lld", (long long)version);
    mdb_txn_commit(t.txn); /* which keeps the databases open */
    leave(store);
    return code;
}

static int32_t make_schema(lmdb_store *store, int64_t deadline, bb_error *error)
{
    int64_t version = SCHEMA_VERSION;
    MDB_val key = version_key();
    MDB_val value = {sizeof version, &version};
    lmdb_txn t;
    int32_t code = begin_writing(store, deadline, &t, error);
    int result;

    if (code != BB_OK)
        return code;
    result = open_databases(store, t.txn, MDB_CREATE);
    if (result == 0)
        result = mdb_put(t.txn, store->meta, &key, &value, 0);
    return lmdb_write_end(&t, result == 0 ? BB_OK : lmdb_fail(&t, result, error), error);
}

static int is_attached(lmdb_store *store)
{
    int is_so;

    pthread_mutex_lock(&store->lock);
    is_so = store->has_schema;
    pthread_mutex_unlock(&store->lock);
    return is_so;
}

/* With the right to attach. */
static int32_t attach_alone(lmdb_store *store, int is_migrating, int64_t deadline, bb_error *error)
{
    int32_t code = BB_OK;

    if (is_attached(store))
        return BB_OK;
    code = open_file(store, is_migrating, error);
    if (code == BB_OK)
        code = open_schema(store, deadline, error);
    if (code == BB_ERR_SCHEMA && is_migrating)
        code = make_schema(store, deadline, error);
    pthread_mutex_lock(&store->lock);
    store->has_schema = code == BB_OK;
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* Sees to it that the file and its schema are open. A passed deadline comes first. */
static int32_t attach(lmdb_store *store, int is_migrating, int64_t deadline, bb_error *error)
{
    int32_t code;

    if (bb_deadline_left(deadline) == 0)
        return bb_error_set(error, BB_ERR_BUSY, "the deadline had passed");
    if (is_attached(store))
        return BB_OK;
    if (!take(store, &store->is_attaching, deadline))
        return too_late(error, "the file was being opened");
    code = attach_alone(store, is_migrating, deadline, error);
    give_back(store, &store->is_attaching);
    return code;
}

int32_t lmdb_store_migrate(lmdb_store *store, int64_t deadline, bb_error *error)
{
    return attach(store, 1, deadline, error);
}

int32_t lmdb_read_begin(lmdb_store *store, int64_t deadline, lmdb_txn *t, bb_error *error)
{
    int32_t code = attach(store, 0, deadline, error);

    return code == BB_OK ? begin(store, MDB_RDONLY, deadline, t, error) : code;
}

int32_t lmdb_write_begin(lmdb_store *store, int64_t deadline, lmdb_txn *t, bb_error *error)
{
    int32_t code = attach(store, 0, deadline, error);

    return code == BB_OK ? begin_writing(store, deadline, t, error) : code;
}

/* ------------------------------------------------------------------------------------ the store */

static void make_gate(lmdb_store *store)
{
    pthread_condattr_t by_clock;

    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&by_clock);
    pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC);
    pthread_cond_init(&store->changed, &by_clock);
    pthread_condattr_destroy(&by_clock);
}

int32_t lmdb_store_new(const char *path, const lmdb_storage_options *options, lmdb_store **out,
                       bb_error *error)
{
    lmdb_store *store = calloc(1, sizeof *store);

    *out = NULL;
    if (store == NULL || (store->path = strdup(path)) == NULL) {
        free(store);
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
    }
    if (options != NULL)
        store->options = *options;
    if (store->options.map_bytes == 0)
        store->options.map_bytes = default_map_bytes;
    if (store->options.map_bytes_max == 0)
        store->options.map_bytes_max = default_map_bytes_max;
    if (store->options.readers == 0)
        store->options.readers = default_readers;
    store->writer_fd = -1;
    make_gate(store);
    *out = store;
    return BB_OK;
}

void lmdb_store_free(lmdb_store *store)
{
    if (store->env != NULL)
        mdb_env_close(store->env);
    if (store->writer_fd >= 0)
        close(store->writer_fd);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
}
