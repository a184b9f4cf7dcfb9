/*
 * pg_server.h: PostgreSQL servers of a test's own, which it may kill.
 */
#ifndef BB_TEST_PG_SERVER_H
#define BB_TEST_PG_SERVER_H

#include <stddef.h>
#include <sys/types.h>

enum { PG_SERVER_PATH = 80, PG_SERVER_OPTIONS = 8 };

typedef struct pg_server {
    char folder[PG_SERVER_PATH]; /* its data, its log and its socket are in it */
    char bindir[200];
    uid_t user; /* the user it runs as, who may not be root */
    gid_t group;
    pid_t pid;                              /* 0: it is not running */
    const char *options[PG_SERVER_OPTIONS]; /* settings as "name=value", for the next start */
} pg_server;

/* 0, or TEST_SKIPPED if PostgreSQL's programs are not there: BB_PG_BINDIR names their folder. */
int pg_server_can_run(void);

/* Makes the data of a server with the superuser bb_test. Returns 0, TEST_SKIPPED as above, or 1
 * after a message on standard error. */
int pg_server_create(pg_server *server);

/* The same of a server that follows a running one. */
int pg_server_create_standby(pg_server *standby, const pg_server *primary);

/* Stops the server, whatever its state, and removes its folder. */
void pg_server_remove(pg_server *server);

/* Starts it, again while processes of the last one keep it from starting, and waits until it takes
 * connections. 0 for success. */
int pg_server_start(pg_server *server);

/* Stops it as an administrator would: sessions are ended. */
int pg_server_stop(pg_server *server);

/* kill -9 of the server's first process alone, or of all its processes at once. */
void pg_server_kill(pg_server *server, int is_all);

/* Sends a signal to all its processes, such as SIGSTOP. */
void pg_server_signal(const pg_server *server, int number);

/* One of the processes that serve sessions, by a number; 0 if there is none. */
pid_t pg_server_session_process(const pg_server *server, unsigned which);

/* Whether it takes connections now. */
int pg_server_is_ready(const pg_server *server);

/* Its connection string. */
void pg_server_conninfo(const pg_server *server, char *out, size_t size);

/* Runs SQL; see test_postgres_sql(). */
int pg_server_sql(const pg_server *server, const char *sql, char *result, size_t result_size);

/* Makes a folder that belongs to the server's user; 0 for success. */
int pg_server_make_folder(const pg_server *server, const char *path);

#endif
