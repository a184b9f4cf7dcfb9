/*
 * listen.h: a listening socket from the text HOST:PORT.
 */
#ifndef BB_EXAMPLE_LISTEN_H
#define BB_EXAMPLE_LISTEN_H

#include <stddef.h>

/*
 * Listens on `address`: a name, an IPv4 address or an IPv6 address in brackets, then a colon and a
 * port; port 0 takes a free one. Returns the socket and writes HOST:PORT with the port that it has
 * to `out`, or returns minus the exit status, having said what is wrong.
 */
int listen_open(const char *address, char *out, size_t out_size);

#endif
