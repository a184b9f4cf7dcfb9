/*
 * buffer.c: one growing run of bytes with a hard cap, which remembers that it failed.
 */
#include "util/buffer.h"

enum { FIRST_CAPACITY = 256 };

void bb_buffer_init(bb_buffer *buffer, const bb_allocator *allocator, size_t max)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->allocator = *allocator;
    buffer->max = max;
}

void bb_buffer_free(bb_buffer *buffer)
{
    bb_free(&buffer->allocator, buffer->data);
    buffer->data = NULL;
    buffer->len = 0;
    buffer->capacity = 0;
}

void bb_buffer_reset(bb_buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = 0;
    buffer->is_full = 0;
}

static char *fail(bb_buffer *buffer)
{
    bb_buffer_free(buffer);
    buffer->failed = 1;
    return NULL;
}

char *bb_buffer_reserve(bb_buffer *buffer, size_t extra)
{
    size_t capacity = buffer->capacity;
    char *data;

    if (buffer->failed)
        return NULL;
    if (extra <= capacity - buffer->len)
        return buffer->data + buffer->len;
    if (extra > buffer->max - buffer->len) {
        buffer->is_full = 1;
        return fail(buffer);
    }
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    while (capacity - buffer->len < extra)
        capacity = capacity > buffer->max / 2 ? buffer->max : capacity * 2;
    if (capacity > buffer->max)
        capacity = buffer->max;
    data = bb_realloc(&buffer->allocator, buffer->data, buffer->capacity, capacity);
    if (data == NULL)
        return fail(buffer);
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->len;
}

void bb_buffer_wrote(bb_buffer *buffer, size_t len)
{
    buffer->len += len;
}

void bb_buffer_append_char(bb_buffer *buffer, char c)
{
    bb_buffer_append(buffer, &c, 1);
}

void bb_buffer_append_text(bb_buffer *buffer, const char *text)
{
    bb_buffer_append(buffer, text, strlen(text));
}

void bb_buffer_append_i64(bb_buffer *buffer, int64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do { /* two digits a step, since division takes the time */
        at -= 2;
        memcpy(digits + at, pairs + rest % 100 * 2, 2);
        rest /= 100;
    } while (rest != 0);
    if (digits[at] == '0')
        at++;
    if (value < 0)
        digits[--at] = '-';
    bb_buffer_append(buffer, digits + at, sizeof digits - at);
}
