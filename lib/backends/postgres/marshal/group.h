/*
 * group.h: the records of several writes in one order, and those who ask for them.
 */
#ifndef BB_POSTGRES_GROUP_H
#define BB_POSTGRES_GROUP_H

#include "bb_contacts/storage.h"
#include "util/alloc.h"

/* One record of one write. */
typedef struct bb_pg_item {
    const bb_record *record;
    int64_t chatbot_id;
    size_t index;   /* of the record in its write */
    uint32_t write; /* which */
    uint32_t asker; /* which */
    int before_row; /* the row with the contact as it was, from 1; 0: there is none */
    int stored_row; /* likewise as it is, of those that were read afterwards */
} bb_pg_item;

/* An asker stands for all writes that ask for the same chatbot in the same name. */
typedef struct bb_pg_group {
    const bb_allocator *allocator;
    const bb_write *const *writes;
    size_t write_count;
    uint32_t *asker_of; /* of each write */
    const bb_access **askers;
    size_t asker_count;
    bb_pg_item *items; /* by chatbot, then by key */
    size_t item_count;
    bb_pg_item **sent;  /* the items in the order of sending; NULL: in that of `items` */
    int wants_before;   /* some record has BB_RECORD_WANT_BEFORE */
    int merges;         /* some record has BB_RECORD_MERGE */
    int has_duplicates; /* several entries name some record */
    int has_all_values; /* rows of what was written have values that the records brought, too */
    int is_dry_run;     /* the only write has BB_WRITE_DRY_RUN */
    int is_seen;        /* somebody will see the contacts of some write (A4) */
} bb_pg_group;

/* BB_ERR_NOMEM, or BB_ERR_UNSUPPORTED if there are more writes than fit into one group. The writes
 * must outlive it; free it in any case. */
int32_t bb_pg_group_init(bb_pg_group *group, const bb_allocator *allocator,
                         const bb_write *const *writes, size_t write_count, bb_error *error);
void bb_pg_group_free(bb_pg_group *group);

/* Has the items of a single write sent in the order of their places in the request. BB_ERR_NOMEM
 * leaves the order as it is. */
int32_t bb_pg_group_send_by_place(bb_pg_group *group, bb_error *error);

/* The item that is sent as number `i`, from 0. */
static inline bb_pg_item *bb_pg_group_sent(const bb_pg_group *group, size_t i)
{
    return group->sent == NULL ? &group->items[i] : group->sent[i];
}

/* How often the answer has a record's contact. */
static inline size_t bb_pg_record_entries(const bb_record *record)
{
    return record->entries > 1 ? record->entries : 1;
}

/* The item with this key; NULL if there is none. */
bb_pg_item *bb_pg_group_find(const bb_pg_group *group, int64_t chatbot_id, bb_slice external_id);

#endif
