/*
 * memory.c: the reference storage backend: a hash table in this process, under one lock.
 *
 * It shows authors of backends what the functions of storage.h must do, without a database in the
 * way. Sessions are the store itself. Its lock is held only briefly, so deadlines are ignored.
 */
#include <pthread.h>

#include "backends/open.h"
#include "bb_contacts/storage.h"
#include "util/alloc.h"
#include "util/fields.h"
#include "util/hash.h"
#include "util/random.h"

enum { FIRST_BUCKETS = 64, FIRST_ITEMS = 8 };

typedef struct chatbot {
    int64_t id;
    int64_t workspace_id;
    int32_t archived;
} chatbot;

typedef struct api_key {
    uint8_t hash[BB_KEY_HASH_SIZE];
    int64_t workspace_id;
    int64_t chatbot_id;    /* or 0 */
    int64_t expires_at_us; /* or 0 */
    int32_t revoked;
} api_key;

/* A contact, in one block with its strings. It never changes: an update links a new row in its
 * place, so a write that fails half way only has to drop its new rows. */
typedef struct row {
    struct row *next; /* in the same bucket */
    uint64_t hash;
    int64_t chatbot_id;
    bb_contact contact;
} row;

typedef struct bucket {
    row *first;
} bucket;

typedef struct memory_store {
    bb_allocator allocator;
    pthread_mutex_t lock; /* guards all that follows but hash_seed */
    uint8_t hash_seed[BB_HASH_SEED_SIZE];
    bucket *buckets;
    size_t bucket_count; /* 0 or a power of two */
    size_t row_count;
    int64_t next_id;
    chatbot *chatbots;
    size_t chatbot_count;
    size_t chatbot_capacity;
    api_key *keys;
    size_t key_count;
    size_t key_capacity;
} memory_store;

static int32_t out_of_memory(bb_error *error)
{
    return bb_error_set(error, BB_ERR_NOMEM, "out of memory");
}

/* ------------------------------------------------------------------------- chatbots and keys */

static chatbot *find_chatbot(const memory_store *store, int64_t id)
{
    for (size_t i = 0; i < store->chatbot_count; i++) {
        if (store->chatbots[i].id == id)
            return &store->chatbots[i];
    }
    return NULL;
}

/* memcmp() need not take constant time here: its time tells about a SHA-256, which nobody can steer
 * towards that of a key they don't have. */
static api_key *find_key(const memory_store *store, const uint8_t *hash)
{
    for (size_t i = 0; i < store->key_count; i++) {
        if (memcmp(store->keys[i].hash, hash, BB_KEY_HASH_SIZE) == 0)
            return &store->keys[i];
    }
    return NULL;
}

/* Makes room for one more item in an array; NULL, and no change, if there is no memory. */
static void *grow_array(const bb_allocator *allocator, void *items, size_t count, size_t *capacity,
                        size_t item_size)
{
    size_t wanted = *capacity == 0 ? FIRST_ITEMS : *capacity * 2;
    void *grown;

    if (count < *capacity)
        return items;
    if (wanted > SIZE_MAX / 2 / item_size)
        return NULL;
    grown = bb_realloc(allocator, items, *capacity * item_size, wanted * item_size);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

/* B1 to B3, in the order of A1: the key first, then the chatbot. */
static int32_t check_access(const memory_store *store, const bb_access *access)
{
    int64_t workspace_id = access->workspace_id;
    int64_t only_chatbot_id = access->key_chatbot_id;
    const chatbot *bot;

    if (access->key_hash != NULL) {
        const api_key *key = find_key(store, access->key_hash);
        if (key == NULL || key->revoked)
            return BB_ERR_UNKNOWN_KEY;
        if (key->expires_at_us != 0 && access->now_us >= key->expires_at_us)
            return BB_ERR_UNKNOWN_KEY;
        workspace_id = key->workspace_id;
        only_chatbot_id = key->chatbot_id;
    }
    bot = find_chatbot(store, access->chatbot_id);
    if (bot == NULL || bot->workspace_id != workspace_id || bot->archived)
        return BB_ERR_NOT_FOUND;
    if (only_chatbot_id != 0 && only_chatbot_id != access->chatbot_id)
        return BB_ERR_NOT_FOUND;
    return BB_OK;
}

/* ---------------------------------------------------------------------------------- the table */

static row **first_of(const memory_store *store, uint64_t hash)
{
    return &store->buckets[hash & (store->bucket_count - 1)].first;
}

static const row *find_row(const memory_store *store, int64_t chatbot_id, bb_slice external_id,
                           uint64_t hash)
{
    const row *found = store->bucket_count == 0 ? NULL : *first_of(store, hash);

    for (; found != NULL; found = found->next) {
        if (found->hash == hash && found->chatbot_id == chatbot_id &&
            found->contact.external_id.len == external_id.len &&
            memcmp(found->contact.external_id.data, external_id.data, external_id.len) == 0)
            return found;
    }
    return NULL;
}

/* Makes sure that there are enough buckets for `added` more rows. */
static int32_t reserve_buckets(memory_store *store, size_t added)
{
    size_t count = store->bucket_count == 0 ? FIRST_BUCKETS : store->bucket_count;
    size_t old_count = store->bucket_count;
    bucket *old = store->buckets;
    bucket *buckets;

    while (count - store->row_count < added) {
        if (count > SIZE_MAX / sizeof *buckets / 2)
            return BB_ERR_NOMEM;
        count *= 2;
    }
    if (count == old_count)
        return BB_OK;
    buckets = bb_zalloc(&store->allocator, count * sizeof *buckets);
    if (buckets == NULL)
        return BB_ERR_NOMEM;
    store->buckets = buckets;
    store->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (row *at = old[i].first, *next; at != NULL; at = next) {
            row **first = first_of(store, at->hash);
            next = at->next;
            at->next = *first;
            *first = at;
        }
    }
    bb_free(&store->allocator, old);
    return BB_OK;
}

/* ------------------------------------------------------------------------------------ contacts */

/* A copy of a string's bytes at `*to`, which moves past them. */
static bb_slice move_slice(bb_slice slice, char **to)
{
    bb_slice moved = {*to, slice.len};

    if (slice.data == NULL)
        return slice;
    if (slice.len > 0)
        memcpy(*to, slice.data, slice.len);
    *to += slice.len;
    return moved;
}

/* A row of its own for a contact whose strings are someone else's; NULL if there is no memory. */
static row *make_row(const memory_store *store, int64_t chatbot_id, uint64_t hash,
                     const bb_contact *contact)
{
    size_t size = sizeof(row) + contact->external_id.len; /* at most 1020 bytes */
    char *to;
    row *made;

    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        size_t len = bb_contact_value(contact, &bb_fields[i]).len;
        if (len > SIZE_MAX - size)
            return NULL;
        size += len;
    }
    made = bb_alloc(&store->allocator, size);
    if (made == NULL)
        return NULL;
    *made = (row){.hash = hash, .chatbot_id = chatbot_id, .contact = *contact};
    to = (char *)(made + 1);
    made->contact.external_id = move_slice(contact->external_id, &to);
    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bb_contact_set_value(&made->contact, &bb_fields[i],
                             move_slice(bb_contact_value(contact, &bb_fields[i]), &to));
    return made;
}

/* --------------------------------------------------------------------------------- one write */

/* A row that a write is about to link: a new one, or one that takes another's place. */
typedef struct change {
    row *made;
    const row *replaced; /* or NULL */
} change;

/* The changes of one write; nobody sees them before commit(). */
typedef struct transaction {
    memory_store *store;
    const bb_write *write;
    change *changes; /* room for one per record */
    size_t count;
    size_t inserted;
    size_t oversized; /* records that merging would make too large */
    int64_t next_id;
} transaction;

/* Adds the change that makes a contact of `after`, in place of a row or of none. */
static int32_t add_change(transaction *tx, const row *replaced, uint64_t hash,
                          const bb_contact *after)
{
    change *next = &tx->changes[tx->count];

    next->made = make_row(tx->store, tx->write->access->chatbot_id, hash, after);
    if (next->made == NULL)
        return BB_ERR_NOMEM;
    next->replaced = replaced;
    tx->count++;
    return BB_OK;
}

/* Prepares what a record makes of a row, or of none, and reports it. */
static int32_t prepare_change(transaction *tx, size_t index, const row *known, uint64_t hash,
                              bb_change *applied)
{
    const bb_write *write = tx->write;
    const bb_contact *before = applied->before;
    const bb_contact *shown = write->records[index]->flags & BB_RECORD_WANT_BEFORE ? before : NULL;
    int32_t code;

    if (applied->outcome == BB_UNCHANGED)
        return write->put(write->put_ctx, index, BB_UNCHANGED, before, shown);
    if (applied->outcome == BB_CREATED) {
        applied->after->id = write->flags & BB_WRITE_DRY_RUN ? 0 : tx->next_id++;
        tx->inserted++;
    }
    code = add_change(tx, known, hash, applied->after);
    return code == BB_OK
               ? write->put(write->put_ctx, index, applied->outcome, applied->after, shown)
               : code;
}

/* Prepares what one record asks for, and reports it. One that is too large (D3) does not keep
 * others from being reported. */
static int32_t prepare_record(transaction *tx, size_t index)
{
    memory_store *store = tx->store;
    const bb_write *write = tx->write;
    const bb_record *record = write->records[index];
    int64_t chatbot_id = write->access->chatbot_id;
    uint64_t hash = bb_hash_contact(store->hash_seed, chatbot_id, record->external_id);
    const row *known = find_row(store, chatbot_id, record->external_id, hash);
    bb_contact after = {.size = sizeof after};
    bb_change applied;
    int32_t code;

    bb_change_init(&applied);
    applied.record = record;
    applied.before = known == NULL ? NULL : &known->contact;
    applied.now_us = write->access->now_us;
    applied.max_attribute_bytes = write->max_attribute_bytes;
    applied.allocator = &store->allocator;
    applied.after = &after;
    code = bb_record_apply(&applied, NULL);
    if (code == BB_OK)
        code = prepare_change(tx, index, known, hash, &applied);
    bb_change_free(&applied);
    if (code != BB_ERR_OVERSIZED)
        return code;
    tx->oversized++;
    return write->put(write->put_ctx, index, BB_PUT_OVERSIZED, NULL, NULL);
}

/* Links the changes. Nothing here can fail: the buckets are there. */
static void commit(transaction *tx)
{
    memory_store *store = tx->store;

    for (size_t i = 0; i < tx->count; i++) {
        const change *done = &tx->changes[i];
        row **link = first_of(store, done->made->hash);
        row *replaced;

        if (done->replaced == NULL) {
            done->made->next = *link;
            *link = done->made;
            continue;
        }
        while (*link != done->replaced)
            link = &(*link)->next;
        replaced = *link;
        done->made->next = replaced->next;
        *link = done->made;
        bb_free(&store->allocator, replaced);
    }
    store->row_count += tx->inserted;
    store->next_id = tx->next_id;
}

static void roll_back(transaction *tx)
{
    for (size_t i = 0; i < tx->count; i++)
        bb_free(&tx->store->allocator, tx->changes[i].made);
}

/* Under the lock: all records or none (A2). */
static int32_t write_locked(transaction *tx)
{
    int32_t code = check_access(tx->store, tx->write->access);

    if (code != BB_OK)
        return code;
    tx->next_id = tx->store->next_id;
    for (size_t i = 0; i < tx->write->record_count && code == BB_OK; i++)
        code = prepare_record(tx, i);
    if (code == BB_OK && tx->oversized > 0)
        code = BB_ERR_OVERSIZED;
    if (code == BB_OK)
        code = reserve_buckets(tx->store, tx->inserted);
    if (code == BB_OK && !(tx->write->flags & BB_WRITE_DRY_RUN))
        commit(tx);
    else
        roll_back(tx);
    return code;
}

/* ------------------------------------------------------------------- the functions of storage.h */

static void memory_close(void *store_)
{
    memory_store *store = store_;
    bb_allocator allocator = store->allocator;

    for (size_t i = 0; i < store->bucket_count; i++) {
        for (row *at = store->buckets[i].first, *next; at != NULL; at = next) {
            next = at->next;
            bb_free(&allocator, at);
        }
    }
    bb_free(&allocator, store->buckets);
    bb_free(&allocator, store->chatbots);
    bb_free(&allocator, store->keys);
    pthread_mutex_destroy(&store->lock);
    bb_free(&allocator, store);
}

static int32_t memory_session_open(void *store, int64_t deadline, void **session, bb_error *error)
{
    (void)deadline;
    (void)error;
    *session = store;
    return BB_OK;
}

static void memory_session_close(void *session)
{
    (void)session;
}

static int32_t memory_authorize(void *session, const bb_access *access, bb_error *error)
{
    memory_store *store = session;
    int32_t code;

    (void)error;
    pthread_mutex_lock(&store->lock);
    code = check_access(store, access);
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* One write, with the lock held. */
static int32_t write_one(memory_store *store, const bb_write *write, bb_error *error)
{
    transaction tx = {.store = store, .write = write};
    int32_t code;

    tx.changes = bb_alloc_array(&store->allocator, write->record_count, sizeof *tx.changes);
    if (tx.changes == NULL)
        return out_of_memory(error);
    code = write_locked(&tx);
    bb_free(&store->allocator, tx.changes);
    return code == BB_ERR_NOMEM ? out_of_memory(error) : code;
}

static int32_t memory_write(void *session, const bb_write *write, bb_error *error)
{
    memory_store *store = session;
    int32_t code;

    pthread_mutex_lock(&store->lock);
    code = write_one(store, write, error);
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* Here is no price of a commit to share. Nobody comes in between, but each write stands or falls by
 * itself. */
static int32_t memory_write_group(void *session, const bb_write_group *group, bb_error *error)
{
    memory_store *store = session;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < group->write_count; i++)
        group->codes[i] = write_one(store, group->writes[i], error);
    pthread_mutex_unlock(&store->lock);
    return BB_OK;
}

static int32_t add_chatbot_locked(memory_store *store, int64_t id, int64_t workspace_id)
{
    const chatbot *known = find_chatbot(store, id);
    chatbot *chatbots;

    if (known != NULL)
        return known->workspace_id == workspace_id ? BB_OK : BB_ERR_CONFLICT;
    chatbots = grow_array(&store->allocator, store->chatbots, store->chatbot_count,
                          &store->chatbot_capacity, sizeof *chatbots);
    if (chatbots == NULL)
        return BB_ERR_NOMEM;
    store->chatbots = chatbots;
    chatbots[store->chatbot_count++] = (chatbot){.id = id, .workspace_id = workspace_id};
    return BB_OK;
}

static int32_t memory_chatbot_add(void *session, int64_t chatbot_id, int64_t workspace_id,
                                  int64_t now_us, int64_t deadline, bb_error *error)
{
    memory_store *store = session;
    int32_t code;

    (void)now_us;
    (void)deadline;
    pthread_mutex_lock(&store->lock);
    code = add_chatbot_locked(store, chatbot_id, workspace_id);
    pthread_mutex_unlock(&store->lock);
    return code == BB_ERR_NOMEM ? out_of_memory(error) : code;
}

static int32_t memory_chatbot_archive(void *session, int64_t chatbot_id, int32_t archived,
                                      int64_t now_us, int64_t deadline, bb_error *error)
{
    memory_store *store = session;
    chatbot *bot;

    (void)now_us;
    (void)deadline;
    (void)error;
    pthread_mutex_lock(&store->lock);
    bot = find_chatbot(store, chatbot_id);
    if (bot != NULL)
        bot->archived = archived != 0;
    pthread_mutex_unlock(&store->lock);
    return bot != NULL ? BB_OK : BB_ERR_NOT_FOUND;
}

static int32_t add_key_locked(memory_store *store, const bb_key_record *record)
{
    const api_key *known = find_key(store, record->key_hash);
    const chatbot *bot;
    api_key *keys;

    if (known != NULL) {
        int same_scope =
            known->workspace_id == record->workspace_id && known->chatbot_id == record->chatbot_id;
        return same_scope && !known->revoked ? BB_OK : BB_ERR_CONFLICT;
    }
    bot = record->chatbot_id == 0 ? NULL : find_chatbot(store, record->chatbot_id);
    if (record->chatbot_id != 0 && (bot == NULL || bot->workspace_id != record->workspace_id))
        return BB_ERR_NOT_FOUND;
    keys = grow_array(&store->allocator, store->keys, store->key_count, &store->key_capacity,
                      sizeof *keys);
    if (keys == NULL)
        return BB_ERR_NOMEM;
    store->keys = keys;
    keys += store->key_count++;
    *keys = (api_key){.workspace_id = record->workspace_id,
                      .chatbot_id = record->chatbot_id,
                      .expires_at_us = record->expires_at_us};
    memcpy(keys->hash, record->key_hash, BB_KEY_HASH_SIZE);
    return BB_OK;
}

static int32_t memory_key_add(void *session, const bb_key_record *key, int64_t deadline,
                              bb_error *error)
{
    memory_store *store = session;
    int32_t code;

    (void)deadline;
    pthread_mutex_lock(&store->lock);
    code = add_key_locked(store, key);
    pthread_mutex_unlock(&store->lock);
    return code == BB_ERR_NOMEM ? out_of_memory(error) : code;
}

static int32_t memory_key_revoke(void *session, const uint8_t *key_hash, int64_t now_us,
                                 int64_t deadline, bb_error *error)
{
    memory_store *store = session;
    api_key *key;

    (void)now_us;
    (void)deadline;
    (void)error;
    pthread_mutex_lock(&store->lock);
    key = find_key(store, key_hash);
    if (key != NULL)
        key->revoked = 1;
    pthread_mutex_unlock(&store->lock);
    return key != NULL ? BB_OK : BB_ERR_NOT_FOUND;
}

static const bb_storage_vtable memory_vtable = {
    .size = sizeof(bb_storage_vtable),
    .version = BB_STORAGE_VERSION,
    .flags =
        BB_STORAGE_ORDERED_GROUPS | BB_STORAGE_ONE_WRITER | BB_STORAGE_MERGES | BB_STORAGE_DRY_RUNS,
    .name = "memory",
    .close = memory_close,
    .session_open = memory_session_open,
    .session_close = memory_session_close,
    .authorize = memory_authorize,
    .write = memory_write,
    .chatbot_add = memory_chatbot_add,
    .chatbot_archive = memory_chatbot_archive,
    .key_add = memory_key_add,
    .key_revoke = memory_key_revoke,
    .write_group = memory_write_group,
};

static int32_t make_store(const bb_allocator *allocator, memory_store **out, bb_error *error)
{
    memory_store *store = bb_zalloc(allocator, sizeof *store);
    int32_t code;

    if (store == NULL)
        return out_of_memory(error);
    store->allocator = *allocator;
    store->next_id = 1;
    if (bb_random_fill(NULL, NULL, store->hash_seed, sizeof store->hash_seed) != 0)
        code = bb_error_set(error, BB_ERR_INTERNAL, "the operating system gives no random bytes");
    else if (pthread_mutex_init(&store->lock, NULL) != 0)
        code = bb_error_set(error, BB_ERR_INTERNAL, "pthread_mutex_init failed");
    else
        code = BB_OK;
    if (code == BB_OK)
        *out = store;
    else
        bb_free(allocator, store);
    return code;
}

int32_t bb_storage_open_memory(const bb_storage_options *options, bb_storage **out, bb_error *error)
{
    memory_store *store = NULL;
    bb_opening opening;
    int32_t code = bb_opening_begin(&opening, options, out, error);

    if (code == BB_OK)
        code = make_store(&opening.allocator, &store, error);
    if (store == NULL)
        return code;
    code = bb_storage_new(&memory_vtable, store, &opening.allocator, out, error);
    if (code != BB_OK)
        memory_close(store);
    return code;
}
