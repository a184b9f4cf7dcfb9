/*
 * statistics.h: counts what a handle does, from any thread.
 */
#ifndef BB_STATISTICS_H
#define BB_STATISTICS_H

#include <stdatomic.h>

#include "bb_contacts/bb_contacts.h"

/* The members of bb_stats that grow; see there. */
typedef struct bb_counters {
    atomic_uint_least64_t requests[BB_STATS_STATUSES];
    atomic_uint_least64_t contacts[BB_STATS_OUTCOMES];
    atomic_uint_least64_t writes;
    atomic_uint_least64_t grouped_requests;
    atomic_uint_least64_t ungrouped_requests;
    atomic_uint_least64_t retries;
    atomic_uint_least64_t cancelled;
    atomic_uint_least64_t latency[BB_STATS_BUCKETS];
    atomic_uint_least64_t latency_sum_us;
    atomic_uint_least64_t group_size[BB_STATS_BUCKETS];
} bb_counters;

void bb_count(atomic_uint_least64_t *counter, uint64_t by);

/* Counts an answered request by the time since it came, and the contacts that were stored. */
void bb_count_answer(bb_counters *counters, const bb_result *result, int is_dry_run,
                     int64_t took_us);

/* Counts a committed transaction by how many requests it stored. */
void bb_count_write(bb_counters *counters, size_t requests);

/* Copies the counters to the members of `stats`. */
void bb_counters_read(bb_counters *counters, bb_stats *stats);

#endif
