/*
 * serve.h: the event loop: begins to listen, serves, and ends after a signal.
 */
#ifndef BB_UV_SERVE_H
#define BB_UV_SERVE_H

#include "bb_contacts/bb_contacts.h"

/* As many connections as the system allows this process, whose limit on open files is raised. */
uint32_t serve_allow_connections(void);

/* Serves on a listening socket until SIGTERM or SIGINT has come and what was in flight is answered.
 * Socket and handle become its own. At most `max_connections` are taken at once, and one on
 * which nothing moves for `idle_ms` is closed. Requests may go on for `drain_ms` after the signal.
 * Says on standard output that it listens on `address`. Returns the program's exit status. */
int serve(bb_contacts *contacts, int listener, const char *address, uint32_t max_connections,
          uint64_t idle_ms, uint64_t drain_ms);

#endif
