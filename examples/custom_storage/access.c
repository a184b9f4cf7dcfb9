/*
 * access.c: chatbots and keys: who may write where (B1 to B3), and their administration.
 */
#include "access.h"

#include "session.h"

typedef struct chatbot {
    int64_t workspace_id;
    int64_t archived;
} chatbot;

typedef struct api_key {
    int64_t workspace_id;
    int64_t chatbot_id;    /* or 0 */
    int64_t expires_at_us; /* or 0 */
    int64_t revoked;
} api_key;

/* ------------------------------------------------------------------------------ fixed-size rows */

/* Reads a row of this size. BB_ERR_NOT_FOUND: there is none. */
static int32_t get(lmdb_txn *t, MDB_dbi dbi, MDB_val key, void *row, size_t size, bb_error *error)
{
    MDB_val value;
    int result = mdb_get(t->txn, dbi, &key, &value);

    if (result == MDB_NOTFOUND)
        return BB_ERR_NOT_FOUND;
    if (result != 0)
        return lmdb_fail(t, result, error);
    if (value.mv_size != size)
        return bb_error_set(error, BB_ERR_INTERNAL, "a chatbot or key is damaged");
    memcpy(row, value.mv_data, size);
    return BB_OK;
}

static int32_t put(lmdb_txn *t, MDB_dbi dbi, MDB_val key, void *row, size_t size, bb_error *error)
{
    MDB_val value = {size, row};
    int result = mdb_put(t->txn, dbi, &key, &value, 0);

    return result == 0 ? BB_OK : lmdb_fail(t, result, error);
}

static MDB_val key_of_id(int64_t *id)
{
    return (MDB_val){sizeof *id, id};
}

/* MDB_val has no const; LMDB does not write to keys. */
static MDB_val key_of_hash(const uint8_t *hash, uint8_t copy[BB_KEY_HASH_SIZE])
{
    memcpy(copy, hash, BB_KEY_HASH_SIZE);
    return (MDB_val){BB_KEY_HASH_SIZE, copy};
}

static int32_t get_chatbot(lmdb_txn *t, int64_t id, chatbot *bot, bb_error *error)
{
    return get(t, t->store->chatbots, key_of_id(&id), bot, sizeof *bot, error);
}

static int32_t put_chatbot(lmdb_txn *t, int64_t id, chatbot bot, bb_error *error)
{
    return put(t, t->store->chatbots, key_of_id(&id), &bot, sizeof bot, error);
}

static int32_t get_key(lmdb_txn *t, const uint8_t *hash, api_key *key, bb_error *error)
{
    uint8_t copy[BB_KEY_HASH_SIZE];

    return get(t, t->store->api_keys, key_of_hash(hash, copy), key, sizeof *key, error);
}

static int32_t put_key(lmdb_txn *t, const uint8_t *hash, api_key key, bb_error *error)
{
    uint8_t copy[BB_KEY_HASH_SIZE];

    return put(t, t->store->api_keys, key_of_hash(hash, copy), &key, sizeof key, error);
}

/* --------------------------------------------------------------------------------------- access */

/* Finds the key of an access, if that has one, and whose it is. */
static int32_t check_key(lmdb_txn *t, const bb_access *access, int64_t *workspace_id,
                         int64_t *only_chatbot_id, bb_error *error)
{
    api_key key = {0};
    int32_t code;

    *workspace_id = access->workspace_id;
    *only_chatbot_id = access->key_chatbot_id;
    if (access->key_hash == NULL)
        return BB_OK;
    code = get_key(t, access->key_hash, &key, error);
    if (code == BB_ERR_NOT_FOUND)
        return BB_ERR_UNKNOWN_KEY;
    if (code != BB_OK)
        return code;
    if (key.revoked || (key.expires_at_us != 0 && access->now_us >= key.expires_at_us))
        return BB_ERR_UNKNOWN_KEY;
    *workspace_id = key.workspace_id;
    *only_chatbot_id = key.chatbot_id;
    return BB_OK;
}

int32_t lmdb_access_check(lmdb_txn *t, const bb_access *access, bb_error *error)
{
    int64_t workspace_id, only_chatbot_id;
    chatbot bot = {0};
    int32_t code = check_key(t, access, &workspace_id, &only_chatbot_id, error);

    if (code == BB_OK)
        code = get_chatbot(t, access->chatbot_id, &bot, error);
    if (code != BB_OK)
        return code;
    if (bot.workspace_id != workspace_id || bot.archived)
        return BB_ERR_NOT_FOUND;
    if (only_chatbot_id != 0 && only_chatbot_id != access->chatbot_id)
        return BB_ERR_NOT_FOUND;
    return BB_OK;
}

int32_t lmdb_authorize(void *session_, const bb_access *access, bb_error *error)
{
    lmdb_session *session = session_;
    lmdb_txn t;
    int32_t code = lmdb_read_begin(session->store, access->deadline, &t, error);

    if (code != BB_OK)
        return code;
    code = lmdb_access_check(&t, access, error);
    lmdb_read_end(&t);
    return code;
}

/* ------------------------------------------------------------------------------- administration */

static int32_t add_chatbot(lmdb_txn *t, int64_t id, int64_t workspace_id, bb_error *error)
{
    chatbot bot = {0};
    int32_t code = get_chatbot(t, id, &bot, error);

    if (code == BB_ERR_NOT_FOUND)
        return put_chatbot(t, id, (chatbot){.workspace_id = workspace_id}, error);
    if (code != BB_OK)
        return code;
    return bot.workspace_id == workspace_id ? BB_OK : BB_ERR_CONFLICT;
}

int32_t lmdb_chatbot_add(void *session_, int64_t chatbot_id, int64_t workspace_id, int64_t now_us,
                         int64_t deadline, bb_error *error)
{
    lmdb_session *session = session_;
    lmdb_txn t;
    int32_t code = lmdb_write_begin(session->store, deadline, &t, error);

    (void)now_us;
    if (code != BB_OK)
        return code;
    return lmdb_write_end(&t, add_chatbot(&t, chatbot_id, workspace_id, error), error);
}

static int32_t archive_chatbot(lmdb_txn *t, int64_t id, int32_t archived, bb_error *error)
{
    chatbot bot = {0};
    int32_t code = get_chatbot(t, id, &bot, error);

    if (code != BB_OK)
        return code;
    bot.archived = archived != 0;
    return put_chatbot(t, id, bot, error);
}

int32_t lmdb_chatbot_archive(void *session_, int64_t chatbot_id, int32_t archived, int64_t now_us,
                             int64_t deadline, bb_error *error)
{
    lmdb_session *session = session_;
    lmdb_txn t;
    int32_t code = lmdb_write_begin(session->store, deadline, &t, error);

    (void)now_us;
    if (code != BB_OK)
        return code;
    return lmdb_write_end(&t, archive_chatbot(&t, chatbot_id, archived, error), error);
}

static int32_t add_key(lmdb_txn *t, const bb_key_record *record, bb_error *error)
{
    api_key known = {0};
    chatbot bot = {0};
    int32_t code = get_key(t, record->key_hash, &known, error);

    if (code == BB_OK) {
        int same_scope =
            known.workspace_id == record->workspace_id && known.chatbot_id == record->chatbot_id;
        return same_scope && !known.revoked ? BB_OK : BB_ERR_CONFLICT;
    }
    if (code != BB_ERR_NOT_FOUND)
        return code;
    if (record->chatbot_id != 0) {
        code = get_chatbot(t, record->chatbot_id, &bot, error);
        if (code != BB_OK)
            return code;
        if (bot.workspace_id != record->workspace_id)
            return BB_ERR_NOT_FOUND;
    }
    return put_key(t, record->key_hash,
                   (api_key){record->workspace_id, record->chatbot_id, record->expires_at_us, 0},
                   error);
}

int32_t lmdb_key_add(void *session_, const bb_key_record *key, int64_t deadline, bb_error *error)
{
    lmdb_session *session = session_;
    lmdb_txn t;
    int32_t code = lmdb_write_begin(session->store, deadline, &t, error);

    if (code != BB_OK)
        return code;
    return lmdb_write_end(&t, add_key(&t, key, error), error);
}

static int32_t revoke_key(lmdb_txn *t, const uint8_t *hash, bb_error *error)
{
    api_key key = {0};
    int32_t code = get_key(t, hash, &key, error);

    if (code != BB_OK)
        return code;
    key.revoked = 1;
    return put_key(t, hash, key, error);
}

int32_t lmdb_key_revoke(void *session_, const uint8_t *key_hash, int64_t now_us, int64_t deadline,
                        bb_error *error)
{
    lmdb_session *session = session_;
    lmdb_txn t;
    int32_t code = lmdb_write_begin(session->store, deadline, &t, error);

    (void)now_us;
    if (code != BB_OK)
        return code;
    return lmdb_write_end(&t, revoke_key(&t, key_hash, error), error);
}
