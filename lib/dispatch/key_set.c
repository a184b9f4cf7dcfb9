/*
 * key_set.c: which contacts a group of requests names, so that none is named twice.
 *
 * An open hash table whose slots count only if they have the present stamp, so changing the stamp
 * clears it.
 */
#include "dispatch/key_set.h"

#include <string.h>

#include "util/alloc.h"

struct bb_key_slot {
    uint64_t hash;
    uint32_t stamp;
};

int32_t bb_key_set_init(bb_key_set *set, const bb_allocator *allocator,
                        const uint8_t seed[BB_HASH_SEED_SIZE], size_t max)
{
    size_t slot_count = 64;

    while (slot_count / 2 < max)
        slot_count *= 2;
    memset(set, 0, sizeof *set);
    set->allocator = *allocator;
    memcpy(set->seed, seed, sizeof set->seed);
    set->slots = bb_alloc_array(allocator, slot_count, sizeof *set->slots);
    if (set->slots == NULL)
        return BB_ERR_NOMEM;
    memset(set->slots, 0, slot_count * sizeof *set->slots);
    set->slot_count = slot_count;
    set->max = max;
    set->stamp = 1;
    return BB_OK;
}

void bb_key_set_free(bb_key_set *set)
{
    bb_free(&set->allocator, set->slots);
    set->slots = NULL;
}

void bb_key_set_clear(bb_key_set *set)
{
    set->count = 0;
    if (++set->stamp == 0) {
        memset(set->slots, 0, set->slot_count * sizeof *set->slots);
        set->stamp = 1;
    }
}

/* The slot with this hash, or the free one for it. */
static struct bb_key_slot *find(const bb_key_set *set, uint64_t hash)
{
    size_t mask = set->slot_count - 1;
    size_t at = (size_t)hash & mask;

    while (set->slots[at].stamp == set->stamp && set->slots[at].hash != hash)
        at = (at + 1) & mask;
    return &set->slots[at];
}

int bb_key_set_add(bb_key_set *set, const bb_job *job)
{
    const bb_batch *batch = job->batch;
    int64_t chatbot_id = job->access.chatbot_id;

    if (batch->record_count > set->max - set->count)
        return 0;
    for (size_t i = 0; i < batch->record_count; i++) {
        uint64_t hash = bb_hash_contact(set->seed, chatbot_id, batch->records[i].external_id);
        if (find(set, hash)->stamp == set->stamp)
            return 0;
    }
    for (size_t i = 0; i < batch->record_count; i++) {
        uint64_t hash = bb_hash_contact(set->seed, chatbot_id, batch->records[i].external_id);
        struct bb_key_slot *slot = find(set, hash);
        slot->hash = hash;
        slot->stamp = set->stamp;
    }
    set->count += batch->record_count;
    return 1;
}
