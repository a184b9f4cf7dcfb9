/*
 * types.h: the numbers of types in the server's catalog pg_type.
 */
#ifndef BB_POSTGRES_TYPES_H
#define BB_POSTGRES_TYPES_H

enum {
    BB_PG_BYTEA = 17,
    BB_PG_INT8 = 20,
    BB_PG_INT4 = 23,
    BB_PG_TEXT = 25,
    BB_PG_INT4_ARRAY = 1007,
    BB_PG_TEXT_ARRAY = 1009,
    BB_PG_INT8_ARRAY = 1016,
    BB_PG_TIMESTAMPTZ = 1184,
    BB_PG_JSONB = 3802,
    BB_PG_JSONB_ARRAY = 3807
};

#endif
