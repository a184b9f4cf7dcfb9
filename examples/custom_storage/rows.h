/*
 * rows.h: how a contact is a key and a value of LMDB's.
 */
#ifndef LMDB_ROWS_H
#define LMDB_ROWS_H

#include "store.h"

/* LMDB's longest key, as Debian compiles it. */
enum { LMDB_KEY_MAX = 511 };

typedef struct lmdb_key {
    unsigned char bytes[LMDB_KEY_MAX];
    size_t len;
} lmdb_key;

/* Bytes that are kept for the next row. Begins as {0}; freed with free(data). */
typedef struct lmdb_buffer {
    char *data;
    size_t room;
} lmdb_buffer;

/* Looks a contact up. BB_OK: `*key` is its key, or the one that it would get; `*is_known` tells
 * which. The strings of `*contact` lie in the map, until something is written. */
int32_t lmdb_row_find(lmdb_txn *t, int64_t chatbot_id, bb_slice external_id, lmdb_key *key,
                      bb_contact *contact, int *is_known, bb_error *error);

/* A contact as a value, in the buffer; BB_ERR_NOMEM if there is no memory. */
int32_t lmdb_row_make(const bb_contact *contact, lmdb_buffer *buffer, MDB_val *value);

#endif
