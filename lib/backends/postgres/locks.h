/*
 * locks.h: which advisory locks a write takes, so that writes end as in some serial order (E7).
 */
#ifndef BB_POSTGRES_LOCKS_H
#define BB_POSTGRES_LOCKS_H

#include "backends/postgres/parameters.h"

enum { BB_PG_MAX_KEY_LOCKS = 32 };

typedef struct bb_pg_locks {
    int64_t shared[1];
    size_t shared_count;
    int64_t exclusive[BB_PG_MAX_KEY_LOCKS]; /* in ascending order, each once */
    size_t exclusive_count;
} bb_pg_locks;

void bb_pg_locks_init(bb_pg_locks *locks, const bb_write *write);

#endif
