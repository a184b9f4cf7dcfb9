/*
 * handle.h: the bb_contacts handle: one storage, limits, and the host's functions.
 */
#ifndef BB_HANDLE_H
#define BB_HANDLE_H

#include "execute/executor.h"
#include "util/random.h"

struct bb_dispatcher;
struct bb_outboxes;

struct bb_contacts {
    bb_executor executor;
    bb_clock_fn clock; /* never NULL */
    void *clock_ctx;
    bb_random_fn random; /* NULL: the operating system */
    void *random_ctx;
    bb_random_bytes random_bytes; /* the host's, if that is what `random` calls */
    size_t max_body_bytes;
    size_t max_entry_bytes;
    uint32_t max_depth;
    int64_t timeout_ms;
    int32_t custom_attributes;        /* a bb_attributes */
    struct bb_dispatcher *dispatcher; /* NULL: without workers */
    struct bb_outboxes *outboxes;     /* of the completion queues; NULL: without workers */
    bb_log_fn log;                    /* the host's, where completion queues may take lines, too */
    void *log_ctx;
};

/* False in a child of fork(): there its locks may be held for ever, its threads are missing, and
 * its connections are the parent's. Only this function, the log and the allocator may be used
 * then. */
int bb_contacts_is_usable(const bb_contacts *contacts);

#endif
