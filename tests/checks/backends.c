/*
 * backends.c: says which backends the library was built with; see subsets.sh.
 */
#include <bb_contacts/backends.h>
#include <stdio.h>

static void tell(const char *name, int32_t code, bb_storage *storage)
{
    if (code == BB_OK)
        bb_storage_close(storage);
    else if (code != BB_ERR_UNSUPPORTED || storage != NULL)
        printf("%s, %s: ", bb_code_name(code), storage != NULL ? "with a storage" : "without one");
    printf("%s %s\n", name, code == BB_OK ? "ON" : "OFF");
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "contacts.db";
    bb_storage *const before = (bb_storage *)&argc; /* not NULL, for openers to change */
    bb_storage *storage = before;
    int32_t code;

    code = bb_storage_open_memory(NULL, &storage, NULL);
    tell("memory", code, storage);
    storage = before;
    code = bb_storage_open_sqlite(path, strlen(path), NULL, &storage, NULL);
    tell("sqlite", code, storage);
    storage = before;
    code = bb_storage_open_postgres("dbname=x", 8, NULL, &storage, NULL);
    tell("postgres", code, storage);
    return 0;
}
