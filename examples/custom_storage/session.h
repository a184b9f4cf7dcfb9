/*
 * session.h: a session: the store, and what one thread at a time needs.
 */
#ifndef LMDB_SESSION_H
#define LMDB_SESSION_H

#include "rows.h"
#include "store.h"

typedef struct lmdb_session {
    lmdb_store *store;
    lmdb_buffer buffer; /* of the row that is being written */
} lmdb_session;

#endif
