/*
 * metrics.h: a handle's statistics as Prometheus reads them.
 */
#ifndef BB_EXAMPLE_METRICS_H
#define BB_EXAMPLE_METRICS_H

#include "bb_contacts/bb_contacts.h"

/* The statistics in the text exposition format 0.0.4: `*len` bytes, to be freed with free(); NULL
 * if memory runs out. Waits only for locks that the library holds briefly. */
char *metrics_text(bb_contacts *contacts, size_t *len);

#endif
