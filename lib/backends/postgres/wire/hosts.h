/*
 * hosts.h: the hosts that a connection string names, each of which gets a share of the time.
 */
#ifndef BB_POSTGRES_HOSTS_H
#define BB_POSTGRES_HOSTS_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bb_pg_hosts {
    PQconninfoOption *options;
    size_t count;               /* 1 or more */
    int64_t connect_timeout_ms; /* 0: none */
} bb_pg_hosts;

/* Reads a connection string that libpq has found valid; 0: out of memory. */
int bb_pg_hosts_read(bb_pg_hosts *hosts, const char *conninfo);
void bb_pg_hosts_free(bb_pg_hosts *hosts);

/* Begins to connect to one of them, as PQconnectStart() does; NULL: out of memory. */
PGconn *bb_pg_hosts_start(const bb_pg_hosts *hosts, size_t index);

/* Until when to wait for a host when `left` of them, this one included, have not been tried. */
int64_t bb_pg_hosts_deadline(const bb_pg_hosts *hosts, size_t left, int64_t deadline);

#endif
