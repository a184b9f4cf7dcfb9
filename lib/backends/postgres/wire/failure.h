/*
 * failure.h: why there is no connection, or no more, in words of our own.
 *
 * libpq's messages about a connection repeat parts of the connection string: host, port, database,
 * user, the value of any option. Each of them may be a part of the password, as in
 * postgresql://me:half/other@host, where "half" is the port. So none of these messages is ever
 * handed on (A5). They are only compared with known ones, to choose our words; they decide nothing
 * else.
 */
#ifndef BB_POSTGRES_FAILURE_H
#define BB_POSTGRES_FAILURE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "backends/postgres/wire/hosts.h"
#include "bb_contacts/storage.h"

/* Fills `error` for host `index`, to which no connection could be made. `was_reached`: something
 * had been sent to the server, so its answer may be the reason. Returns `code`. */
int32_t bb_pg_connect_failure(bb_error *error, int32_t code, const PGconn *conn,
                              const bb_pg_hosts *hosts, size_t index, int was_reached);

/* The same for a connection that has been in use. */
int32_t bb_pg_connection_failure(bb_error *error, int32_t code, const PGconn *conn);

#endif
