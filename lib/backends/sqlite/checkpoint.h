/*
 * checkpoint.h: moves what the write-ahead log holds into the database.
 */
#ifndef BB_SQLITE_CHECKPOINT_H
#define BB_SQLITE_CHECKPOINT_H

#include "backends/sqlite/session.h"

/* After a commit, in the process's turn to write: moves the log into the database if it is long. If
 * that fails, the log stays until after the next commit. */
void bb_sqlite_checkpoint_if_long(bb_sqlite_session *session);

/* For a session whose log was deleted, so that nobody else will ever read it: moves all that it
 * holds into the database. If the code is not BB_OK, it is still only in the log, and the session
 * must stay. */
int32_t bb_sqlite_checkpoint_lost_log(bb_sqlite_session *session, bb_error *error);

#endif
