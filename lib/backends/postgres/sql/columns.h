/*
 * columns.h: SQL with a part for each field of a contact in util/fields.h.
 *
 * EACH(", c.@field") is sent as ", c.name, c.email" and so on. In a part these stand for
 *
 *     @field        the name of the field, and of its column
 *     @bit          its bit in a record's flags
 *     @parameter    the number of the parameter that brings its values
 *     @initial      what a new contact has
 *
 * and anywhere in SQL these for numbers of record_parameters.h, which grow with each new field:
 *
 *     @touch, @want_before, @merge, @asker_shift, @removed, @limit, @frame
 */
#ifndef BB_POSTGRES_COLUMNS_H
#define BB_POSTGRES_COLUMNS_H

#include "util/buffer.h"

/* A part for every field; for those that are texts; for those that are JSON; for JSON objects,
 * which can be merged; for JSON arrays; for all but objects. */
#define EACH(sql)        "@each{" sql "@}"
#define EACH_TEXT(sql)   "@text{" sql "@}"
#define EACH_JSON(sql)   "@json{" sql "@}"
#define EACH_OBJECT(sql) "@object{" sql "@}"
#define EACH_ARRAY(sql)  "@array{" sql "@}"
#define EACH_OTHER(sql)  "@others{" sql "@}"

/* Appends `sql` with all of these replaced. */
void bb_pg_columns_expand(bb_buffer *to, const char *sql);

#endif
