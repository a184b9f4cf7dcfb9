/*
 * conformance.h: the conformance kit: checks that a storage backend does what storage.h asks of it.
 *
 * For authors of backends. The kit is a library of its own, libbb_contacts_conformance. It calls a
 * backend's table of functions directly, as the library does, with sessions in several threads, and
 * can run files of requests and responses through the whole library on top of it. It belongs to no
 * test framework. Each case starts on an empty store and has one result. A whole test program:
 *
 *     int main(int argc, char **argv)
 *     {
 *         bb_conformance_options options;
 *
 *         bb_conformance_options_init(&options);
 *         options.open = open_my_store;
 *         options.reopen = reopen_my_store;
 *         options.close = close_my_store;
 *         return bb_conformance_main(&options, argc, argv);
 *     }
 *
 * What a backend may do differently is declared in `differences`; nothing is looked up by name.
 *
 * Stability: as storage.h, structs begin with their size and only ever grow at their end. A later
 * version may have more cases.
 */
#ifndef BB_CONTACTS_CONFORMANCE_H
#define BB_CONTACTS_CONFORMANCE_H

#include "storage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The backend calls put() when the write is already durable, so a put() that fails can't undo
 * it. */
#define BB_CONFORMANCE_PUT_AFTER_COMMIT (1u << 0)

/* Ids of new contacts are unique and never reused, but have unpredictable gaps, as in a cluster
 * whose nodes draw from ranges of their own. E4 is then not checked. */
#define BB_CONFORMANCE_IDS_HAVE_GAPS (1u << 1)

/* The store holds its locks only briefly, whatever the load, and ignores deadlines. */
#define BB_CONFORMANCE_NO_LOCK_WAIT (1u << 2)

/* A store to be tested. The table must have migrate() and the administrative functions; a backend
 * that leaves them out lends the kit a copy of its table that has them. The kit never calls the
 * table's close(). */
typedef struct bb_conformance_store {
    size_t size;                     /* as the kit knows the struct */
    const bb_storage_vtable *vtable; /* the backend's table */
    void *store;                     /* what its functions take */
    void *owner;                     /* for reopen() and close() */
} bb_conformance_store;

/* What became of a case. */
typedef enum bb_conformance_outcome {
    BB_CONFORMANCE_PASSED = 0, /* all is as the contract says */
    BB_CONFORMANCE_FAILED = 1, /* something is not; the message says what */
    BB_CONFORMANCE_SKIPPED = 2 /* because of a declared difference, or of something left out */
} bb_conformance_outcome;

/* What is tested, and how. 0 or NULL in a member means its default. */
typedef struct bb_conformance_options {
    size_t size;          /* sizeof(bb_conformance_options); set by the init function below */
    uint32_t differences; /* BB_CONFORMANCE_..., above */
    uint32_t threads;     /* of the concurrent cases; default 16 */
    uint32_t writes;      /* of each of those threads; default 200 */
    uint32_t late_ms;     /* how late an answer may come after its deadline; default 30000, for
                             machines that are busy or stand still for a while */
    uint64_t seed;        /* of what is chosen at random; default 1 */
    const char *only;     /* run only cases whose name contains this; default: all */
    void *ctx;            /* first argument of the functions below, except tap() */

    /* Makes an empty store: no schema yet, no chatbot, no key. Returns a bb_code. Required. */
    int32_t (*open)(void *ctx, bb_conformance_store *store);

    /* Closes a store and opens what it has kept again, as a program does that starts anew; no
     * session is open, and migrate() is not called. May change what is in `store`. Returns a
     * bb_code; on any but BB_OK the store is as good as empty, and close() is called all the same.
     * Default: cases that need it are skipped, as for a store that keeps nothing. */
    int32_t (*reopen)(void *ctx, bb_conformance_store *store);

    /* Closes and removes a store; no session is open. Required. */
    void (*close)(void *ctx, bb_conformance_store *store);

    /* Told once per case. `name` begins with the contract's rule; `detail` says where and why a
     * case failed or was skipped, otherwise "". Both end in NUL. Required unless tap() is set. */
    void (*report)(void *ctx, const char *name, int32_t outcome, const char *detail);

    /* Receives the results as text in the Test Anything Protocol, version 13, line by line, each
     * with its newline. `text` is not NUL-terminated. */
    void (*tap)(void *tap_ctx, const char *text, size_t len);
    void *tap_ctx; /* first argument of tap() */

    /* The folder of request files, to be run after the cases; README.md there describes them.
     * `pkg-config --variable=requests bb_contacts-conformance` prints that of an installation.
     * Default: none are run. */
    const char *requests;

    /* bb_config.workers of the handles that run the request files. */
    uint32_t workers;
    uint32_t reserved; /* 0 */

    /* Does to a store's database what the host of a request file does there, in the words that the
     * file has for a backend of this name: a unique index, for example. Returns a bb_code. Default:
     * such files are skipped. */
    int32_t (*host)(void *ctx, const bb_conformance_store *store, const char *words);
} bb_conformance_options;

#ifndef BB_DECLARATIONS_ONLY
static inline void bb_conformance_options_init(bb_conformance_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
#endif

/* Runs the kit; returns how many cases failed, or -1 if the options are unusable: a required
 * function or the folder of request files is missing, the size is of no version, or no case has a
 * name that contains `only`. */
BB_API int32_t bb_conformance_run(const bb_conformance_options *options);

/*
 * Runs the kit as the main() of a program: the results go to standard output as TAP, besides to
 * report() if that is set, and what is returned is the exit status: 0; 1 if a case failed; 2 if the
 * options are unusable. The arguments overrule the options:
 *
 *     PROGRAM [--requests FOLDER] [--threads N] [--writes N] [--seed N] [PART-OF-A-NAME]
 */
BB_API int32_t bb_conformance_main(const bb_conformance_options *options, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
