/*
 * ids.h: whether the sequence of ids is ahead of the contacts, as it must be (E3).
 */
#ifndef BB_POSTGRES_IDS_H
#define BB_POSTGRES_IDS_H

#include "backends/postgres/wire/connection.h"

typedef enum bb_pg_ids {
    BB_PG_IDS_AHEAD,  /* all is well */
    BB_PG_IDS_MOVED,  /* it was behind, and has been moved past the highest id */
    BB_PG_IDS_UNKNOWN /* the role may not move it, or there is none */
} bb_pg_ids;

/* Moves the sequence on if it is behind, as after a copy of the table without it, or on a logical
 * replica. Never moves it back. The log has a line if it was moved. */
int32_t bb_pg_ids_catch_up(bb_pg_session *session, int64_t deadline, int *ids, bb_error *error);

#endif
