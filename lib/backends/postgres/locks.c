/*
 * locks.c: which advisory locks a write takes, so that writes end as in some serial order (E7).
 *
 * A row that does not change is not locked, as that would write to it (E5), and a row that is not
 * there yet can't be; so the locks are on the keys. They are held to the end of the transaction and
 * write nothing. A write of a few records holds its chatbot's lock shared, then one lock for each
 * key; a larger one holds its chatbot's lock alone, since the server's lock table is not large.
 * All take the chatbot's lock first and the keys' in ascending order, so there is no deadlock.
 *
 * A lock is a 64-bit number, which all users of a database share; a hash keeps clear of the small
 * numbers that a host is likely to use. Two keys with one hash wait for each other, no more.
 */
#include "backends/postgres/locks.h"

static const uint64_t key_bit = (uint64_t)1 << 63;

/* FNV-1a. */
static uint64_t hash(uint64_t value, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        value = (value ^ bytes[i]) * UINT64_C(1099511628211);
    return value;
}

static uint64_t hash_chatbot(int64_t chatbot_id)
{
    static const char seed[] = "bb_contacts";
    unsigned char bytes[8];

    /* byte by byte: machines of either byte order must agree */
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)chatbot_id >> (8 * i));
    return hash(hash(UINT64_C(14695981039346656037), seed, sizeof seed), bytes, sizeof bytes);
}

/* The two kinds differ in a bit, so that no key's lock can be some chatbot's: with both in hand
 * two writes could wait for each other. */
static int64_t chatbot_lock(uint64_t chatbot)
{
    return (int64_t)(chatbot & ~key_bit);
}

static int64_t key_lock(uint64_t chatbot, bb_slice external_id)
{
    return (int64_t)(hash(chatbot, external_id.data, external_id.len) | key_bit);
}

/* Insertion sort; there are few. */
static void add_sorted(bb_pg_locks *locks, int64_t lock)
{
    size_t at = locks->exclusive_count;

    while (at > 0 && locks->exclusive[at - 1] > lock)
        at--;
    if (at > 0 && locks->exclusive[at - 1] == lock)
        return;
    for (size_t i = locks->exclusive_count; i > at; i--)
        locks->exclusive[i] = locks->exclusive[i - 1];
    locks->exclusive[at] = lock;
    locks->exclusive_count++;
}

void bb_pg_locks_init(bb_pg_locks *locks, const bb_write *write)
{
    uint64_t chatbot = hash_chatbot(write->access->chatbot_id);

    locks->shared_count = 0;
    locks->exclusive_count = 0;
    if (write->record_count > BB_PG_MAX_KEY_LOCKS) {
        add_sorted(locks, chatbot_lock(chatbot));
        return;
    }
    locks->shared[locks->shared_count++] = chatbot_lock(chatbot);
    for (size_t i = 0; i < write->record_count; i++)
        add_sorted(locks, key_lock(chatbot, write->records[i]->external_id));
}
