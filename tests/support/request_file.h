/*
 * request_file.h: files of requests and responses, run through the public API; requests/README.md
 * describes them.
 */
#ifndef BB_TEST_REQUEST_FILE_H
#define BB_TEST_REQUEST_FILE_H

#include "bb_contacts/bb_contacts.h"
#include "support/json.h"
#include "support/text.h"

/* A way to send a request and wait for its answer. */
typedef bb_result *(*request_way)(bb_contacts *contacts, const bb_request *request);

/* Where a file is run. */
typedef struct request_place {
    bb_storage *storage; /* with its schema, otherwise empty */
    const char *backend; /* its name in the files */
    int merges;          /* it can merge custom_attributes (D2) */
    int dry_runs;        /* it makes dry runs (A6) */
    uint32_t workers;    /* bb_config.workers */
    int32_t timeout_ms;  /* of each call */
    /* Does what the host does to the database, in a file's words for this backend; 0 for success.
     * NULL: files that need it are not for this backend. */
    int (*host)(void *ctx, const char *words);
    void *host_ctx;
    /* Called when the handle is open, and before it is closed; NULL, or returns whether to go on.
     * Not called for files that must have the store alone. */
    int (*begin)(void *ctx, bb_contacts *contacts);
    void (*end)(void *ctx);
    void *begin_ctx;
    request_way upsert;    /* NULL: bb_contacts_upsert() */
    request_way authorize; /* NULL: bb_contacts_authorize() */
} request_place;

/* The names of a folder's files that have `part` in them, sorted, each to be freed, as the array.
 * NULL, and a count of 0: there is no such folder, or no memory. */
char **request_file_names(const char *folder, const char *part, size_t *count);

/* Reads a file; NULL if it can't be read, or is no JSON from byte `*error_at` on. */
json *request_file_read(const char *folder, const char *name, size_t *error_at);

/* Whether a file can be run there; the storage need not be open yet. */
int request_file_is_for(const json *file, const request_place *place);

/* Runs a file. Returns whether all was as the file says; otherwise `why` says what was not. */
int request_file_run(const json *file, const request_place *place, test_text *why);

#endif
