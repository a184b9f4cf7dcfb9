/*
 * listen.h: a listening socket from the text HOST:PORT.
 */
#ifndef BB_EXAMPLE_LISTEN_H
#define BB_EXAMPLE_LISTEN_H

#include <stddef.h>

/*
 * Listens on `address`: a name, an IPv4 address or an IPv6 address in brackets, then a colon and a
 * port; port 0 takes a free one. Returns the socket and writes HOST:PORT, with the real port, to
 * `out`; or says what is wrong and returns minus the exit status.
 */
int listen_open(const char *address, char *out, size_t out_size);

#endif
