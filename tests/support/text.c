/*
 * text.c: texts that grow.
 */
#include "support/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for so many bytes more, and a NUL; 0 if there is none. */
static int make_room(test_text *text, size_t more)
{
    size_t room = text->room * 2 + more + 256;
    char *data;

    if (text->failed)
        return 0;
    if (text->room - text->len > more)
        return 1;
    data = realloc(text->data, room);
    if (data == NULL) {
        free(text->data);
        *text = (test_text){.failed = 1};
        return 0;
    }
    text->data = data;
    text->room = room;
    return 1;
}

void test_append(test_text *text, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (!make_room(text, (size_t)len))
        return;
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
    if (!make_room(text, len))
        return;
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void test_append_times(test_text *text, const char *more, size_t times)
{
    size_t len = strlen(more);

    if (!make_room(text, len * times))
        return;
    for (size_t i = 0; i < times; i++, text->len += len)
        memcpy(text->data + text->len, more, len);
    text->data[text->len] = '\0';
}
