/*
 * text.h: texts that grow, such as the bodies of requests.
 */
#ifndef BB_TEST_TEXT_H
#define BB_TEST_TEXT_H

#include <stddef.h>

/* Begins as {0}; with a NUL after it once something was appended. Freed with free(data). If memory
 * runs out it is empty for good, and `failed` is set. */
typedef struct test_text {
    char *data;
    size_t len;
    size_t room;
    int failed;
} test_text;

void test_append(test_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void test_append_text(test_text *text, const char *more);
void test_append_bytes(test_text *text, const char *data, size_t len);

/* Appends one text so many times. */
void test_append_times(test_text *text, const char *more, size_t times);

#endif
