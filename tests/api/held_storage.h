/*
 * held_storage.h: a storage whose writes wait until a test lets them go on to another one.
 */
#ifndef BB_TEST_HELD_STORAGE_H
#define BB_TEST_HELD_STORAGE_H

#include "bb_contacts/storage.h"

/* Called before each write, with how many requests it stores. It may wait. */
typedef void (*held_fn)(void *ctx, size_t requests);

/* A storage that writes to `storage` after it has called `wait`; NULL on failure. One at a time in
 * a program. It is closed before the other one. */
bb_storage *held_storage_open(const bb_storage *storage, held_fn wait, void *ctx);

#endif
