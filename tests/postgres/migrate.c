/*
 * migrate.c: brings the schema of a database up to date: `migrate CONNINFO`.
 */
#include <stdio.h>

#include "bb_contacts/backends.h"

int main(int argc, char **argv)
{
    bb_storage *storage = NULL;
    bb_error error;
    int32_t code = BB_ERR_ARGUMENT;

    bb_error_init(&error);
    if (argc == 2)
        code = bb_storage_open_postgres(argv[1], strlen(argv[1]), NULL, &storage, &error);
    if (code == BB_OK)
        code = bb_storage_migrate(storage, 60000, &error);
    if (code != BB_OK)
        printf("migrate: %s: %s\n", bb_code_name(code), error.message);
    bb_storage_close(storage);
    return code == BB_OK ? 0 : 1;
}
