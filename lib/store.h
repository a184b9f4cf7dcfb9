/*
 * store.h: the one stage that does I/O: authorize and write on a storage session, again if the
 * store undid it, until the deadline.
 */
#ifndef BB_STORE_H
#define BB_STORE_H

#include "contacts.h"
#include "response.h"

/* Authorizes (A1). Returns a bb_status: SUCCESS, INVALID_KEY, NOT_FOUND, or a fault. */
int32_t bb_store_authorize(bb_contacts *contacts, const bb_access *access);

/* Authorizes and writes the batch. The answer, whatever came of it; never NULL. */
bb_result *bb_store_write(bb_contacts *contacts, const bb_access *access, bb_batch *batch,
                          bb_arena *arena);

#endif
