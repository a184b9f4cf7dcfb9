/*
 * store.h: the LMDB environment, and transactions that keep to deadlines.
 */
#ifndef LMDB_STORE_H
#define LMDB_STORE_H

#include <lmdb.h>
#include <pthread.h>

#include "lmdb_storage.h"

typedef struct lmdb_store {
    char *path;
    lmdb_storage_options options;

    /*
     * The gate: what LMDB would wait for without an end, or must not be done at the same time. One
     * writes at a time; one attaches at a time; the map changes its size while no transaction is
     * open.
     */
    pthread_mutex_t lock;   /* guards the gate */
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    int is_writing;
    int is_attaching;
    int is_resizing;
    unsigned open;  /* transactions */
    int has_schema; /* all that follows is there, and stays */

    int writer_fd; /* whose lock is the right to write, among processes */
    MDB_env *env;
    MDB_dbi meta; /* by name: the schema's version, the next id */
    MDB_dbi chatbots;
    MDB_dbi api_keys;
    MDB_dbi contacts;
} lmdb_store;

/* A transaction. */
typedef struct lmdb_txn {
    lmdb_store *store;
    MDB_txn *txn;
    int64_t deadline;
    int is_full; /* the map was too small for it */
} lmdb_txn;

/* Takes a path and options; the file is opened by the first call that needs it. */
int32_t lmdb_store_new(const char *path, const lmdb_storage_options *options, lmdb_store **out,
                       bb_error *error);
void lmdb_store_free(lmdb_store *store);

/* Makes the file and its schema. */
int32_t lmdb_store_migrate(lmdb_store *store, int64_t deadline, bb_error *error);

/* Begins a transaction, or says why not: BB_ERR_BUSY at the deadline, BB_ERR_UNAVAILABLE without a
 * file, BB_ERR_SCHEMA without a schema. */
int32_t lmdb_read_begin(lmdb_store *store, int64_t deadline, lmdb_txn *t, bb_error *error);
int32_t lmdb_write_begin(lmdb_store *store, int64_t deadline, lmdb_txn *t, bb_error *error);

void lmdb_read_end(lmdb_txn *t);

/* Commits if `code` is BB_OK, otherwise undoes; returns what the backend's function returns. */
int32_t lmdb_write_end(lmdb_txn *t, int32_t code, bb_error *error);

/* What a result of LMDB's means: a bb_code, with `error` filled in. */
int32_t lmdb_fail(lmdb_txn *t, int result, bb_error *error);

#endif
