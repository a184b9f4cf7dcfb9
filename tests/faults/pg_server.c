/*
 * pg_server.c: PostgreSQL servers of a test's own, which it may kill.
 */
#include "faults/pg_server.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/postgres.h"
#include "support/settings.h"

enum { MAX_ARGUMENTS = 48, MAX_PROCESSES = 300, START_SECONDS = 120 };

static void pause_ms(int ms)
{
    const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

/* ------------------------------------------------------------------------------- programs */

/* In the child: becomes the server's user, and the program. */
static void become(const pg_server *server, char *const argv[], int log)
{
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setgid(server->group) != 0 || setuid(server->user) != 0))
        _exit(126);
    /* a test that is killed leaves no server behind */
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (chdir(server->folder) != 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execv(argv[0], argv);
    _exit(127);
}

/* Starts a program of PostgreSQL's, with its output in the log; the first argument is its name. */
static pid_t spawn(const pg_server *server, const char *const arguments[])
{
    char *argv[MAX_ARGUMENTS] = {NULL};
    char program[300];
    char path[PG_SERVER_PATH + 16];
    int log;
    pid_t pid;

    snprintf(program, sizeof program, "%s/%s", server->bindir, arguments[0]);
    snprintf(path, sizeof path, "%s/log", server->folder);
    argv[0] = program;
    for (size_t i = 1; arguments[i] != NULL && i + 1 < MAX_ARGUMENTS; i++)
        argv[i] = strdup(arguments[i]);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    pid = log < 0 ? -1 : fork();
    if (pid == 0)
        become(server, argv, log);
    if (log >= 0)
        close(log);
    for (size_t i = 1; argv[i] != NULL; i++)
        free(argv[i]);
    return pid;
}

static void show_log(const pg_server *server)
{
    char path[PG_SERVER_PATH + 16];
    char line[500];
    FILE *log;

    snprintf(path, sizeof path, "%s/log", server->folder);
    log = fopen(path, "re");
    while (log != NULL && fgets(line, sizeof line, log) != NULL)
        fputs(line, stderr);
    if (log != NULL)
        fclose(log);
}

/* Runs a program to its end; 0 for success. */
static int run(const pg_server *server, const char *const arguments[])
{
    pid_t pid = spawn(server, arguments);
    int status;

    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    fprintf(stderr, "%s failed\n", arguments[0]);
    show_log(server);
    return 1;
}

/* ------------------------------------------------------------------------ making and removing */

/* Finds the user that the server runs as, if this process is root's. */
static int find_user(pg_server *server)
{
    static const char *const names[] = {"postgres", "nobody"};
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[4096];

    server->user = geteuid();
    server->group = getegid();
    for (size_t i = 0; server->user == 0 && i < 2; i++) {
        if (getpwnam_r(names[i], &entry, buffer, sizeof buffer, &found) == 0 && found != NULL) {
            server->user = found->pw_uid;
            server->group = found->pw_gid;
        }
    }
    return server->user != 0;
}

int pg_server_make_folder(const pg_server *server, const char *path)
{
    return (mkdir(path, 0700) != 0 && errno != EEXIST) ||
           chown(path, server->user, server->group) != 0;
}

static const char *bindir(void)
{
    const char *folder = getenv("BB_PG_BINDIR"); // NOLINT(concurrency-mt-unsafe)

    return folder != NULL ? folder : "";
}

int pg_server_can_run(void)
{
    char initdb[300];

    snprintf(initdb, sizeof initdb, "%s/initdb", bindir());
    if (access(initdb, X_OK) == 0)
        return 0;
    puts("SKIPPED: BB_PG_BINDIR names no folder with PostgreSQL's programs");
    return TEST_SKIPPED;
}

/* The folder, and what else every server needs. */
static int prepare(pg_server *server)
{
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)
    int status = pg_server_can_run();

    memset(server, 0, sizeof *server);
    snprintf(server->bindir, sizeof server->bindir, "%s", bindir());
    if (status != 0)
        return status;
    snprintf(server->folder, sizeof server->folder, "%s/bbf.XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (!find_user(server) || mkdtemp(server->folder) == NULL) {
        fputs("no folder or no user for a server\n", stderr);
        server->folder[0] = '\0';
        return 1;
    }
    return pg_server_make_folder(server, server->folder);
}

int pg_server_create(pg_server *server)
{
    static const char *const initdb[] = {
        "initdb",    "--pgdata=data",   "--username=bb_test", "--auth=trust",
        "--no-sync", "--encoding=UTF8", "--no-locale",        NULL};
    int status = prepare(server);

    if (status == 0)
        status = run(server, initdb);
    if (status == 1)
        pg_server_remove(server);
    return status;
}

int pg_server_create_standby(pg_server *standby, const pg_server *primary)
{
    char from[200];
    const char *const basebackup[] = {
        "pg_basebackup", "--pgdata=data",         "--dbname",          from,
        "--no-sync",     "--write-recovery-conf", "--checkpoint=fast", NULL};
    int status = prepare(standby);

    snprintf(from, sizeof from, "host=%s user=bb_test", primary->folder);
    if (status == 0)
        status = run(standby, basebackup);
    if (status == 1)
        pg_server_remove(standby);
    return status;
}

/* 0 for success. */
static int remove_tree(char *folder)
{
    char *const paths[] = {folder, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int failed = tree == NULL;

    for (FTSENT *entry; tree != NULL && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_D && remove(entry->fts_accpath) != 0)
            failed = 1;
    }
    if (tree != NULL)
        fts_close(tree);
    return failed;
}

/* Frees the System V segment of a server that was killed, which is in nobody's folder. Its file
 * postmaster.pid, which only such a server leaves, has the segment's key and id in line 7. */
static void remove_memory(const pg_server *server)
{
    char path[PG_SERVER_PATH + 30];
    char line[200];
    FILE *file;
    char *at = NULL;

    snprintf(path, sizeof path, "%s/data/postmaster.pid", server->folder);
    file = fopen(path, "r");
    for (int i = 0; file != NULL && i < 7; i++)
        at = fgets(line, sizeof line, file);
    if (file != NULL)
        fclose(file);
    if (at == NULL)
        return;
    strtoul(at, &at, 10);
    shmctl((int)strtol(at, NULL, 10), IPC_RMID, NULL);
}

void pg_server_remove(pg_server *server)
{
    if (server->pid > 0) {
        pg_server_signal(server, SIGCONT);
        pg_server_kill(server, 1);
    }
    remove_memory(server);
    /* its last processes may still write for a moment */
    for (int i = 0; i < 500 && server->folder[0] != '\0' && access(server->folder, F_OK) == 0;
         i++) {
        if (remove_tree(server->folder) != 0)
            pause_ms(20);
    }
    server->folder[0] = '\0';
}

/* ----------------------------------------------------------------------- starting and stopping */

void pg_server_conninfo(const pg_server *server, char *out, size_t size)
{
    snprintf(out, size, "host=%s port=5432 user=bb_test dbname=postgres", server->folder);
}

int pg_server_is_ready(const pg_server *server)
{
    char conninfo[200];

    pg_server_conninfo(server, conninfo, sizeof conninfo);
    return PQping(conninfo) == PQPING_OK;
}

static pid_t spawn_server(const pg_server *server)
{
    const char *arguments[MAX_ARGUMENTS] = {
        "postgres", "-D", "data", "-k", server->folder, "-p", "5432", "-c",
        "listen_addresses=", "-c", "logging_collector=off", "-c", "shared_buffers=32MB", "-c",
        /* in the folder, so that it is removed with it */
        "dynamic_shared_memory_type=mmap", "-c", "lc_messages=C"};
    size_t count = 17;

    for (size_t i = 0; i < PG_SERVER_OPTIONS && server->options[i] != NULL; i++) {
        arguments[count++] = "-c";
        arguments[count++] = server->options[i];
    }
    return spawn(server, arguments);
}

/* Whether the process has ended; it is then no longer there. */
static int has_ended(pg_server *server)
{
    if (server->pid > 0 && waitpid(server->pid, NULL, WNOHANG) == 0)
        return 0;
    server->pid = 0;
    return 1;
}

int pg_server_start(pg_server *server)
{
    server->pid = spawn_server(server);
    for (int waited = 0; waited < START_SECONDS * 1000; waited += 10) {
        if (has_ended(server)) {
            /* processes of a killed server still use its memory */
            pause_ms(10);
            server->pid = spawn_server(server);
        } else if (pg_server_is_ready(server) && !has_ended(server)) {
            return 0;
        }
        pause_ms(10);
    }
    fputs("the server did not start\n", stderr);
    show_log(server);
    return 1;
}

int pg_server_stop(pg_server *server)
{
    if (server->pid <= 0)
        return 0;
    kill(server->pid, SIGINT);
    for (int waited = 0; waited < START_SECONDS * 1000; waited += 10) {
        if (has_ended(server))
            return 0;
        pause_ms(10);
    }
    return 1;
}

/* The server's child processes; 0 where the system doesn't tell. */
static size_t find_children(const pg_server *server, pid_t *pids)
{
    char path[64];
    FILE *file;
    size_t count = 0;
    char word[24];

    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)server->pid,
             (long)server->pid);
    file = fopen(path, "re");
    while (file != NULL && count < MAX_PROCESSES && fscanf(file, "%23s", word) == 1)
        pids[count++] = (pid_t)strtol(word, NULL, 10);
    if (file != NULL)
        fclose(file);
    return count;
}

void pg_server_kill(pg_server *server, int is_all)
{
    pid_t children[MAX_PROCESSES];
    size_t count = 0;

    if (server->pid <= 0)
        return;
    if (is_all)
        count = find_children(server, children);
    kill(server->pid, SIGKILL);
    for (size_t i = 0; i < count; i++)
        kill(children[i], SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void pg_server_signal(const pg_server *server, int number)
{
    pid_t children[MAX_PROCESSES];
    size_t count;

    if (server->pid <= 0)
        return;
    count = find_children(server, children);
    kill(server->pid, number);
    for (size_t i = 0; i < count; i++)
        kill(children[i], number);
}

int pg_server_sql(const pg_server *server, const char *sql, char *result, size_t result_size)
{
    char conninfo[200];

    pg_server_conninfo(server, conninfo, sizeof conninfo);
    return test_postgres_sql(conninfo, sql, result, result_size);
}

pid_t pg_server_session_process(const pg_server *server, unsigned which)
{
    char sql[200];
    char pid[24] = "0";

    snprintf(sql, sizeof sql,
             "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
             " AND application_name = 'bb_contacts' ORDER BY hashint4(pid + %u) LIMIT 1",
             which);
    if (pg_server_sql(server, sql, pid, sizeof pid) != 0)
        return 0;
    return (pid_t)strtol(pid, NULL, 10);
}
