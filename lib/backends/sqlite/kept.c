/*
 * kept.c: keeps what became of each record until all records of a write are written.
 */
#include "backends/sqlite/kept.h"

#include <string.h>

#include "util/alloc.h"
#include "util/fields.h"

int32_t bb_sqlite_kept_init(bb_sqlite_kept *kept, const bb_allocator *allocator, size_t count,
                            size_t max_bytes)
{
    kept->room = max_bytes > 0 ? max_bytes : SIZE_MAX;
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

/* The bytes are in memory, so their sum can't overflow. */
static size_t bytes_of(const bb_contact *contact)
{
    size_t bytes = sizeof *contact;

    for (int i = 0; i < BB_FIELD_COUNT; i++)
        bytes += bb_contact_value(contact, &bb_fields[i]).len;
    return bytes;
}

/* Behind the copy are its strings, as the contact's own do not stay. */
static bb_contact *copy(const bb_allocator *allocator, const bb_contact *contact, size_t bytes)
{
    bb_contact *made = bb_alloc(allocator, bytes);
    char *to;

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

    size_t bytes;

    record->outcome = outcome;
    if (before == NULL)
        return BB_OK;
    bytes = bytes_of(before);
    if (bytes > kept->room)
        return BB_ERR_TOO_LARGE;
    kept->room -= bytes;
    record->before = copy(kept->allocator, before, bytes);
    return record->before == NULL ? BB_ERR_NOMEM : BB_OK;
}
