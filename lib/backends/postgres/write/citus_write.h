/*
 * citus_write.h: stores the records of a request on Citus, all or none.
 */
#ifndef BB_POSTGRES_CITUS_WRITE_H
#define BB_POSTGRES_CITUS_WRITE_H

#include "backends/postgres/wire/connection.h"

int32_t bb_pg_citus_write(bb_pg_session *session, const bb_write *write, bb_error *error);

#endif
