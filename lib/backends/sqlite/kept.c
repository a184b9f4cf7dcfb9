/*
 * kept.c: keeps what became of each record until all records of a write are written.
 */
#include "backends/sqlite/kept.h"

#include <string.h>

#include "util/alloc.h"
#include "util/fields.h"

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

/* Behind the copy are its strings, as the contact's own do not stay. */
static bb_contact *copy(const bb_allocator *allocator, const bb_contact *contact)
{
    size_t len = 0;
    bb_contact *made;
    char *to;

    for (int i = 0; i < BB_FIELD_COUNT; i++)
        len += bb_contact_value(contact, &bb_fields[i]).len;
    made = bb_alloc(allocator, sizeof *made + len);
    if (made == NULL)
        return NULL;
    *made = *contact;
    to = (char *)(made + 1);
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        bb_slice value = bb_contact_value(contact, &bb_fields[i]);
        if (value.data == NULL)
            continue;
        memcpy(to, value.data, value.len);
        bb_contact_set_value(made, &bb_fields[i], (bb_slice){to, value.len});
        to += value.len;
    }
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
