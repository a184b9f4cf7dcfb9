/*
 * alloc.h: calls through a bb_allocator, and the default one.
 */
#ifndef BB_UTIL_ALLOC_H
#define BB_UTIL_ALLOC_H

#include "bb_contacts/bb_contacts.h"

/* A copy of `allocator`, or malloc's if it is NULL. */
bb_allocator bb_allocator_or_default(const bb_allocator *allocator);

/* Whether the three functions are there. */
int bb_allocator_is_valid(const bb_allocator *allocator);

/* All of these take sizes of 1 and more; bb_zalloc() clears, bb_free() accepts NULL. */
void *bb_alloc(const bb_allocator *allocator, size_t size);
void *bb_zalloc(const bb_allocator *allocator, size_t size);
void *bb_realloc(const bb_allocator *allocator, void *ptr, size_t old_size, size_t size);
void bb_free(const bb_allocator *allocator, void *ptr);

/* bb_alloc() of count * size bytes; NULL if that overflows. */
void *bb_alloc_array(const bb_allocator *allocator, size_t count, size_t size);

/* A copy of `len` bytes with a NUL after them. */
char *bb_strndup(const bb_allocator *allocator, const char *data, size_t len);

#endif
