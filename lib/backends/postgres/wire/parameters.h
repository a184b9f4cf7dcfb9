/*
 * parameters.h: the parameters of one statement in PostgreSQL's binary formats.
 */
#ifndef BB_POSTGRES_PARAMETERS_H
#define BB_POSTGRES_PARAMETERS_H

#include "backends/postgres/sql/record_parameters.h"
#include "backends/postgres/sql/types.h"
#include "bb_contacts/storage.h"
#include "util/buffer.h"

/* In the order in which they are added: $1, $2, ... The arrays lie one after the other in one
 * buffer. */
typedef struct bb_pg_params {
    int count;
    const char *values[BB_PG_MAX_PARAMS]; /* NULL: SQL's NULL */
    int lengths[BB_PG_MAX_PARAMS];
    int formats[BB_PG_MAX_PARAMS]; /* all 1: binary */
    char scalars[BB_PG_MAX_PARAMS][16];
    bb_buffer arrays;
    size_t array_start; /* of the array being added */
} bb_pg_params;

void bb_pg_params_init(bb_pg_params *params, const bb_allocator *allocator);
void bb_pg_params_free(bb_pg_params *params);

void bb_pg_params_add_i64(bb_pg_params *params, int64_t value);

/* Sets a parameter that is there, whose number is as in $1. NULL: SQL's NULL. */
void bb_pg_params_set_i64(bb_pg_params *params, int number, const int64_t *value);

/* Microseconds since 1970. */
void bb_pg_params_add_time(bb_pg_params *params, int64_t time_us);

/* A duration in milliseconds, as a setting's text; at least 1, as 0 means for ever. */
void bb_pg_params_add_milliseconds(bb_pg_params *params, int64_t milliseconds);

/* `data` must outlive the parameters; NULL is SQL's NULL. */
void bb_pg_params_add_bytes(bb_pg_params *params, const void *data, size_t len);

/* How many bytes an array takes whose elements have `bytes` in all. */
size_t bb_pg_array_size(size_t count, size_t bytes);

/* Makes room for all arrays, before the first is added; after that, adding to them can't fail.
 * BB_ERR_NOMEM, or BB_ERR_INTERNAL if they are too large for one message to the server. */
int32_t bb_pg_params_reserve(bb_pg_params *params, size_t size, bb_error *error);

/* An array: begin, its `count` elements, end. A jsonb element is JSON text; null is NULL. */
void bb_pg_params_begin_array(bb_pg_params *params, uint32_t element_type, size_t count);
void bb_pg_params_element_i32(bb_pg_params *params, int32_t value);
void bb_pg_params_element_i64(bb_pg_params *params, int64_t value);
void bb_pg_params_element_text(bb_pg_params *params, bb_slice text);
void bb_pg_params_element_jsonb(bb_pg_params *params, bb_slice json);
void bb_pg_params_end_array(bb_pg_params *params);

/* The way back: numbers from a binary result, in network order. */
int32_t bb_pg_get_i32(const char *data);
int64_t bb_pg_get_i64(const char *data);
int64_t bb_pg_get_time(const char *data); /* microseconds since 1970 */

#endif
