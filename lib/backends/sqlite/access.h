/*
 * access.h: chatbots and API keys in SQLite: who may write where, and their administration.
 */
#ifndef BB_SQLITE_ACCESS_H
#define BB_SQLITE_ACCESS_H

#include "backends/sqlite/session.h"

/* B1 to B3, with or without a transaction of the caller's. */
int32_t bb_sqlite_check_access(bb_sqlite_session *session, const bb_access *access,
                               bb_error *error);

/* The vtable's functions. */
int32_t bb_sqlite_authorize(void *session, const bb_access *access, bb_error *error);
int32_t bb_sqlite_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id,
                              int64_t now_us, int64_t deadline, bb_error *error);
int32_t bb_sqlite_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived,
                                  int64_t now_us, int64_t deadline, bb_error *error);
int32_t bb_sqlite_key_add(void *session, const bb_key_record *key, int64_t deadline,
                          bb_error *error);
int32_t bb_sqlite_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us,
                             int64_t deadline, bb_error *error);

#endif
