/*
 * measure.c: times of things that are done in turn, and their medians, spread and ratios.
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

double bench_now_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double bench_cpu_ms(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void bench_add(bench_series *series, double value)
{
    if (series->count < BENCH_MOST_ROUNDS)
        series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_percentile(const bench_series *series, unsigned percent)
{
    static double sorted[BENCH_MOST_ROUNDS];

    if (series->count == 0)
        return 0;
    memcpy(sorted, series->values, series->count * sizeof *sorted);
    qsort(sorted, series->count, sizeof *sorted, compare);
    return sorted[(series->count - 1) * percent / 100];
}

void bench_row(const char *label, const bench_series *series, const bench_series *library)
{
    static bench_series ratios;

    printf("| %s | %.4g | %.4g to %.4g |", label, bench_percentile(series, 50),
           bench_percentile(series, 10), bench_percentile(series, 90));
    if (series == library) {
        printf(" | |\n");
        return;
    }
    ratios.count = 0;
    for (size_t i = 0; i < series->count && i < library->count; i++)
        bench_add(&ratios, library->values[i] / series->values[i]);
    printf(" %.2f | %.2f to %.2f |\n", bench_percentile(library, 50) / bench_percentile(series, 50),
           bench_percentile(&ratios, 10), bench_percentile(&ratios, 90));
}

unsigned long bench_number(const char *argument, unsigned long most)
{
    char *end;
    unsigned long number = strtoul(argument, &end, 10);

    if (*argument == '\0' || *end != '\0' || number == 0 || number > most)
        bench_stop("not a number that is possible here", argument);
    return number;
}

void bench_stop(const char *what, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1); // NOLINT(concurrency-mt-unsafe)
}
