/*
 * lmdb_storage.h: a storage backend of bb_contacts on LMDB.
 *
 * Everything is in one file that is mapped into memory, on a local file system. Several threads and
 * several processes of one machine may use it at once, but LMDB allows a process to open a file
 * only once.
 */
#ifndef LMDB_STORAGE_H
#define LMDB_STORAGE_H

#include <bb_contacts/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 in a member means its default. */
typedef struct lmdb_storage_options {
    size_t map_bytes;     /* the map's first size, which is doubled as needed; default 64 MiB */
    size_t map_bytes_max; /* its largest size; past it, writes are 503; default 64 GiB */
    unsigned readers;     /* transactions that read at once, in all processes; default 512 */
} lmdb_storage_options;

/* Opens the storage in the file `path`, which bb_storage_migrate() makes, with two more beside it:
 * `path`-lock and `path`-writer. `options` may be NULL. On success `*out` is closed with
 * bb_storage_close(); otherwise it is NULL. */
int32_t lmdb_storage_open(const char *path, const lmdb_storage_options *options, bb_storage **out,
                          bb_error *error);

/* The same in two halves, for the conformance kit, which calls the table itself. */
extern const bb_storage_vtable lmdb_storage_vtable;
int32_t lmdb_storage_store_new(const char *path, const lmdb_storage_options *options, void **store,
                               bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
