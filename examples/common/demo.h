/*
 * demo.h: `--demo`: a chatbot and a key to try things with.
 */
#ifndef BB_EXAMPLE_DEMO_H
#define BB_EXAMPLE_DEMO_H

#include "bb_contacts/bb_contacts.h"

/* Makes sure that chatbot 123 exists in workspace 1, and that the key in the environment variable
 * BOOKBAG_API_KEY, or a new one, which it prints, belongs to workspace 1. The store has so long
 * for each. Returns the program's exit status; has said what went wrong. */
int demo_prepare(bb_storage *storage, int64_t timeout_ms);

#endif
