/*
 * history.h: many threads write at once; then some serial order must explain the result.
 *
 * Each write has a time of its own, so a contact's updated_at names the write that left it so.
 * Together with what put() said about each record (before, after, outcome), that tells the order of
 * writes on each key. If these orders have no cycle, one order of all writes agrees with them. The
 * writes are then repeated in that order on a model of the contract, and all answers and all stored
 * contacts must be the same (E7).
 */
#ifndef BB_CONFORMANCE_HISTORY_H
#define BB_CONFORMANCE_HISTORY_H

#include "fixture.h"

typedef struct history_plan {
    const char *prefix; /* of the keys, so that plans on one store don't meet */
    uint32_t threads;
    uint32_t writes;    /* of each thread */
    uint32_t keys;      /* how many there are */
    uint32_t batch_min; /* records of a write */
    uint32_t batch_max; /* at most keys */
    uint32_t values;    /* how many different values a field is set to; few: much is unchanged */
    int groups;         /* two writes of three are groups of requests of one record */
    uint64_t seed;
} history_plan;

/* Runs a plan, and fails the case if a write fails or no serial order explains the answers. */
void history_run(bb_case *c, const history_plan *plan);

#endif
