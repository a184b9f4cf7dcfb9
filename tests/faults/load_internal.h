/*
 * load_internal.h: what the writers of a load have sent, for the comparison with the tables.
 */
#ifndef BB_TEST_LOAD_INTERNAL_H
#define BB_TEST_LOAD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "faults/load.h"
#include "support/endpoint.h"

enum {
    LOAD_MAX_THREADS = 64,
    LOAD_OWN_GROUPS = 3, /* of each thread; a request writes to one of them */
    LOAD_SHARED_GROUPS = 4,
    LOAD_OWN = 8, /* contacts in a group */
    LOAD_SHARED = 4,
    LOAD_FRESH = 4, /* contacts that no other request writes to */
    LOAD_CONTACTS = LOAD_OWN + LOAD_SHARED + LOAD_FRESH
};

typedef struct load_request {
    int64_t begin_ms;
    int64_t end_ms;
    int32_t status; /* HTTP, or -1: not every entry was answered */
    uint32_t run;
} load_request;

typedef struct load_writer {
    load *load;
    uint32_t number;
    pthread_t thread;
    load_request *requests; /* only the thread itself uses them while it runs */
    size_t count;
    size_t room;
    test_text body;
    _Atomic int64_t last_success_begin_ms;
    _Atomic int64_t last_failure_ms; /* when the last 503 came */
} load_writer;

struct load {
    const load_target *target;
    uint32_t threads;
    uint32_t started;
    uint32_t run; /* from 1 */
    atomic_int is_stopping;
    load_writer writers[LOAD_MAX_THREADS];
};

#endif
