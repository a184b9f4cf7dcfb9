/*
 * folder.h: whether a name in a folder may mean another file than when it was last looked up.
 *
 * A folder's time of change moves whenever a name in it is made, deleted or given to another file,
 * and nobody can set it back. To ask for it by a descriptor takes a third of the time that one name
 * takes to look up, and stands for all of them.
 */
#ifndef BB_SQLITE_FOLDER_H
#define BB_SQLITE_FOLDER_H

#include <time.h>

typedef struct bb_sqlite_folder {
    int descriptor; /* -1: it could not be opened, and all names are looked up each time */
    struct timespec
        change; /* the last one before the last look; 0 unless a later one must differ */
} bb_sqlite_folder;

/* The folder of the file at `path`, where no name has been looked up. Closing a folder's descriptor
 * drops no locks. */
void bb_sqlite_folder_open(bb_sqlite_folder *folder, char *path);
void bb_sqlite_folder_close(bb_sqlite_folder *folder);

/* Whether all names mean what they did when bb_sqlite_folder_note() was last called. Otherwise
 * fills `change` for bb_sqlite_folder_note(), which is to be called once they have been looked up
 * and found to mean what they did before. */
int bb_sqlite_folder_is_unchanged(const bb_sqlite_folder *folder, struct timespec *change);
void bb_sqlite_folder_note(bb_sqlite_folder *folder, struct timespec change);

#endif
