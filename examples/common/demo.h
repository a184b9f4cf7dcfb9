/*
 * demo.h: `--demo`: a chatbot and a key to try things with.
 */
#ifndef BB_EXAMPLE_DEMO_H
#define BB_EXAMPLE_DEMO_H

#include "bb_contacts/bb_contacts.h"

/* Makes sure that chatbot 123 exists in workspace 1, and that the key in the environment variable
 * BOOKBAG_API_KEY belongs to workspace 1; without the variable it makes a key and prints it.
 * `timeout_ms` is for each call of the store. Says what went wrong, and returns the program's exit
 * status. */
int demo_prepare(bb_storage *storage, int64_t timeout_ms);

#endif
