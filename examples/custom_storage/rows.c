/*
 * rows.c: how a contact is a key and a value of LMDB's.
 *
 * A key may have 511 bytes, an external_id 1020. So a long one is a hash in the key, and a number,
 * should two of one chatbot have the same hash; the value always has the whole external_id, which
 * is compared. Contacts are never deleted, so the numbers of a hash have no gaps.
 *
 *     chatbot_id, 8 bytes, big-endian   0   external_id
 *     chatbot_id                        1   hash, CONTACT_HASH_BYTES   number, 1 byte
 */
#include "rows.h"

#include <sodium.h>
#include <stdlib.h>

/* A test that wants all hashes to be the same makes it 0. */
#ifndef CONTACT_HASH_BYTES
#define CONTACT_HASH_BYTES 32
#endif

enum {
    PREFIX = 9, /* chatbot_id, and whether a hash follows */
    SHORT_ID_MAX = LMDB_KEY_MAX - PREFIX,
    NUMBERS = 256,
    STRINGS = 6
};

/* The head of a value; the strings follow. LMDB aligns values to 2 bytes, so it is copied. */
typedef struct row_head {
    int64_t id;
    int64_t created_at_us;
    int64_t updated_at_us;
    uint32_t lengths[STRINGS];
} row_head;

static const uint32_t null_length = UINT32_MAX;

/* The strings of a contact, in the order of a value. */
static void list_strings(bb_contact *contact, bb_slice *strings[STRINGS])
{
    strings[0] = &contact->external_id;
    strings[1] = &contact->name;
    strings[2] = &contact->email;
    strings[3] = &contact->phonenumber;
    strings[4] = &contact->stripe_accounts;
    strings[5] = &contact->custom_attributes;
}

/* ----------------------------------------------------------------------------------------- keys */

static void make_key(int64_t chatbot_id, bb_slice external_id, lmdb_key *key)
{
    unsigned char hash[crypto_generichash_BYTES];
    int is_long = external_id.len > SHORT_ID_MAX;

    for (int i = 0; i < 8; i++)
        key->bytes[i] = (unsigned char)((uint64_t)chatbot_id >> (56 - 8 * i));
    key->bytes[PREFIX - 1] = (unsigned char)is_long;
    if (!is_long) {
        memcpy(key->bytes + PREFIX, external_id.data, external_id.len);
        key->len = PREFIX + external_id.len;
        return;
    }
    crypto_generichash(hash, sizeof hash, (const unsigned char *)external_id.data, external_id.len,
                       NULL, 0);
    memcpy(key->bytes + PREFIX, hash, CONTACT_HASH_BYTES);
    key->len = PREFIX + CONTACT_HASH_BYTES + 1;
}

/* --------------------------------------------------------------------------------------- values */

/* A value as a contact; 0 if it is none. */
static int read_row(MDB_val value, bb_contact *contact)
{
    bb_slice *strings[STRINGS];
    const char *at = (const char *)value.mv_data + sizeof(row_head);
    size_t left = value.mv_size - sizeof(row_head);
    row_head head;

    if (value.mv_size < sizeof head)
        return 0;
    memcpy(&head, value.mv_data, sizeof head);
    *contact = (bb_contact){.size = sizeof *contact,
                            .id = head.id,
                            .created_at_us = head.created_at_us,
                            .updated_at_us = head.updated_at_us};
    list_strings(contact, strings);
    for (int i = 0; i < STRINGS; i++) {
        size_t len = head.lengths[i];
        if (len == null_length)
            continue;
        if (len > left)
            return 0;
        *strings[i] = (bb_slice){at, len};
        at += len;
        left -= len;
    }
    return contact->external_id.data != NULL && left == 0;
}

int32_t lmdb_row_make(const bb_contact *contact, lmdb_buffer *buffer, MDB_val *value)
{
    bb_contact copy = *contact;
    bb_slice *strings[STRINGS];
    row_head head = {contact->id, contact->created_at_us, contact->updated_at_us, {0}};
    size_t size = sizeof head;
    char *to;

    list_strings(&copy, strings);
    for (int i = 0; i < STRINGS; i++) {
        head.lengths[i] = strings[i]->data != NULL ? (uint32_t)strings[i]->len : null_length;
        size += strings[i]->len;
    }
    if (size > buffer->room) {
        char *data = realloc(buffer->data, size);
        if (data == NULL)
            return BB_ERR_NOMEM;
        *buffer = (lmdb_buffer){data, size};
    }
    memcpy(buffer->data, &head, sizeof head);
    to = buffer->data + sizeof head;
    for (int i = 0; i < STRINGS; i++) {
        if (strings[i]->len > 0)
            memcpy(to, strings[i]->data, strings[i]->len);
        to += strings[i]->len;
    }
    *value = (MDB_val){size, buffer->data};
    return BB_OK;
}

/* -------------------------------------------------------------------------------------- look-up */

static int is_same_id(bb_slice a, bb_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

int32_t lmdb_row_find(lmdb_txn *t, int64_t chatbot_id, bb_slice external_id, lmdb_key *key,
                      bb_contact *contact, int *is_known, bb_error *error)
{
    int numbers = external_id.len > SHORT_ID_MAX ? NUMBERS : 1;

    *is_known = 0;
    make_key(chatbot_id, external_id, key);
    for (int number = 0; number < numbers; number++) {
        MDB_val wanted = {key->len, key->bytes};
        MDB_val value;
        int result;
        if (numbers > 1)
            key->bytes[key->len - 1] = (unsigned char)number;
        result = mdb_get(t->txn, t->store->contacts, &wanted, &value);
        if (result == MDB_NOTFOUND)
            return BB_OK;
        if (result != 0)
            return lmdb_fail(t, result, error);
        if (!read_row(value, contact))
            return bb_error_set(error, BB_ERR_INTERNAL, "a contact of chatbot %lld is damaged",
                                (long long)chatbot_id);
        *is_known = is_same_id(contact->external_id, external_id);
        if (*is_known)
            return BB_OK;
    }
    return bb_error_set(error, BB_ERR_INTERNAL, "%d contacts of chatbot %lld have the same hash",
                        numbers, (long long)chatbot_id);
}
