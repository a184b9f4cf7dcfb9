/*
 * handle.h: what a bb_contacts handle is: one storage, limits, and the host's functions.
 */
#ifndef BB_CONTACTS_INTERNAL_H
#define BB_CONTACTS_INTERNAL_H

#include "execute/executor.h"

struct bb_dispatcher;

struct bb_contacts {
    bb_executor executor;
    bb_clock_fn clock; /* never NULL */
    void *clock_ctx;
    bb_random_fn random; /* NULL: the operating system */
    void *random_ctx;
    size_t max_body_bytes;
    size_t max_entry_bytes;
    uint32_t max_depth;
    int64_t timeout_ms;
    struct bb_dispatcher *dispatcher; /* NULL: without workers */
};

/* Not in a child that fork() has made: its locks may be held for ever, nobody works in it, and its
 * connections are the parent's. Nothing but this, the log and the allocator may be used there. */
int bb_contacts_is_usable(const bb_contacts *contacts);

#endif
