/*
 * run_seeds.c: gives each file of a folder to a fuzz target, where there is no fuzzer.
 *
 *     fuzz_TARGET FOLDER|FILE...
 */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

enum { MOST_BYTES = 1 << 20 };

static int run_file(const char *path)
{
    uint8_t *data = malloc(MOST_BYTES);
    FILE *file = fopen(path, "rb");
    size_t size;

    CHECK(data != NULL);
    if (file == NULL) {
        perror(path);
        free(data);
        return 0;
    }
    size = fread(data, 1, MOST_BYTES, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int run_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *item;
    char file[4096];
    int count = 0;

    if (folder == NULL)
        return run_file(path);
    while ((item = readdir(folder)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (item->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, item->d_name);
        count += run_file(file);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += run_folder(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
