/*
 * storage.h: the bb_storage: a checked copy of a backend's table, and its store.
 */
#ifndef BB_EXECUTE_STORAGE_H
#define BB_EXECUTE_STORAGE_H

#include <stdatomic.h>

#include "bb_contacts/storage.h"
#include "util/process.h"

struct bb_storage {
    bb_allocator allocator;
    bb_storage_vtable vtable; /* functions that the backend leaves out are stubs here */
    void *store;
    bb_process opener;        /* the process that may use it and the handles on it */
    atomic_size_t references; /* the caller's, until it closes it, and one for each handle */
};

/* One more, and one less: the last one closes the store and frees the storage. Any thread. */
void bb_storage_retain(bb_storage *storage);
void bb_storage_release(bb_storage *storage);

/* The message in every other process. */
#define BB_OTHER_PROCESS \
    "opened in another process: after fork(), a process opens what it uses itself"

#endif
