/*
 * admin.h: chatbots and keys; see bb_storage_chatbot_add() and the functions after it.
 */
#ifndef BB_POSTGRES_ADMIN_H
#define BB_POSTGRES_ADMIN_H

#include "bb_contacts/storage.h"

/* The functions of bb_storage_vtable of these names. */
int32_t bb_pg_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id, int64_t now_us,
                          int64_t deadline, bb_error *error);
int32_t bb_pg_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived, int64_t now_us,
                              int64_t deadline, bb_error *error);
int32_t bb_pg_key_add(void *session, const bb_key_record *key, int64_t deadline, bb_error *error);
int32_t bb_pg_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us, int64_t deadline,
                         bb_error *error);

#endif
