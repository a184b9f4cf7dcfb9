/*
 * locks.h: which advisory locks writes take, so that they end as in some serial order (E7).
 */
#ifndef BB_POSTGRES_LOCKS_H
#define BB_POSTGRES_LOCKS_H

#include "backends/postgres/marshal/group.h"
#include "backends/postgres/wire/parameters.h"

/* The most locks of a request, and of a group: the chatbots' and the keys' together. */
enum { BB_PG_MAX_OWN_LOCKS = 33, BB_PG_MAX_LOCKS = 129 };

/* A lock, and the asker who must be allowed to write before it is taken. */
typedef struct bb_pg_lock {
    int64_t number;
    uint32_t asker;
} bb_pg_lock;

/* In ascending order, each once for an asker. */
typedef struct bb_pg_lock_list {
    bb_pg_lock locks[BB_PG_MAX_LOCKS];
    size_t count;
} bb_pg_lock_list;

typedef struct bb_pg_locks {
    bb_pg_lock_list shared;
    bb_pg_lock_list exclusive;
} bb_pg_locks;

/* BB_ERR_UNSUPPORTED if the writes are to more chatbots than there may be locks. */
int32_t bb_pg_locks_init(bb_pg_locks *locks, const bb_pg_group *group, bb_error *error);

/* A list's numbers as one parameter, an array; and the room that it takes. */
void bb_pg_params_add_locks(bb_pg_params *params, const bb_pg_lock_list *list);
size_t bb_pg_lock_list_size(const bb_pg_lock_list *list);

/* Both arrays of locks without any. */
void bb_pg_params_add_no_locks(bb_pg_params *params);

#endif
