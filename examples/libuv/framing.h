/*
 * framing.h: where a request begins and ends: the parser, and what RFC 9112 asks for besides.
 */
#ifndef BB_UV_FRAMING_H
#define BB_UV_FRAMING_H

#include <llhttp.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes of a request line and its headers together; a request with more is a 431. */
enum { MAX_HEAD = 16 * 1024 };

/* For a new connection. Later the parser's data must be the request that is being read. */
void framing_init(llhttp_t *parser);

/* Reads until the data ends, or until there is an event, which it leaves in the request. Returns
 * how many bytes it used. */
size_t framing_read(llhttp_t *parser, const char *data, size_t len);

/* The length of the body that was announced; UINT64_MAX if it comes in chunks. */
uint64_t framing_declared_length(const llhttp_t *parser);

/* Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1). */
int framing_expects_continue(const llhttp_t *parser);

#endif
