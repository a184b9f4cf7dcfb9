/*
 * records.h: the records of a write as parameters of the write statement.
 */
#ifndef BB_POSTGRES_RECORDS_H
#define BB_POSTGRES_RECORDS_H

#include "backends/postgres/marshal/group.h"
#include "backends/postgres/wire/parameters.h"

/* Adds all of them: the chatbots, the time, and the arrays with one element for each item. The room
 * is NULL. */
int32_t bb_pg_params_add_records(bb_pg_params *params, const bb_pg_group *group, int64_t now_us,
                                 bb_error *error);

/* What a record sets and wants; see record_parameters.h. */
int32_t bb_pg_record_flags(const bb_record *record);

/* Adds the limit to what merging may come to (D3). All writes of a group have the same. */
void bb_pg_params_add_limit(bb_pg_params *params, const bb_write *write);

/* The arrays that records are sent in: their keys, their flags, how many entries name them, and one
 * for each field. */
enum { BB_PG_RECORD_ARRAYS = 3 + BB_FIELD_COUNT };

/* What a record's elements of these take, without their headers. */
size_t bb_pg_record_bytes(const bb_record *record);

#endif
