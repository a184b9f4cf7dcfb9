/*
 * access.c: chatbots and API keys in SQLite: who may write where, and their administration.
 */
#include "backends/sqlite/access.h"

#include "backends/sqlite/result_code.h"

typedef struct chatbot {
    int found;
    int64_t workspace_id;
    int archived;
} chatbot;

typedef struct api_key {
    int found;
    int64_t workspace_id;
    int64_t chatbot_id;    /* or 0 */
    int64_t expires_at_us; /* or 0 */
    int revoked;
} api_key;

/* ----------------------------------------------------------------------------------- look-ups */

static int32_t find_chatbot(bb_sqlite_session *session, int64_t id, chatbot *out, bb_error *error)
{
    sqlite3_stmt *find;
    int32_t code = bb_sqlite_prepared(session, BB_SQLITE_FIND_CHATBOT, &find, error);
    int result;

    *out = (chatbot){0};
    if (code != BB_OK)
        return code;
    sqlite3_bind_int64(find, 1, id);
    result = sqlite3_step(find);
    if (result == SQLITE_ROW)
        *out = (chatbot){.found = 1,
                         .workspace_id = sqlite3_column_int64(find, 0),
                         .archived = sqlite3_column_int(find, 1)};
    else if (result != SQLITE_DONE)
        code = bb_sqlite_error(session->writer.db, result, error);
    sqlite3_reset(find);
    return code;
}

/* The index compares digests in a time that depends on them. That tells nothing, since nobody can
 * steer a SHA-256 towards that of a key they don't have. */
static int32_t find_key(bb_sqlite_session *session, const uint8_t *hash, api_key *out,
                        bb_error *error)
{
    sqlite3_stmt *find;
    int32_t code = bb_sqlite_prepared(session, BB_SQLITE_FIND_KEY, &find, error);
    int result;

    *out = (api_key){0};
    if (code != BB_OK)
        return code;
    sqlite3_bind_blob(find, 1, hash, BB_KEY_HASH_SIZE, SQLITE_STATIC);
    result = sqlite3_step(find);
    if (result == SQLITE_ROW)
        *out = (api_key){.found = 1,
                         .workspace_id = sqlite3_column_int64(find, 0),
                         .chatbot_id = sqlite3_column_int64(find, 1), /* NULL reads as 0 */
                         .expires_at_us = sqlite3_column_int64(find, 2),
                         .revoked = sqlite3_column_int(find, 3)};
    else if (result != SQLITE_DONE)
        code = bb_sqlite_error(session->writer.db, result, error);
    sqlite3_reset(find);
    return code;
}

/* ------------------------------------------------------------------------------- authorization */

/* In the order of A1: the key first, then the chatbot. */
int32_t bb_sqlite_check_access(bb_sqlite_session *session, const bb_access *access, bb_error *error)
{
    api_key key = {
        .found = 1, .workspace_id = access->workspace_id, .chatbot_id = access->key_chatbot_id};
    chatbot bot;
    int32_t code = BB_OK;

    if (access->key_hash != NULL)
        code = find_key(session, access->key_hash, &key, error);
    if (code != BB_OK)
        return code;
    if (!key.found || key.revoked)
        return BB_ERR_UNKNOWN_KEY;
    if (key.expires_at_us != 0 && access->now_us >= key.expires_at_us)
        return BB_ERR_UNKNOWN_KEY;
    code = find_chatbot(session, access->chatbot_id, &bot, error);
    if (code != BB_OK)
        return code;
    if (!bot.found || bot.workspace_id != key.workspace_id || bot.archived)
        return BB_ERR_NOT_FOUND;
    if (key.chatbot_id != 0 && key.chatbot_id != access->chatbot_id)
        return BB_ERR_NOT_FOUND;
    return BB_OK;
}

int32_t bb_sqlite_authorize(void *session, const bb_access *access, bb_error *error)
{
    int32_t code = bb_sqlite_start(session, access->deadline, error);

    return code == BB_OK ? bb_sqlite_check_access(session, access, error) : code;
}

/* ------------------------------------------------------------------------------ administration */

/* These run in a write transaction. */

static int32_t add_chatbot(bb_sqlite_session *session, int64_t id, int64_t workspace_id,
                           int64_t now_us, bb_error *error)
{
    sqlite3_stmt *add;
    chatbot known;
    int32_t code = find_chatbot(session, id, &known, error);

    if (code != BB_OK)
        return code;
    if (known.found)
        return known.workspace_id == workspace_id ? BB_OK : BB_ERR_CONFLICT;
    code = bb_sqlite_prepared(session, BB_SQLITE_ADD_CHATBOT, &add, error);
    if (code != BB_OK)
        return code;
    sqlite3_bind_int64(add, 1, id);
    sqlite3_bind_int64(add, 2, workspace_id);
    sqlite3_bind_int64(add, 3, now_us);
    return bb_sqlite_execute(session, add, error);
}

static int32_t archive_chatbot(bb_sqlite_session *session, int64_t id, int archived, int64_t now_us,
                               bb_error *error)
{
    sqlite3_stmt *archive;
    chatbot known;
    int32_t code = find_chatbot(session, id, &known, error);

    if (code != BB_OK)
        return code;
    if (!known.found)
        return BB_ERR_NOT_FOUND;
    if (known.archived == archived)
        return BB_OK;
    code = bb_sqlite_prepared(session, BB_SQLITE_ARCHIVE_CHATBOT, &archive, error);
    if (code != BB_OK)
        return code;
    sqlite3_bind_int64(archive, 1, id);
    if (archived)
        sqlite3_bind_int64(archive, 2, now_us);
    else
        sqlite3_bind_null(archive, 2);
    return bb_sqlite_execute(session, archive, error);
}

/* BB_ERR_NOT_FOUND if a new key is limited to a chatbot that its workspace does not have. */
static int32_t check_key_scope(bb_sqlite_session *session, const bb_key_record *key,
                               bb_error *error)
{
    chatbot bot;
    int32_t code;

    if (key->chatbot_id == 0)
        return BB_OK;
    code = find_chatbot(session, key->chatbot_id, &bot, error);
    if (code != BB_OK)
        return code;
    return bot.found && bot.workspace_id == key->workspace_id ? BB_OK : BB_ERR_NOT_FOUND;
}

static void bind_unless_zero(sqlite3_stmt *statement, int index, int64_t value)
{
    if (value != 0)
        sqlite3_bind_int64(statement, index, value);
    else
        sqlite3_bind_null(statement, index);
}

static int32_t add_key(bb_sqlite_session *session, const bb_key_record *key, bb_error *error)
{
    sqlite3_stmt *add;
    api_key known;
    int32_t code = find_key(session, key->key_hash, &known, error);

    if (code != BB_OK)
        return code;
    if (known.found) {
        int same_scope =
            known.workspace_id == key->workspace_id && known.chatbot_id == key->chatbot_id;
        return same_scope && !known.revoked ? BB_OK : BB_ERR_CONFLICT;
    }
    code = check_key_scope(session, key, error);
    if (code == BB_OK)
        code = bb_sqlite_prepared(session, BB_SQLITE_ADD_KEY, &add, error);
    if (code != BB_OK)
        return code;
    sqlite3_bind_blob(add, 1, key->key_hash, BB_KEY_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(add, 2, key->workspace_id);
    bind_unless_zero(add, 3, key->chatbot_id);
    bind_unless_zero(add, 4, key->expires_at_us);
    sqlite3_bind_int64(add, 5, key->now_us);
    return bb_sqlite_execute(session, add, error);
}

static int32_t revoke_key(bb_sqlite_session *session, const uint8_t *hash, int64_t now_us,
                          bb_error *error)
{
    sqlite3_stmt *revoke;
    api_key known;
    int32_t code = find_key(session, hash, &known, error);

    if (code != BB_OK)
        return code;
    if (!known.found)
        return BB_ERR_NOT_FOUND;
    if (known.revoked)
        return BB_OK;
    code = bb_sqlite_prepared(session, BB_SQLITE_REVOKE_KEY, &revoke, error);
    if (code != BB_OK)
        return code;
    sqlite3_bind_blob(revoke, 1, hash, BB_KEY_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(revoke, 2, now_us);
    return bb_sqlite_execute(session, revoke, error);
}

int32_t bb_sqlite_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id,
                              int64_t now_us, int64_t deadline, bb_error *error)
{
    int32_t code = bb_sqlite_begin(session, deadline, error);

    if (code != BB_OK)
        return code;
    code = add_chatbot(session, chatbot_id, workspace_id, now_us, error);
    return bb_sqlite_end(session, code, error);
}

int32_t bb_sqlite_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived,
                                  int64_t now_us, int64_t deadline, bb_error *error)
{
    int32_t code = bb_sqlite_begin(session, deadline, error);

    if (code != BB_OK)
        return code;
    code = archive_chatbot(session, chatbot_id, archived != 0, now_us, error);
    return bb_sqlite_end(session, code, error);
}

int32_t bb_sqlite_key_add(void *session, const bb_key_record *key, int64_t deadline,
                          bb_error *error)
{
    int32_t code = bb_sqlite_begin(session, deadline, error);

    if (code != BB_OK)
        return code;
    code = add_key(session, key, error);
    return bb_sqlite_end(session, code, error);
}

int32_t bb_sqlite_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us,
                             int64_t deadline, bb_error *error)
{
    int32_t code = bb_sqlite_begin(session, deadline, error);

    if (code != BB_OK)
        return code;
    code = revoke_key(session, key_hash, now_us, error);
    return bb_sqlite_end(session, code, error);
}
