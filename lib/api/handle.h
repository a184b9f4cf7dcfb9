/*
 * handle.h: what a bb_contacts handle is: one storage, limits, and the host's functions.
 */
#ifndef BB_CONTACTS_INTERNAL_H
#define BB_CONTACTS_INTERNAL_H

#include "execute/session_pool.h"
#include "execute/statistics.h"
#include "execute/storage.h"

struct bb_dispatcher;

struct bb_contacts {
    bb_allocator allocator;
    bb_storage *storage;
    bb_clock_fn clock; /* never NULL */
    void *clock_ctx;
    bb_random_fn random; /* NULL: the operating system */
    void *random_ctx;
    bb_log_fn log; /* NULL: nothing is logged */
    void *log_ctx;
    size_t max_body_bytes;
    size_t max_entry_bytes;
    uint32_t max_depth;
    int64_t timeout_ms;
    bb_session_pool pool;
    bb_counters counters;
    struct bb_dispatcher *dispatcher; /* NULL: without workers */
};

/* Not in a child that fork() has made: its locks may be held for ever, nobody works in it, and its
 * connections are the parent's. Nothing but this, the log and the allocator may be used there. */
int bb_contacts_is_usable(const bb_contacts *contacts);

/* One line to the host's log, if it has one. */
void bb_contacts_log(const bb_contacts *contacts, int32_t level, const char *what,
                     const bb_error *error);

#endif
