/*
 * locks.c: which advisory locks writes take, so that they end as in some serial order (E7).
 *
 * An unchanged row is not locked, as that would write to it (E5), and a missing row can't be; so
 * the locks are on the keys. They are held to the end of the transaction and write nothing. A write
 * of a few records holds the locks of their chatbots shared, then one lock for each key. A larger
 * one holds the locks of its chatbots exclusively, since the server's lock table is not large (by
 * default 64 for each connection, all together). A group may hold more locks than a request,
 * because groups that wait for each other's commits are no faster than single writes; a group that
 * finds the table full is written one by one. All take the chatbots' locks first, in ascending
 * order and all in one mode, and then the keys' in ascending order, whichever chatbot they are of,
 * so there is no deadlock.
 *
 * A lock is a 64-bit number, which all users of a database share; a hash keeps clear of the small
 * numbers that a host is likely to use. Two keys with one hash wait for each other, no more.
 */
#include "backends/postgres/marshal/locks.h"

#include <string.h>

#include "util/hash.h"

static const uint64_t key_bit = (uint64_t)1 << 63;

static uint64_t hash_chatbot(int64_t chatbot_id)
{
    static const char seed[] = "bb_contacts";
    unsigned char bytes[8];

    /* byte by byte: machines of either byte order must agree */
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)chatbot_id >> (8 * i));
    return bb_hash_fnv(bb_hash_fnv(BB_HASH_FNV_START, seed, sizeof seed), bytes, sizeof bytes);
}

/* The two kinds differ in a bit, so that no key's lock is a chatbot's: otherwise two writes could
 * wait for each other. */
static int64_t chatbot_lock(uint64_t chatbot)
{
    return (int64_t)(chatbot & ~key_bit);
}

static int64_t key_lock(uint64_t chatbot, bb_slice external_id)
{
    return (int64_t)(bb_hash_fnv(chatbot, external_id.data, external_id.len) | key_bit);
}

/* Where in a list a lock belongs. */
static size_t place_of(const bb_pg_lock_list *list, const bb_pg_lock *lock)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const bb_pg_lock *other = &list->locks[middle];
        if (other->number < lock->number ||
            (other->number == lock->number && other->asker < lock->asker))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Insertion sort; there are few. 0 if there is no more room. */
static int add_sorted(bb_pg_lock_list *list, int64_t number, uint32_t asker)
{
    bb_pg_lock lock = {number, asker};
    size_t at = place_of(list, &lock);
    bb_pg_lock *place = &list->locks[at];

    if (at < list->count && place->number == number && place->asker == asker)
        return 1;
    if (list->count == BB_PG_MAX_LOCKS)
        return 0;
    memmove(place + 1, place, (list->count - at) * sizeof *place);
    *place = lock;
    list->count++;
    return 1;
}

static int add_chatbots(bb_pg_lock_list *list, const bb_pg_group *group)
{
    for (size_t i = 0; i < group->asker_count; i++) {
        uint64_t chatbot = hash_chatbot(group->askers[i]->chatbot_id);
        if (!add_sorted(list, chatbot_lock(chatbot), (uint32_t)i))
            return 0;
    }
    return 1;
}

static void add_keys(bb_pg_lock_list *list, const bb_pg_group *group)
{
    int64_t chatbot_id = 0;
    uint64_t chatbot = 0;

    for (size_t i = 0; i < group->item_count; i++) {
        const bb_pg_item *item = &group->items[i];
        if (i == 0 || item->chatbot_id != chatbot_id)
            chatbot = hash_chatbot(item->chatbot_id);
        chatbot_id = item->chatbot_id;
        add_sorted(list, key_lock(chatbot, item->record->external_id), item->asker);
    }
}

int32_t bb_pg_locks_init(bb_pg_locks *locks, const bb_pg_group *group, bb_error *error)
{
    size_t most = group->write_count == 1 ? BB_PG_MAX_OWN_LOCKS : BB_PG_MAX_LOCKS;
    int by_key = group->item_count + group->asker_count <= most;

    locks->shared.count = 0;
    locks->exclusive.count = 0;
    if (!add_chatbots(by_key ? &locks->shared : &locks->exclusive, group))
        return bb_error_set(error, BB_ERR_UNSUPPORTED, "too many chatbots for one transaction");
    if (by_key)
        add_keys(&locks->exclusive, group);
    return BB_OK;
}

void bb_pg_params_add_locks(bb_pg_params *params, const bb_pg_lock_list *list)
{
    bb_pg_params_begin_array(params, BB_PG_INT8, list->count);
    for (size_t i = 0; i < list->count; i++)
        bb_pg_params_element_i64(params, list->locks[i].number);
    bb_pg_params_end_array(params);
}

size_t bb_pg_lock_list_size(const bb_pg_lock_list *list)
{
    return bb_pg_array_size(list->count, list->count * sizeof list->locks[0].number);
}

void bb_pg_params_add_no_locks(bb_pg_params *params)
{
    /* as the binary format has it: no dimensions, no nulls, the element type */
    static const char none[12] = {[11] = BB_PG_INT8};

    bb_pg_params_add_bytes(params, none, sizeof none);
    bb_pg_params_add_bytes(params, none, sizeof none);
}
