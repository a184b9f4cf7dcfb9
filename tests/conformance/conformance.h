/*
 * conformance.h: checks that a storage backend does what storage.h asks of it.
 *
 * For authors of backends. The suite calls a backend's table of functions directly, as the library
 * does, with sessions in several threads. It needs only the public headers and POSIX threads, and
 * no test framework. Each case starts on an empty store and is reported once:
 *
 *     bb_conformance_options options;
 *     bb_conformance_options_init(&options);
 *     options.open = open_my_store;
 *     options.close = close_my_store;
 *     options.report = print_line;
 *     return bb_conformance_run(&options) == 0 ? 0 : 1;
 *
 * What a backend may do differently is declared in `differences`; nothing is looked up by name.
 */
#ifndef BB_CONFORMANCE_H
#define BB_CONFORMANCE_H

#include "bb_contacts/storage.h"

/* The backend calls put() when the write is already durable, so a put() that fails can't undo
 * it. */
#define BB_CONFORMANCE_PUT_AFTER_COMMIT (1u << 0)

/* Ids of new contacts are unique and never reused, but have unpredictable gaps, as in a cluster
 * whose nodes draw from ranges of their own. E4 is then not checked. */
#define BB_CONFORMANCE_IDS_HAVE_GAPS (1u << 1)

/* The store holds its locks only briefly, whatever the load, and ignores deadlines. */
#define BB_CONFORMANCE_NO_LOCK_WAIT (1u << 2)

/* A store to be tested. The table must have migrate() and the administrative functions; a backend
 * that leaves them out lends the suite a copy of its table that has them. */
typedef struct bb_conformance_store {
    const bb_storage_vtable *vtable;
    void *store;
    void *owner; /* for close() */
} bb_conformance_store;

typedef enum bb_conformance_outcome {
    BB_CONFORMANCE_PASSED = 0,
    BB_CONFORMANCE_FAILED = 1,
    BB_CONFORMANCE_SKIPPED = 2 /* because of a declared difference */
} bb_conformance_outcome;

typedef struct bb_conformance_options {
    size_t size;          /* sizeof(bb_conformance_options); set by the init function below */
    uint32_t differences; /* BB_CONFORMANCE_..., above */
    uint32_t threads;     /* of the concurrent cases; default 16 */
    uint32_t writes;      /* of each of those threads; default 200 */
    uint64_t seed;        /* of what is chosen at random; default 1 */
    const char *only;     /* run only cases whose name contains this; NULL: all */
    void *ctx;            /* first argument of the functions below */

    /* Makes an empty store: no schema yet, no chatbot, no key. Returns a bb_code. */
    int32_t (*open)(void *ctx, bb_conformance_store *store);

    /* Closes and removes a store; no session is open. */
    void (*close)(void *ctx, bb_conformance_store *store);

    /* Told once per case. `name` begins with the contract's rule; `detail` says where and why a
     * case failed or was skipped, otherwise "". Both end in NUL. */
    void (*report)(void *ctx, const char *name, int32_t outcome, const char *detail);
} bb_conformance_options;

static inline void bb_conformance_options_init(bb_conformance_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* Runs the suite; returns how many cases failed, or -1 if the options are unusable. */
int bb_conformance_run(const bb_conformance_options *options);

#endif
