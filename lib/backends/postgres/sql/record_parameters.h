/*
 * record_parameters.h: the parameters of statements that take records.
 */
#ifndef BB_POSTGRES_RECORD_PARAMETERS_H
#define BB_POSTGRES_RECORD_PARAMETERS_H

#include "util/fields.h"

/* The numbers of the parameters, as in $3. From the third they are arrays with one element for each
 * record, but for the room; a field's is at BB_PG_PARAM_FIELDS and its place in bb_fields. The last
 * two are those of statements that merge. */
enum {
    BB_PG_PARAM_CHATBOT = 1, /* the chatbot; for the ordinary write, those of all askers */
    BB_PG_PARAM_NOW,
    BB_PG_PARAM_EXTERNAL_ID,
    BB_PG_PARAM_FLAGS,
    BB_PG_PARAM_ENTRIES, /* how often the answer has each contact; NULL: once */
    BB_PG_PARAM_ROOM,    /* one number, bytes; see ordinary_statements.c */
    BB_PG_PARAM_FIELDS,
    BB_PG_LAST_FIELD_PARAM = BB_PG_PARAM_FIELDS + BB_FIELD_COUNT - 1,
    BB_PG_PARAM_REMOVED, /* names */
    BB_PG_PARAM_LIMIT,   /* the most bytes that merging may come to; not an array */
    BB_PG_LAST_PARAM = BB_PG_PARAM_LIMIT
};

/* No other statement has more. */
enum { BB_PG_MAX_PARAMS = BB_PG_LAST_PARAM };

/* A record's flags: the bits of bb_record.fields, after them those of bb_record.flags, and, in the
 * ordinary write, the asker's number, from 1. */
enum {
    BB_PG_FLAG_TOUCH = BB_FIELD_ALL + 1,
    BB_PG_FLAG_WANT_BEFORE = 2 * BB_PG_FLAG_TOUCH,
    BB_PG_FLAG_MERGE = 4 * BB_PG_FLAG_TOUCH,
    BB_PG_ASKER_SHIFT = BB_FIELD_COUNT + 4,
    BB_PG_MAX_ASKERS = 1 << 16
};

_Static_assert(BB_FIELD_ALL == (1 << BB_FIELD_COUNT) - 1,
               "the fields' bits have a gap, so that another flag may be one of them");
_Static_assert(2 * BB_PG_FLAG_MERGE <= 1 << BB_PG_ASKER_SHIFT,
               "a flag has the place of the asker's number");
_Static_assert(BB_PG_MAX_ASKERS <= INT32_MAX >> BB_PG_ASKER_SHIFT,
               "the last asker's number does not fit into an int4");

#endif
