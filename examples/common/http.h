/*
 * http.h: what RFC 9110 and 9112 say about the parts of a request's head, whichever HTTP library
 * has read it. Parsers accept more than that, and each of them different things. If a server and
 * the proxy in front of it read a request differently, others can be smuggled past the proxy (RFC
 * 9112, section 11.2).
 */
#ifndef BB_EXAMPLE_HTTP_H
#define BB_EXAMPLE_HTTP_H

#include <stddef.h>

/* Each returns whether the text is a valid one. */
int http_is_name(const char *text, size_t len);   /* a field's name or a method: a token */
int http_is_value(const char *text, size_t len);  /* a field's value */
int http_is_target(const char *text, size_t len); /* of a request line */
int http_is_host(const char *text, size_t len);   /* a Host field's value; it may be empty */
int http_is_length(const char *text, size_t len); /* a Content-Length field's value: digits */

/* Whether a Content-Encoding field's value leaves the content as it is. */
int http_is_identity(const char *text, size_t len);

/* Whether a text is `word`, in any case. */
int http_is(const char *text, size_t len, const char *word);

/* Trims white space: moves `*text` past what is before the value, and returns the value's
 * length. */
size_t http_trim(const char **text, size_t len);

/* The path, without the query, in a request's target, which may be a whole URL (RFC 9112,
 * 3.2.2). */
const char *http_path(const char *target, size_t len, size_t *path_len);

#endif
