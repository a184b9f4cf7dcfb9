/*
 * folder.c: whether a name in a folder may mean another file than when it was last looked up.
 */
#include "backends/sqlite/folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A second change so soon after the first may have the same time: file systems keep times to the
 * nanosecond, the clock's tick, the second, or two seconds. */
enum { COARSEST_S = 3 };

void bb_sqlite_folder_open(bb_sqlite_folder *folder, char *path)
{
    char *slash = strrchr(path, '/');
    char name;

    *folder = (bb_sqlite_folder){.descriptor = -1};
    if (slash == NULL)
        return;
    name = slash[1];
    slash[1] = '\0';
    folder->descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    slash[1] = name;
}

void bb_sqlite_folder_close(bb_sqlite_folder *folder)
{
    if (folder->descriptor >= 0)
        close(folder->descriptor);
    folder->descriptor = -1;
}

int bb_sqlite_folder_is_unchanged(const bb_sqlite_folder *folder, struct timespec *change)
{
    time_t now = time(NULL); /* first: what is looked up from now on is not older */
    struct stat state;

    *change = (struct timespec){0};
    if (folder->descriptor < 0 || fstat(folder->descriptor, &state) != 0)
        return 0;
    if (folder->change.tv_sec != 0 && state.st_ctim.tv_sec == folder->change.tv_sec &&
        state.st_ctim.tv_nsec == folder->change.tv_nsec)
        return 1;
    if (now - state.st_ctim.tv_sec >= COARSEST_S)
        *change = state.st_ctim;
    return 0;
}

void bb_sqlite_folder_note(bb_sqlite_folder *folder, struct timespec change)
{
    folder->change = change;
}
