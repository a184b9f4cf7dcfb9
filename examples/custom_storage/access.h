/*
 * access.h: chatbots and keys: who may write where (B1 to B3), and their administration.
 */
#ifndef LMDB_ACCESS_H
#define LMDB_ACCESS_H

#include "store.h"

/* Whether an access is allowed; the key is judged first (A1). */
int32_t lmdb_access_check(lmdb_txn *t, const bb_access *access, bb_error *error);

/* The functions of the table. */
int32_t lmdb_authorize(void *session, const bb_access *access, bb_error *error);
int32_t lmdb_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id, int64_t now_us,
                         int64_t deadline, bb_error *error);
int32_t lmdb_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived, int64_t now_us,
                             int64_t deadline, bb_error *error);
int32_t lmdb_key_add(void *session, const bb_key_record *key, int64_t deadline, bb_error *error);
int32_t lmdb_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us, int64_t deadline,
                        bb_error *error);

#endif
