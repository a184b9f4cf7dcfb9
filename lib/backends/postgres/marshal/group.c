/*
 * group.c: the records of several writes in one order, and those who ask for them.
 *
 * The order is that of the table's primary key, so that lookups go forward through it, and so that
 * a writer without the locks of locks.c meets the rows in the same order as others.
 */
#include "backends/postgres/marshal/group.h"

#include <stdlib.h>
#include <string.h>

#include "backends/postgres/sql/record_parameters.h"
#include "backends/postgres/wire/connection.h"
#include "util/slice.h"

static int is_same_asker(const bb_access *a, const bb_access *b)
{
    if (a->chatbot_id != b->chatbot_id || a->workspace_id != b->workspace_id ||
        a->key_chatbot_id != b->key_chatbot_id)
        return 0;
    if (a->key_hash == NULL || b->key_hash == NULL)
        return a->key_hash == b->key_hash;
    return memcmp(a->key_hash, b->key_hash, BB_KEY_HASH_SIZE) == 0;
}

/* Equal askers often come one after the other, so the last is tried first. */
static void add_asker(bb_pg_group *group, size_t write)
{
    const bb_access *access = group->writes[write]->access;
    size_t asker = group->asker_count;

    while (asker > 0 && !is_same_asker(group->askers[asker - 1], access))
        asker--;
    if (asker == 0) {
        group->askers[group->asker_count++] = access;
        asker = group->asker_count;
    }
    group->asker_of[write] = (uint32_t)(asker - 1);
}

static int compare_keys(int64_t chatbot_a, bb_slice a, int64_t chatbot_b, bb_slice b)
{
    if (chatbot_a != chatbot_b)
        return chatbot_a < chatbot_b ? -1 : 1;
    return bb_slice_compare(a, b);
}

static int compare_items(const void *a, const void *b)
{
    const bb_pg_item *left = a, *right = b;

    return compare_keys(left->chatbot_id, left->record->external_id, right->chatbot_id,
                        right->record->external_id);
}

static void add_items(bb_pg_group *group, size_t write)
{
    const bb_write *from = group->writes[write];

    group->is_seen |= !(from->flags & BB_WRITE_OUTCOMES_ONLY);
    for (size_t i = 0; i < from->record_count; i++) {
        group->items[group->item_count++] = (bb_pg_item){.record = from->records[i],
                                                         .chatbot_id = from->access->chatbot_id,
                                                         .index = i,
                                                         .write = (uint32_t)write,
                                                         .asker = group->asker_of[write]};
        group->has_duplicates |= bb_pg_record_entries(from->records[i]) > 1;
        group->wants_before |= (from->records[i]->flags & BB_RECORD_WANT_BEFORE) != 0;
        group->merges |= (from->records[i]->flags & BB_RECORD_MERGE) != 0;
    }
}

static int reserve(bb_pg_group *group)
{
    size_t items = 0;

    for (size_t i = 0; i < group->write_count; i++)
        items += group->writes[i]->record_count;
    group->items = bb_alloc_array(group->allocator, items, sizeof *group->items);
    group->askers = bb_alloc_array(group->allocator, group->write_count, sizeof *group->askers);
    group->asker_of = bb_alloc_array(group->allocator, group->write_count, sizeof *group->asker_of);
    return group->items != NULL && group->askers != NULL && group->asker_of != NULL;
}

int32_t bb_pg_group_init(bb_pg_group *group, const bb_allocator *allocator,
                         const bb_write *const *writes, size_t write_count, bb_error *error)
{
    *group = (bb_pg_group){.allocator = allocator, .writes = writes, .write_count = write_count};
    if (write_count > BB_PG_MAX_ASKERS)
        return bb_pg_error(error, BB_ERR_UNSUPPORTED, NULL, "too many writes for a group");
    if (!reserve(group))
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    group->is_dry_run = (writes[0]->flags & BB_WRITE_DRY_RUN) != 0;
    for (size_t i = 0; i < write_count; i++) {
        add_asker(group, i);
        add_items(group, i);
    }
    if (write_count > 1) /* one write's records are in order */
        qsort(group->items, group->item_count, sizeof *group->items, compare_items);
    return BB_OK;
}

static int compare_places(const void *a, const void *b)
{
    size_t left = (*(bb_pg_item *const *)a)->record->place;
    size_t right = (*(bb_pg_item *const *)b)->record->place;

    return (left > right) - (left < right);
}

int32_t bb_pg_group_send_by_place(bb_pg_group *group, bb_error *error)
{
    bb_pg_item **sent = bb_alloc_array(group->allocator, group->item_count, sizeof(bb_pg_item *));

    if (sent == NULL)
        return bb_pg_error(error, BB_ERR_NOMEM, NULL, "out of memory for a write");
    for (size_t i = 0; i < group->item_count; i++)
        sent[i] = &group->items[i];
    qsort(sent, group->item_count, sizeof(bb_pg_item *), compare_places);
    bb_free(group->allocator, group->sent);
    group->sent = sent;
    return BB_OK;
}

void bb_pg_group_free(bb_pg_group *group)
{
    bb_free(group->allocator, group->sent);
    bb_free(group->allocator, group->items);
    bb_free(group->allocator, group->askers);
    bb_free(group->allocator, group->asker_of);
}

bb_pg_item *bb_pg_group_find(const bb_pg_group *group, int64_t chatbot_id, bb_slice external_id)
{
    size_t low = 0, high = group->item_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bb_pg_item *item = &group->items[middle];
        int order =
            compare_keys(item->chatbot_id, item->record->external_id, chatbot_id, external_id);
        if (order == 0)
            return item;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
