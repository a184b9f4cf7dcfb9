/*
 * server_time.c: the processor time of a PostgreSQL server on this machine.
 */
#include "server_time.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure.h"

long bench_postmaster(const test_store *store)
{
    char pid[32] = "";
    const char *sql = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";

    if (test_store_sql(store, sql, pid, sizeof pid) != 0)
        bench_stop("the server's process", "cannot be found");
    return (long)bench_number(pid, INT32_MAX);
}

/* The contents of a line of /proc/PID/stat; see proc(5). */
typedef struct process {
    long parent;
    unsigned long own;      /* ticks in user mode and in the kernel */
    unsigned long children; /* the same of its children that have ended */
} process;

static int read_process(const char *pid, process *p)
{
    char path[64];
    char line[1024] = "";
    unsigned long user, system;
    long children_user, children_system;
    const char *rest;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    rest = strrchr(line, ')'); /* the name before it may hold anything */
    if (rest == NULL ||
        // NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers
        sscanf(rest, ") %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &p->parent,
               &user, &system, &children_user, &children_system) != 5)
        return 0;
    p->own = user + system;
    p->children = (unsigned long)(children_user + children_system);
    return 1;
}

double bench_server_cpu_ms(long postmaster)
{
    unsigned long ticks = 0;
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    process p;

    if (folder == NULL)
        bench_stop("/proc", "cannot be read");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a folder that no other thread reads
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !read_process(entry->d_name, &p))
            continue;
        if (strtol(entry->d_name, NULL, 10) == postmaster)
            ticks += p.own + p.children;
        else if (p.parent == postmaster)
            ticks += p.own;
    }
    closedir(folder);
    return (double)ticks * 1e3 / (double)sysconf(_SC_CLK_TCK);
}
