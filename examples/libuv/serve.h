/*
 * serve.h: the event loop: begins to listen, serves, and ends after a signal.
 */
#ifndef BB_UV_SERVE_H
#define BB_UV_SERVE_H

#include "bb_contacts/bb_contacts.h"

/* As many connections as the system allows this process, whose limit on open files is raised. */
uint32_t serve_allow_connections(void);

struct serve_limits {
    uint32_t connections; /* at once */
    uint64_t idle_ms;     /* for how long nothing may move on a connection */
    uint64_t head_ms;     /* how long a request's head may take to arrive */
    uint64_t body_ms;     /* how long its body may take */
    uint64_t drain_ms;    /* how long all that is left may take after the signal */
};

/* Serves on a listening socket until SIGTERM or SIGINT has come and all requests in flight are
 * answered. Takes over socket and handle. Says on standard output that it listens on `address`.
 * Returns the program's exit status. */
int serve(bb_contacts *contacts, int listener, const char *address,
          const struct serve_limits *limits);

#endif
