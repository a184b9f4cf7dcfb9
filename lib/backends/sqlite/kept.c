/*
 * kept.c: keeps what became of each record until all records of a write are written.
 */
#include "backends/sqlite/kept.h"

#include <string.h>

#include "util/alloc.h"

int32_t bb_sqlite_kept_init(bb_sqlite_kept *kept, const bb_allocator *allocator, size_t count)
{
    kept->allocator = allocator;
    kept->records = bb_alloc_array(allocator, count, sizeof *kept->records);
    if (kept->records == NULL)
        return BB_ERR_NOMEM;
    kept->count = count;
    memset(kept->records, 0, count * sizeof *kept->records);
    return BB_OK;
}

void bb_sqlite_kept_free(bb_sqlite_kept *kept)
{
    if (kept->records == NULL)
        return;
    for (size_t i = 0; i < kept->count; i++)
        bb_free(kept->allocator, kept->records[i].before);
    bb_free(kept->allocator, kept->records);
    kept->records = NULL;
}

/* Moves a string of the copy to `*to`, and `*to` behind it. */
static void take_over(bb_slice *slice, char **to)
{
    if (slice->data == NULL)
        return;
    memcpy(*to, slice->data, slice->len);
    slice->data = *to;
    *to += slice->len;
}

static bb_contact *copy(const bb_allocator *allocator, const bb_contact *contact)
{
    size_t len = contact->external_id.len + contact->name.len + contact->email.len +
                 contact->phonenumber.len + contact->stripe_accounts.len +
                 contact->custom_attributes.len;
    bb_contact *made = bb_alloc(allocator, sizeof *made + len);
    char *to;

    if (made == NULL)
        return NULL;
    *made = *contact;
    to = (char *)(made + 1);
    take_over(&made->external_id, &to);
    take_over(&made->name, &to);
    take_over(&made->email, &to);
    take_over(&made->phonenumber, &to);
    take_over(&made->stripe_accounts, &to);
    take_over(&made->custom_attributes, &to);
    return made;
}

int32_t bb_sqlite_kept_add(bb_sqlite_kept *kept, size_t index, int32_t outcome,
                           const bb_contact *before)
{
    bb_sqlite_kept_record *record = &kept->records[index];

    record->outcome = outcome;
    if (before != NULL)
        record->before = copy(kept->allocator, before);
    return before != NULL && record->before == NULL ? BB_ERR_NOMEM : BB_OK;
}
