/*
 * measure.h: times of things that are done in turn, and their medians, spread and ratios.
 */
#ifndef BB_BENCH_MEASURE_H
#define BB_BENCH_MEASURE_H

#include <stddef.h>

enum { BENCH_MOST_ROUNDS = 10000 };

/* The times or rates of one thing, one a round. */
typedef struct bench_series {
    size_t count;
    double values[BENCH_MOST_ROUNDS];
} bench_series;

/* In milliseconds: the wall clock, and this thread's processor time, which other programs disturb
 * less. */
double bench_now_ms(void);
double bench_cpu_ms(void);

void bench_add(bench_series *series, double value);

/* The value below which `percent` of the others are; 50 is the median. 0 if there is none. */
double bench_percentile(const bench_series *series, unsigned percent);

/*
 * One row of a Markdown table: label, median, the middle 80 percent. Then the library's share of
 * it: the ratio of the medians, and the middle 80 percent of the rounds' ratios. Each round
 * measures both close together, so that what disturbs one disturbs the other. Blank if the series
 * is the library's own.
 */
void bench_row(const char *label, const bench_series *series, const bench_series *library);

/* A number from the command line, between 1 and `most`; anything else ends the program. */
unsigned long bench_number(const char *argument, unsigned long most);

/* Says what could not be done and why, and ends the program. */
_Noreturn void bench_stop(const char *what, const char *why);

#endif
