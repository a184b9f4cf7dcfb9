/*
 * statistics.c: counts what a handle does, from any thread.
 *
 * These counters order nothing, so relaxed atomics are enough: each counts right.
 */
#include "execute/statistics.h"

enum { LATENCY_BOUNDS = 15 };

static const int32_t latency_bounds_us[LATENCY_BOUNDS] = {
    250,    500,    1000,   2500,    5000,    10000,   25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

int64_t bb_stats_latency_bound_us(size_t bucket)
{
    return bucket < LATENCY_BOUNDS ? latency_bounds_us[bucket] : INT64_MAX;
}

void bb_count(atomic_uint_least64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

void bb_count_answer(bb_counters *counters, const bb_result *result, int is_dry_run,
                     int64_t took_us)
{
    size_t bucket = 0;

    bb_count(&counters->requests[bb_result_status(result)], 1);
    for (int32_t outcome = BB_CREATED; outcome <= BB_UNCHANGED && !is_dry_run; outcome++) {
        size_t count = bb_result_count(result, outcome);
        if (count > 0)
            bb_count(&counters->contacts[outcome], count);
    }
    while (took_us > bb_stats_latency_bound_us(bucket))
        bucket++;
    bb_count(&counters->latency[bucket], 1);
    bb_count(&counters->latency_sum_us, (uint64_t)took_us);
}

void bb_count_write(bb_counters *counters, size_t requests)
{
    size_t bucket = 0;

    while (bucket + 1 < BB_STATS_BUCKETS && requests > (size_t)1 << bucket)
        bucket++;
    bb_count(&counters->writes, 1);
    bb_count(&counters->group_size[bucket], 1);
    if (requests > 1)
        bb_count(&counters->grouped_requests, requests);
}

static void read_all(atomic_uint_least64_t *from, uint64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
}

void bb_counters_read(bb_counters *counters, bb_stats *stats)
{
    read_all(counters->requests, stats->requests, BB_STATS_STATUSES);
    read_all(counters->contacts, stats->contacts, BB_STATS_OUTCOMES);
    read_all(&counters->writes, &stats->writes, 1);
    read_all(&counters->grouped_requests, &stats->grouped_requests, 1);
    read_all(&counters->ungrouped_requests, &stats->ungrouped_requests, 1);
    read_all(&counters->retries, &stats->retries, 1);
    read_all(&counters->cancelled, &stats->cancelled, 1);
    read_all(counters->latency, stats->latency, BB_STATS_BUCKETS);
    read_all(&counters->latency_sum_us, &stats->latency_sum_us, 1);
    read_all(counters->group_size, stats->group_size, BB_STATS_BUCKETS);
}
