/*
 * ordinary_write.h: stores the records of one or several requests, all or none, in one round trip.
 */
#ifndef BB_POSTGRES_ORDINARY_WRITE_H
#define BB_POSTGRES_ORDINARY_WRITE_H

#include "backends/postgres/wire/connection.h"

/* bb_storage_vtable.write_group, also for a single write. */
int32_t bb_pg_ordinary_write(bb_pg_session *session, const bb_write_group *given, bb_error *error);

#endif
