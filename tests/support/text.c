/*
 * text.c: texts that grow.
 */
#include "support/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for so many bytes more, and a NUL. */
static void make_room(test_text *text, size_t more)
{
    if (text->room - text->len > more)
        return;
    text->room = text->room * 2 + more + 256;
    text->data = realloc(text->data, text->room);
    if (text->data == NULL)
        abort();
}

void test_append(test_text *text, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    make_room(text, (size_t)len);
    va_start(args, format);
    vsnprintf(text->data + text->len, text->room - text->len, format, args);
    va_end(args);
    text->len += (size_t)len;
}

void test_append_text(test_text *text, const char *more)
{
    test_append_bytes(text, more, strlen(more));
}

void test_append_bytes(test_text *text, const char *data, size_t len)
{
    make_room(text, len);
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void test_append_times(test_text *text, const char *more, size_t times)
{
    size_t len = strlen(more);

    make_room(text, len * times);
    for (size_t i = 0; i < times; i++, text->len += len)
        memcpy(text->data + text->len, more, len);
    text->data[text->len] = '\0';
}
