/*
 * metrics.c: a handle's statistics as Prometheus reads them.
 *
 * The format is https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4; the
 * names follow https://prometheus.io/docs/practices/naming/: seconds, bytes, _total for counters.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void about(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP bb_contacts_%s %s\n# TYPE bb_contacts_%s %s\n", name, help, name, type);
}

static void single(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
    about(out, name, type, help);
    fprintf(out, "bb_contacts_%s %" PRIu64 "\n", name, value);
}

static void requests(FILE *out, const bb_stats *stats)
{
    about(out, "requests_total", "counter", "Requests answered, by outcome and HTTP status.");
#define XX(name, number, http, message)                                                          \
    fprintf(out,                                                                                 \
            "bb_contacts_requests_total{status=\"" #name "\",code=\"" #http "\"} %" PRIu64 "\n", \
            stats->requests[number]);
    BB_STATUS_MAP(XX)
#undef XX
}

static void contacts(FILE *out, const bb_stats *stats)
{
    static const struct {
        const char *name;
        bb_outcome outcome;
    } outcomes[] = {{"created", BB_CREATED}, {"updated", BB_UPDATED}, {"unchanged", BB_UNCHANGED}};

    about(out, "contacts_total", "counter", "Entries of requests stored, by what became of them.");
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        fprintf(out, "bb_contacts_contacts_total{outcome=\"%s\"} %" PRIu64 "\n", outcomes[i].name,
                stats->contacts[outcomes[i].outcome]);
}

static void sessions(FILE *out, const bb_stats *stats)
{
    /* The numbers are read one by one, so their difference may be negative for a moment. */
    uint32_t idle = stats->sessions_idle;
    uint32_t busy = stats->sessions_open > idle ? stats->sessions_open - idle : 0;

    about(out, "sessions", "gauge", "Storage sessions that are open.");
    fprintf(out, "bb_contacts_sessions{state=\"idle\"} %" PRIu32 "\n", idle);
    fprintf(out, "bb_contacts_sessions{state=\"busy\"} %" PRIu32 "\n", busy);
}

/* The library counts each bucket by itself; Prometheus wants the sum up to each bound. */
static void latency(FILE *out, const bb_stats *stats)
{
    uint64_t count = 0;

    about(out, "request_duration_seconds", "histogram",
          "Time from handing a request to the library to its answer.");
    for (size_t i = 0; i < BB_STATS_BUCKETS; i++) {
        int64_t bound = bb_stats_latency_bound_us(i);
        count += stats->latency[i];
        if (bound != INT64_MAX)
            fprintf(out, "bb_contacts_request_duration_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                    (double)bound / 1e6, count);
    }
    fprintf(out,
            "bb_contacts_request_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
            "bb_contacts_request_duration_seconds_sum %" PRIu64 ".%06" PRIu64 "\n"
            "bb_contacts_request_duration_seconds_count %" PRIu64 "\n",
            count, stats->latency_sum_us / 1000000, stats->latency_sum_us % 1000000, count);
}

static void groups(FILE *out, const bb_stats *stats)
{
    uint64_t count = 0;

    about(out, "group_requests", "histogram", "Requests that a transaction stored.");
    for (size_t i = 0; i < BB_STATS_BUCKETS; i++) {
        count += stats->group_size[i];
        fprintf(out, "bb_contacts_group_requests_bucket{le=\"%lu\"} %" PRIu64 "\n", 1UL << i,
                count);
    }
    fprintf(out,
            "bb_contacts_group_requests_bucket{le=\"+Inf\"} %" PRIu64 "\n"
            "bb_contacts_group_requests_sum %" PRIu64 "\n"
            "bb_contacts_group_requests_count %" PRIu64 "\n",
            count, stats->group_size[0] + stats->grouped_requests, count);
}

static void write_all(FILE *out, const bb_stats *stats)
{
    requests(out, stats);
    contacts(out, stats);
    single(out, "writes_total", "counter", "Transactions that stored something.", stats->writes);
    single(out, "grouped_requests_total", "counter",
           "Requests that shared their transaction with others.", stats->grouped_requests);
    single(out, "ungrouped_requests_total", "counter",
           "Requests written alone after a shared transaction failed.", stats->ungrouped_requests);
    single(out, "retries_total", "counter", "Attempts after the first, of writes and of checks.",
           stats->retries);
    single(out, "cancelled_total", "counter", "Requests cancelled while they waited.",
           stats->cancelled);
    single(out, "queue_requests", "gauge", "Requests that wait for a worker.", stats->queued);
    single(out, "queue_bytes", "gauge", "Bytes of the bodies of requests that wait.",
           stats->queued_bytes);
    sessions(out, stats);
    latency(out, stats);
    groups(out, stats);
}

char *metrics_text(bb_contacts *contacts, size_t *len)
{
    bb_stats stats;
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    int failed;

    if (out == NULL)
        return NULL;
    bb_stats_init(&stats);
    (void)bb_contacts_stats(contacts, &stats);
    write_all(out, &stats);
    failed = ferror(out);
    if (fclose(out) == 0 && !failed)
        return text;
    free(text);
    return NULL;
}
