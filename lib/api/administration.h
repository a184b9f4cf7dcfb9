/*
 * administration.h: how one administrative function of a backend is called.
 */
#ifndef BB_ADMINISTRATION_H
#define BB_ADMINISTRATION_H

#include "bb_contacts/storage.h"

typedef struct bb_admin_command {
    int32_t (*invoke)(const bb_storage_vtable *table, void *session,
                      const struct bb_admin_command *command, bb_error *error);
    const void *arguments; /* as invoke() knows them */
    const char *not_found; /* what these two codes mean here */
    const char *conflict;
    int64_t deadline; /* these are set by bb_administer() */
    int64_t now_us;
} bb_admin_command;

/* Invokes a function on a session of its own, and again if it was undone or lost, until the
 * deadline. Returns its code; `error`, which may be NULL, has a message for every code but
 * BB_OK. */
int32_t bb_administer(bb_storage *storage, bb_admin_command *command, int64_t timeout_ms,
                      bb_error *error);

#endif
