/*
 * parameters.c: the parameters of one statement in PostgreSQL's binary formats.
 */
#include "backends/postgres/wire/parameters.h"

#include <stdio.h>
#include <string.h>

/* timestamptz counts from 2000-01-01. */
static const int64_t epoch_us = INT64_C(946684800000000);

/* The server refuses messages of 1 GiB; this leaves room for parameters outside of the arrays. */
static const size_t max_message = ((size_t)1 << 30) - ((size_t)1 << 16);

/* Bytes before an array's elements, and before each element's data with a jsonb's version. */
enum { ARRAY_HEADER = 20, ELEMENT_HEADER = 5, JSONB_VERSION = 1 };

static void put_u32(char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(unsigned char)(value >> (24 - 8 * i));
}

static void put_u64(char *to, uint64_t value)
{
    put_u32(to, (uint32_t)(value >> 32));
    put_u32(to + 4, (uint32_t)value);
}

int32_t bb_pg_get_i32(const char *data)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 8 | (unsigned char)data[i];
    return (int32_t)value;
}

int64_t bb_pg_get_i64(const char *data)
{
    uint64_t high = (uint32_t)bb_pg_get_i32(data);

    return (int64_t)(high << 32 | (uint32_t)bb_pg_get_i32(data + 4));
}

int64_t bb_pg_get_time(const char *data)
{
    int64_t time = bb_pg_get_i64(data);

    return time > INT64_MAX - epoch_us ? INT64_MAX : time + epoch_us;
}

void bb_pg_params_init(bb_pg_params *params, const bb_allocator *allocator)
{
    params->count = 0;
    params->array_start = 0;
    bb_buffer_init(&params->arrays, allocator, max_message);
}

void bb_pg_params_free(bb_pg_params *params)
{
    bb_buffer_free(&params->arrays);
}

static void add(bb_pg_params *params, const char *value, size_t len)
{
    params->values[params->count] = value;
    params->lengths[params->count] = (int)len;
    params->formats[params->count] = 1;
    params->count++;
}

void bb_pg_params_add_i64(bb_pg_params *params, int64_t value)
{
    char *to = params->scalars[params->count];

    put_u64(to, (uint64_t)value);
    add(params, to, 8);
}

void bb_pg_params_set_i64(bb_pg_params *params, int number, const int64_t *value)
{
    int i = number - 1;
    char *to = params->scalars[i];

    params->values[i] = value == NULL ? NULL : to;
    params->lengths[i] = value == NULL ? 0 : 8;
    if (value != NULL)
        put_u64(to, (uint64_t)*value);
}

void bb_pg_params_add_time(bb_pg_params *params, int64_t time_us)
{
    bb_pg_params_add_i64(params, time_us - epoch_us);
}

void bb_pg_params_add_milliseconds(bb_pg_params *params, int64_t milliseconds)
{
    char *to = params->scalars[params->count];
    int32_t value = milliseconds > INT32_MAX ? INT32_MAX : (int32_t)milliseconds;
    int len = snprintf(to, sizeof params->scalars[0], "%d", (int)(value < 1 ? 1 : value));

    add(params, to, (size_t)len);
}

void bb_pg_params_add_bytes(bb_pg_params *params, const void *data, size_t len)
{
    add(params, data, len);
}

size_t bb_pg_array_size(size_t count, size_t bytes)
{
    return ARRAY_HEADER + count * ELEMENT_HEADER + bytes;
}

int32_t bb_pg_params_reserve(bb_pg_params *params, size_t size, bb_error *error)
{
    if (size > max_message)
        return bb_error_set(error, BB_ERR_INTERNAL, "a write of %zu bytes is too large", size);
    if (bb_buffer_reserve(&params->arrays, size) == NULL)
        return bb_error_set(error, BB_ERR_NOMEM, "out of memory for a write");
    return BB_OK;
}

static void append_u32(bb_buffer *buffer, uint32_t value)
{
    char bytes[4];

    put_u32(bytes, value);
    bb_buffer_append(buffer, bytes, sizeof bytes);
}

void bb_pg_params_begin_array(bb_pg_params *params, uint32_t element_type, size_t count)
{
    params->array_start = params->arrays.len;
    append_u32(&params->arrays, 1); /* dimensions */
    append_u32(&params->arrays, 1); /* there may be nulls */
    append_u32(&params->arrays, element_type);
    append_u32(&params->arrays, (uint32_t)count);
    append_u32(&params->arrays, 1); /* lower bound */
}

void bb_pg_params_element_i32(bb_pg_params *params, int32_t value)
{
    append_u32(&params->arrays, 4);
    append_u32(&params->arrays, (uint32_t)value);
}

void bb_pg_params_element_i64(bb_pg_params *params, int64_t value)
{
    char bytes[8];

    put_u64(bytes, (uint64_t)value);
    append_u32(&params->arrays, sizeof bytes);
    bb_buffer_append(&params->arrays, bytes, sizeof bytes);
}

void bb_pg_params_element_text(bb_pg_params *params, bb_slice text)
{
    append_u32(&params->arrays, text.data == NULL ? UINT32_MAX : (uint32_t)text.len);
    if (text.data != NULL)
        bb_buffer_append(&params->arrays, text.data, text.len);
}

void bb_pg_params_element_jsonb(bb_pg_params *params, bb_slice json)
{
    append_u32(&params->arrays, json.data == NULL ? UINT32_MAX : (uint32_t)json.len + 1);
    if (json.data == NULL)
        return;
    bb_buffer_append_char(&params->arrays, JSONB_VERSION);
    bb_buffer_append(&params->arrays, json.data, json.len);
}

void bb_pg_params_end_array(bb_pg_params *params)
{
    const bb_buffer *arrays = &params->arrays;

    add(params, arrays->data + params->array_start, arrays->len - params->array_start);
}
