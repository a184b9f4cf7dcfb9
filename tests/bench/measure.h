/*
 * measure.h: times of things that are done in turn, and what is said of them: medians, spread,
 * ratios.
 */
#ifndef BB_BENCH_MEASURE_H
#define BB_BENCH_MEASURE_H

#include <stddef.h>

enum { BENCH_MOST_ROUNDS = 10000 };

/* What one thing took, or how fast it went, a number a round. */
typedef struct bench_series {
    size_t count;
    double values[BENCH_MOST_ROUNDS];
} bench_series;

/* In milliseconds: what a clock on the wall shows, and what this thread has used of a processor,
 * which other programs disturb less. */
double bench_now_ms(void);
double bench_cpu_ms(void);

void bench_add(bench_series *series, double value);

/* The value that `percent` of the others are below; 50 is the median. 0 if there is none. */
double bench_percentile(const bench_series *series, unsigned percent);

/*
 * One row of a Markdown table: label, median, the middle 80 percent. Then how much the library is
 * of it: the ratio of the medians, and the middle 80 percent of the ratios of the rounds, in each
 * of which both were measured close together, so that what disturbs one disturbs the other. Blank
 * if the series is the library's own.
 */
void bench_row(const char *label, const bench_series *series, const bench_series *library);

/* A number from the command line, between 1 and `most`; anything else ends the program. */
unsigned long bench_number(const char *argument, unsigned long most);

/* Says what could not be done and why, and ends the program. */
_Noreturn void bench_stop(const char *what, const char *why);

#endif
