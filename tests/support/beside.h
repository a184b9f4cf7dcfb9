/*
 * beside.h: threads that write to another chatbot while a test goes on, so that its requests share
 * transactions with theirs.
 */
#ifndef BB_TEST_BESIDE_H
#define BB_TEST_BESIDE_H

#include "bb_contacts/bb_contacts.h"

typedef struct beside beside;

/* Starts the threads and waits until each has written once, so that no id is drawn later. Each
 * writes the same contact again and again. NULL if that fails. */
beside *beside_start(bb_storage *storage, bb_contacts *contacts, uint32_t count);

/* Ends the threads. NULL does nothing. */
void beside_stop(beside *b);

#endif
