/*
 * load_connections.c: many keep-alive connections to an example server, each of which sends one
 * contact at a time, at a steady rate; how long answers take, and what the server needs for it.
 *
 *     load_connections [--connections N] [--rate N] [--seconds N] -- PROGRAM [ARGUMENT...]
 *
 * starts the program with `--listen 127.0.0.1:0 --demo` added, so that
 *
 *     load_connections --connections 10000 -- bb-contacts-uv --store sqlite:contacts.db
 *
 * is the whole of it: 10,000 connections, each one request a second for 30 seconds. (--rate is of
 * all connections together, and by default their number.) Every request changes the connection's
 * own contact. Requests are due at fixed times, spread evenly, and latency counts from then, even
 * if an earlier answer on the connection is late, as a client would have waited for that, too.
 * Prints a Markdown table; exit status 1 if any answer was not a 200, or missing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

enum {
    MOST_CONNECTIONS = 100000,
    MOST_REQUESTS = 50000000,
    MOST_ARGUMENTS = 60,
    READY = 512,         /* events taken at once */
    LATE_ANSWERS_S = 60, /* how long answers are waited for after the last request */
    SETTLE_US = 1000000  /* after which memory is measured */
};

static const char key[] = "oc_test_0123456789abcdefghijklmnopqrstuv";

typedef struct connection {
    int fd;
    unsigned turn;  /* requests sent */
    unsigned owed;  /* requests that are due and not sent, as an answer is awaited */
    int is_waiting; /* for an answer */
    size_t missing; /* bytes of the answer's body */
} connection;

typedef struct server {
    pid_t pid;
    FILE *output;
    unsigned port;
} server;

typedef struct load {
    unsigned connections;
    unsigned rate; /* requests a second, of all connections together */
    unsigned seconds;
    size_t total; /* requests */
    server server;
    int epoll;
    connection *all;
    double began_ms;
    size_t due; /* requests, so far */
    size_t sent;
    size_t answered;
    size_t not_200;
    size_t broken; /* connections */
    uint32_t *latency_us;
} load;

/* Why the system's call failed. */
static const char *reason(void)
{
    return strerror(errno); // NOLINT(concurrency-mt-unsafe): the only thread
}

/* ----------------------------------------------------------------------------------- the server */

/* A value in kB of the server's status file, such as "VmRSS:"; in KiB, as they mean. */
static double memory_of(const server *s, const char *name)
{
    char path[64], text[4096];
    const char *line;
    ssize_t len;
    int fd;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)s->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        bench_stop(path, reason());
    len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len < 0 ? 0 : len] = '\0';
    line = strstr(text, name);
    return line == NULL ? 0 : strtod(line + strlen(name), NULL);
}

/* Becomes the program, with the pipe as its standard output. */
static _Noreturn void become(char **arguments, const int pipe_[2])
{
    if (dup2(pipe_[1], STDOUT_FILENO) < 0)
        _exit(127);
    close(pipe_[0]);
    close(pipe_[1]);
    setenv("BOOKBAG_API_KEY", key, 1); // NOLINT(concurrency-mt-unsafe): the only thread
    execvp(arguments[0], arguments);
    perror(arguments[0]);
    _exit(127);
}

/* Starts the program and waits until it listens. */
static void start(server *s, int count, char **program)
{
    static char listen[] = "--listen", address[] = "127.0.0.1:0", demo[] = "--demo";
    static char *arguments[MOST_ARGUMENTS + 4];
    char line[256];
    int pipe_[2];

    if (count > MOST_ARGUMENTS)
        bench_stop(program[0], "too many arguments");
    if (pipe(pipe_) != 0)
        bench_stop("pipe", reason());
    memcpy(arguments, program, (size_t)count * sizeof *arguments);
    arguments[count] = listen;
    arguments[count + 1] = address;
    arguments[count + 2] = demo;
    s->pid = fork();
    if (s->pid < 0)
        bench_stop("fork", reason());
    if (s->pid == 0)
        become(arguments, pipe_);
    close(pipe_[1]);
    s->output = fdopen(pipe_[0], "r");
    while (s->output != NULL && fgets(line, sizeof line, s->output) != NULL) {
        if (sscanf(line, "listening on http://127.0.0.1:%u", &s->port) == 1) // NOLINT(cert-err34-c)
            return;
    }
    bench_stop(program[0], "does not start");
}

/* Ends it, and returns its processor time in seconds. */
static double stop(server *s)
{
    struct rusage used;
    int status = 0;

    kill(s->pid, SIGTERM);
    if (wait4(s->pid, &status, 0, &used) != s->pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        bench_stop("the server", "did not end as it should");
    fclose(s->output);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* ------------------------------------------------------------------------------- connections */

static void allow_files(unsigned count)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max < count + 100)
        bench_stop("too few files can be open at once", "see ulimit -H -n");
}

static void connect_all(load *l)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)l->server.port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1;

    for (unsigned i = 0; i < l->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = i}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            bench_stop("connect", reason());
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            bench_stop("epoll", reason());
        l->all[i].fd = fd;
    }
}

static void give_up(load *l, connection *c)
{
    l->broken++;
    close(c->fd);
    c->fd = -1;
    c->is_waiting = 0;
    c->owed = 0;
}

/* The time at which a connection's request is due, in milliseconds. */
static double due_ms(const load *l, const connection *c, unsigned turn)
{
    double index = (double)turn * l->connections + (double)(c - l->all);

    return l->began_ms + index * 1e3 / l->rate;
}

/* Sends the connection's next request. */
static void send_next(load *l, connection *c)
{
    char body[256], message[640];
    unsigned id = (unsigned)(c - l->all);
    int body_len = snprintf(body, sizeof body,
                            "{\"users\":[{\"external_id\":\"user_%06u\",\"name\":\"Person %u\","
                            "\"email\":\"person.%u@example.com\","
                            "\"custom_attributes\":{\"plan\":\"pro\",\"turn\":%u}}]}",
                            id, id, id, c->turn);
    int len = snprintf(message, sizeof message,
                       "POST /api/v1/chatbots/123/contacts HTTP/1.1\r\n"
                       "Host: 127.0.0.1\r\n"
                       "Authorization: Bearer %s\r\n"
                       "Content-Type: application/json\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       key, body_len, body);

    c->turn++;
    c->is_waiting = 1;
    l->sent++;
    if (send(c->fd, message, (size_t)len, MSG_NOSIGNAL) != len)
        give_up(l, c);
}

/* An answer has arrived, all of it. */
static void take_answer(load *l, connection *c)
{
    double took = bench_now_ms() - due_ms(l, c, c->turn - 1);

    l->latency_us[l->answered++] = (uint32_t)(took * 1e3);
    c->is_waiting = 0;
    if (c->owed > 0) {
        c->owed--;
        send_next(l, c);
    }
}

/* The body's length, from a head that must have arrived in one piece, as the server sends it;
 * otherwise -1. */
static long body_length(const char *head, const char **body)
{
    const char *length = strstr(head, "Content-Length: ");
    const char *end = strstr(head, "\r\n\r\n");

    if (length == NULL || end == NULL)
        return -1;
    *body = end + 4;
    return strtol(length + 16, NULL, 10);
}

static void read_answer(load *l, connection *c)
{
    char data[16384];
    ssize_t len = recv(c->fd, data, sizeof data - 1, 0);
    const char *body = data;

    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0 || !c->is_waiting) {
        give_up(l, c);
        return;
    }
    data[len] = '\0';
    if (c->missing == 0) {
        long body_len = strncmp(data, "HTTP/1.1 ", 9) == 0 ? body_length(data, &body) : -1;
        if (body_len < 0) {
            give_up(l, c);
            return;
        }
        if (strncmp(data + 9, "200 ", 4) != 0)
            l->not_200++;
        c->missing = (size_t)body_len;
    }
    c->missing -= (size_t)(data + len - body);
    if (c->missing == 0)
        take_answer(l, c);
}

/* ------------------------------------------------------------------------------------ the load */

/* Sends what is due by now, or notes that it is owed. */
static void send_due(load *l)
{
    double passed = (bench_now_ms() - l->began_ms) / 1e3;
    size_t due = (size_t)(passed * l->rate) + 1;

    for (; l->due < due && l->due < l->total; l->due++) {
        connection *c = &l->all[l->due % l->connections];
        if (c->fd < 0)
            continue;
        if (c->is_waiting)
            c->owed++;
        else
            send_next(l, c);
    }
}

static void run(load *l)
{
    struct epoll_event ready[READY];
    double end;

    l->began_ms = bench_now_ms();
    end = l->began_ms + (l->seconds + LATE_ANSWERS_S) * 1e3;
    while (l->answered < l->total && l->broken < l->connections && bench_now_ms() < end) {
        int count;
        send_due(l);
        count = epoll_wait(l->epoll, ready, READY, 1);
        for (int i = 0; i < count; i++) {
            connection *c = &l->all[ready[i].data.u32];
            if (c->fd >= 0)
                read_answer(l, c);
        }
        if (l->broken > 0 && l->due == l->total && l->answered == l->sent)
            return;
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double latency_ms(const load *l, double share)
{
    return l->answered == 0 ? 0 : l->latency_us[(size_t)((double)(l->answered - 1) * share)] / 1e3;
}

/* -------------------------------------------------------------------------------- the program */

static void read_arguments(int argc, char **argv, load *l)
{
    static const struct option known[] = {{"connections", required_argument, NULL, 'c'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread
    while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        if (option == 'c')
            l->connections = (unsigned)bench_number(optarg, MOST_CONNECTIONS);
        else if (option == 'r')
            l->rate = (unsigned)bench_number(optarg, MOST_REQUESTS);
        else if (option == 's')
            l->seconds = (unsigned)bench_number(optarg, 3600);
        else
            bench_stop("usage", "load_connections [--connections N] [--rate N] [--seconds N] -- "
                                "PROGRAM [ARGUMENT...]");
    }
    if (optind == argc)
        bench_stop("usage", "the program is missing");
    if (l->rate == 0)
        l->rate = l->connections;
    l->total = (size_t)l->rate * l->seconds;
    if (l->total > MOST_REQUESTS)
        bench_stop("too many requests", "in all");
}

/* What the server has. */
typedef struct memory {
    double alone; /* KiB, here and below */
    double idle;
    double most;
    double afterwards;
} memory;

static void print(load *l, const memory *m, double server_s, double own_s)
{
    qsort(l->latency_us, l->answered, sizeof *l->latency_us, compare);
    printf("| connections | requests/s | seconds | answered | not 200 | broken | median ms | 99 %% "
           "| 99.9 %% | longest |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
           "| %u | %u | %u | %zu of %zu | %zu | %zu | %.1f | %.1f | %.1f | %.1f |\n\n",
           l->connections, l->rate, l->seconds, l->answered, l->total, l->not_200, l->broken,
           latency_ms(l, 0.5), latency_ms(l, 0.99), latency_ms(l, 0.999), latency_ms(l, 1));
    printf("| server's memory | MiB | KiB a connection |\n|---|---:|---:|\n"
           "| without connections | %.1f | |\n| all connected, no request yet | %.1f | %.2f |\n"
           "| at most | %.1f | %.2f |\n| all idle again | %.1f | %.2f |\n\n",
           m->alone / 1024, m->idle / 1024, (m->idle - m->alone) / l->connections, m->most / 1024,
           (m->most - m->alone) / l->connections, m->afterwards / 1024,
           (m->afterwards - m->alone) / l->connections);
    printf("Processor time: the server %.1f s, this program %.1f s.\n", server_s, own_s);
}

int main(int argc, char **argv)
{
    static load l = {.connections = 10000, .seconds = 30};
    memory m;
    double own;

    read_arguments(argc, argv, &l);
    allow_files(l.connections);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.all = calloc(l.connections, sizeof *l.all);
    l.latency_us = calloc(l.total, sizeof *l.latency_us);
    if (l.epoll < 0 || l.all == NULL || l.latency_us == NULL)
        bench_stop("begin", reason());

    start(&l.server, argc - optind, argv + optind);
    m.alone = memory_of(&l.server, "VmRSS:");
    connect_all(&l);
    usleep(SETTLE_US);
    m.idle = memory_of(&l.server, "VmRSS:");
    own = bench_cpu_ms();
    run(&l);
    own = (bench_cpu_ms() - own) / 1e3;
    usleep(SETTLE_US);
    m.most = memory_of(&l.server, "VmHWM:");
    m.afterwards = memory_of(&l.server, "VmRSS:");
    for (unsigned i = 0; i < l.connections; i++) {
        if (l.all[i].fd >= 0)
            close(l.all[i].fd);
    }
    print(&l, &m, stop(&l.server), own);
    return l.answered == l.total && l.not_200 == 0 ? 0 : 1;
}
