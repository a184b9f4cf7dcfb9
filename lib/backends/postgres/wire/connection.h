/*
 * connection.h: a session's connection to the server, made and waited for without blocking past a
 * deadline.
 */
#ifndef BB_POSTGRES_CONNECTION_H
#define BB_POSTGRES_CONNECTION_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "backends/postgres/sql/statements.h"
#include "bb_contacts/storage.h"
#include "util/alloc.h"

/* What all sessions share. Only the atomic members change later. */
typedef struct bb_pg_store {
    bb_allocator allocator;
    bb_log_fn log; /* or NULL */
    void *log_ctx;
    char *conninfo; /* may hold a password: never logged */
    bb_pg_names names;
    atomic_int is_pooled;          /* new connections start with unnamed statements */
    atomic_int keeps_transactions; /* transactions last from one round trip to the next; known once
                                      it was tried */
    atomic_uint good_host;         /* the host in conninfo to which a session connected last */
    atomic_int table_kind;         /* a bb_pg_table_kind; see table_kind.h */
    atomic_int has_triggers;       /* or rules, or partitions; known once a write has failed because
                                      of them */
    _Atomic int64_t silent_from; /* the send time of the latest request that got no reply; monotonic
                                    ms */
    bb_pg_statement statements[BB_PG_STATEMENT_COUNT];
} bb_pg_store;

typedef struct bb_pg_session {
    bb_pg_store *store;
    PGconn *conn;      /* in pipeline mode; NULL: connects when it is next used */
    uint64_t prepared; /* bit i: statement i is prepared on conn */
    int is_unnamed;    /* statements are sent with their text each time */
    int has_written;   /* conn has written */
    int64_t heard_at;  /* when the server last sent something on conn; monotonic ms */
} bb_pg_session;

/* Makes sure that there is a connection. BB_ERR_UNAVAILABLE if the server can't be reached,
 * BB_ERR_BUSY if the deadline passed, BB_ERR_UNSUPPORTED for a server that is too old or not in
 * UTF-8. */
int32_t bb_pg_connect(bb_pg_session *session, int64_t deadline, bb_error *error);

/* Leaves a server that only reads. If the connection could write before, another server has taken
 * over, and BB_ERR_LOST has the write tried there; otherwise BB_ERR_UNAVAILABLE. */
int32_t bb_pg_leave_reader(bb_pg_session *session);

/* Closes the connection, if there is one, without waiting. */
void bb_pg_disconnect(bb_pg_session *session);

/* Waits until the socket is ready for `events` of poll(). BB_OK, BB_ERR_BUSY when the deadline
 * passed, BB_ERR_LOST if it can't be waited for. */
int32_t bb_pg_wait(PGconn *conn, short events, int64_t deadline);

/* Copies a message of libpq's to `error`, its line breaks made spaces; returns `code`. */
int32_t bb_pg_error(bb_error *error, int32_t code, const char *sqlstate, const char *message);

/* One line to the log callback, if there is one. */
void bb_pg_log(const bb_pg_store *store, int32_t level, const char *message);

#endif
