/*
 * kept.h: keeps what became of each record until all records of a write are written.
 *
 * For tables with triggers of the host's. A trigger may change a value after it was written, even
 * that of another contact of the request, so nothing can be put before all is done.
 */
#ifndef BB_SQLITE_KEPT_H
#define BB_SQLITE_KEPT_H

#include "bb_contacts/storage.h"

typedef struct bb_sqlite_kept_record {
    int32_t outcome;
    bb_contact *before; /* or NULL; its strings follow it, but the key is the record's */
} bb_sqlite_kept_record;

typedef struct bb_sqlite_kept {
    const bb_allocator *allocator;
    bb_sqlite_kept_record *records; /* NULL: nothing is kept */
    size_t count;
    size_t room; /* bytes that more contacts may have */
} bb_sqlite_kept;

/* BB_OK or BB_ERR_NOMEM. The contacts may have `max_bytes`; 0: as many as there are. */
int32_t bb_sqlite_kept_init(bb_sqlite_kept *kept, const bb_allocator *allocator, size_t count,
                            size_t max_bytes);

/* BB_OK, BB_ERR_NOMEM, or BB_ERR_TOO_LARGE. `before` is copied. */
int32_t bb_sqlite_kept_add(bb_sqlite_kept *kept, size_t index, int32_t outcome,
                           const bb_contact *before);
void bb_sqlite_kept_free(bb_sqlite_kept *kept);

#endif
