/*
 * storage.h: the bb_storage: a checked copy of a backend's table, and its store.
 */
#ifndef BB_EXECUTE_STORAGE_H
#define BB_EXECUTE_STORAGE_H

#include "bb_contacts/storage.h"
#include "util/process.h"

struct bb_storage {
    bb_allocator allocator;
    bb_storage_vtable vtable; /* functions that the backend leaves out are stubs here */
    void *store;
    bb_process opener; /* the process that may use it and the handles on it */
};

/* The message in every other process. */
#define BB_OTHER_PROCESS \
    "opened in another process: after fork(), a process opens what it uses itself"

#endif
