/*
 * proxy.c: a TCP port of this machine's own that leads to a PostgreSQL server's socket, and breaks
 * connections when it is told to.
 */
#include "faults/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "faults/wire.h"

enum { MAX_CONNECTIONS = 128, CHUNK = 65536, MAX_QUEUED = 4 << 20 };

/* Bytes of one read. */
typedef struct chunk {
    struct chunk *next;
    size_t len;
    size_t sent;
    unsigned char data[];
} chunk;

/* One direction of a connection. */
typedef struct stream {
    int from;
    int to;
    chunk *first;
    chunk *last;
    size_t queued;
    uint64_t sent;
    int is_ended; /* no more will come */
    int is_full;  /* `to` takes nothing now */
    int is_held;  /* the first chunk waits for more to be read */
    wire messages;
} stream;

typedef struct connection {
    int is_open;
    stream up;         /* client to server */
    stream down;       /* server to client */
    int is_mute;       /* it throws away answers, and is cut after the next whole one */
    uint64_t ready;    /* of the server's messages when it became mute */
    proxy_fault fault; /* that made it mute */
    size_t poll_index; /* of the client's descriptor; the server's comes after it */
    int is_new;        /* not in this round's poll */
} connection;

struct proxy {
    pthread_t thread;
    pthread_mutex_t mutex; /* over all that follows */
    struct sockaddr_un server;
    int listener;
    unsigned port;
    int wake[2];
    int is_stopping;
    int is_silent;
    proxy_fault fault;
    uint64_t bytes_left; /* until a cut */
    uint32_t faults;
    connection connections[MAX_CONNECTIONS];
};

/* ---------------------------------------------------------------------------- connections */

static void drop_chunk(stream *s)
{
    chunk *first = s->first;

    s->first = first->next;
    if (s->first == NULL)
        s->last = NULL;
    s->queued -= first->len;
    free(first);
}

static void close_socket(int fd, int is_reset)
{
    struct linger at_once = {1, 0};

    if (is_reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void cut(connection *c, int is_reset)
{
    while (c->up.first != NULL)
        drop_chunk(&c->up);
    while (c->down.first != NULL)
        drop_chunk(&c->down);
    close_socket(c->up.from, is_reset);
    close_socket(c->up.to, 0);
    c->is_open = 0;
}

/* The fault has come: a lasting one stays as it was set. */
static proxy_fault take_fault(proxy *p)
{
    proxy_fault fault = p->fault;

    p->faults++;
    p->bytes_left = fault.bytes;
    if (!fault.is_lasting)
        p->fault.kind = PROXY_NO_FAULT;
    return fault;
}

static void add_connection(proxy *p, int client, int server)
{
    connection *c = p->connections;
    int on = 1;

    while (c < p->connections + MAX_CONNECTIONS && c->is_open)
        c++;
    if (c == p->connections + MAX_CONNECTIONS) {
        close(client);
        close(server);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    memset(c, 0, sizeof *c);
    c->is_open = 1;
    c->is_new = 1;
    c->up.from = c->down.to = client;
    c->up.to = c->down.from = server;
    wire_init(&c->up.messages, 1);
    wire_init(&c->down.messages, 0);
}

static void accept_client(proxy *p)
{
    int client = accept(p->listener, NULL, NULL);
    int server;

    if (client < 0)
        return;
    fcntl(client, F_SETFD, FD_CLOEXEC);
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* a silent proxy stands for a machine that is gone, and so its server may be */
    if (server >= 0 &&
        (connect(server, (const struct sockaddr *)&p->server, sizeof p->server) == 0 ||
         p->is_silent)) {
        add_connection(p, client, server);
        return;
    }
    if (server >= 0)
        close(server);
    close_socket(client, 1);
}

/* ------------------------------------------------------------------------------ forwarding */

/* Reads once; 0 if the connection broke. */
static int read_some(stream *s)
{
    chunk *c = malloc(sizeof *c + CHUNK);
    ssize_t len;

    if (c == NULL)
        return 0;
    len = recv(s->from, c->data, CHUNK, MSG_DONTWAIT);
    if (len <= 0) {
        int saved = errno;
        free(c);
        if (len < 0 && (saved == EAGAIN || saved == EINTR))
            return 1;
        s->is_ended = 1;
        return len == 0;
    }
    c->next = NULL;
    c->len = (size_t)len;
    c->sent = 0;
    wire_feed(&s->messages, c->data, c->len);
    if (s->last != NULL)
        s->last->next = c;
    else
        s->first = c;
    s->last = c;
    s->queued += c->len;
    return 1;
}

/* The fault for the next COMMIT in this direction, if one is set. */
static int waits_for_commit(const proxy *p, const connection *c, const stream *s)
{
    proxy_fault_kind kind = p->fault.kind;
    int is_up = kind == PROXY_CUT_BEFORE_COMMIT || kind == PROXY_CUT_IN_COMMIT ||
                kind == PROXY_CUT_AFTER_COMMIT;
    int is_down = kind == PROXY_CUT_BEFORE_ANSWER;

    return (s == &c->up ? is_up : is_down) && s->messages.commit != WIRE_NOWHERE &&
           s->messages.commit >= s->sent;
}

/* A COMMIT comes next, and with it the fault: the connection is cut now, or mute from now on. */
static void meet_commit(proxy *p, connection *c)
{
    c->fault = take_fault(p);
    c->ready = c->down.messages.ready;
    c->is_mute = c->fault.kind == PROXY_CUT_IN_COMMIT || c->fault.kind == PROXY_CUT_AFTER_COMMIT;
    if (!c->is_mute)
        cut(c, c->fault.is_reset);
}

/* How many of the bytes at hand may be forwarded now. */
static size_t allowed(proxy *p, connection *c, const stream *s, size_t len)
{
    proxy_fault_kind counted = s == &c->up ? PROXY_CUT_TO_SERVER : PROXY_CUT_TO_CLIENT;
    uint64_t limit = wire_limit(&s->messages);

    if (waits_for_commit(p, c, s)) {
        if (s->messages.commit == s->sent) {
            meet_commit(p, c);
            return c->is_mute ? len : 0;
        }
        limit = s->messages.commit;
    }
    if (limit - s->sent < len)
        len = (size_t)(limit - s->sent);
    if (p->fault.kind == counted && p->bytes_left < len)
        len = (size_t)p->bytes_left;
    return len;
}

/* Counts down to a cut. */
static void count(proxy *p, connection *c, const stream *s, size_t len)
{
    proxy_fault_kind counted = s == &c->up ? PROXY_CUT_TO_SERVER : PROXY_CUT_TO_CLIENT;

    if (p->fault.kind != counted)
        return;
    p->bytes_left -= len;
    if (p->bytes_left == 0)
        cut(c, take_fault(p).is_reset);
}

/* Sends a piece of the first chunk; 0 if nothing more can be done now. */
static int send_piece(proxy *p, connection *c, stream *s)
{
    chunk *first = s->first;
    size_t len = allowed(p, c, s, first->len - first->sent);
    ssize_t sent;

    s->is_held = len == 0;
    if (len == 0 || !c->is_open)
        return 0;
    sent = send(s->to, first->data + first->sent, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        s->is_full = errno == EAGAIN;
        if (errno != EAGAIN && errno != EINTR)
            cut(c, 0);
        return 0;
    }
    first->sent += (size_t)sent;
    s->sent += (size_t)sent;
    if (first->sent == first->len)
        drop_chunk(s);
    count(p, c, s, (size_t)sent);
    return c->is_open;
}

static void forward(proxy *p, connection *c, stream *s)
{

    s->is_full = 0;
    s->is_held = 0;
    while (c->is_open && s->first != NULL && send_piece(p, c, s))
        ;
    if (c->is_open && s->is_ended && s->first == NULL)
        cut(c, 0);
}

/* A mute connection's answers go nowhere. */
static void swallow(connection *c)
{
    const wire *up = &c->up.messages;
    int is_over = c->fault.kind == PROXY_CUT_IN_COMMIT
                      ? up->commit_end != WIRE_NOWHERE && c->up.sent >= up->commit_end
                      : c->down.messages.ready > c->ready;

    while (c->down.first != NULL)
        drop_chunk(&c->down);
    if (is_over)
        cut(c, c->fault.is_reset);
}

static void serve(proxy *p, connection *c, short client_events, short server_events)
{
    if ((client_events & (POLLIN | POLLHUP | POLLERR)) && !read_some(&c->up))
        cut(c, 0);
    c->down.messages.lone_bytes += c->up.messages.encryption_requests;
    c->up.messages.encryption_requests = 0;
    if (c->is_open && (server_events & (POLLIN | POLLHUP | POLLERR)) && !read_some(&c->down))
        cut(c, 0);
    if (c->is_open)
        forward(p, c, &c->up);
    if (c->is_open && c->is_mute)
        swallow(c);
    if (c->is_open)
        forward(p, c, &c->down);
}

/* ------------------------------------------------------------------------------ the thread */

static short events_of(const stream *in, const stream *out)
{
    int wants = !in->is_ended && in->queued < MAX_QUEUED;

    return (short)((wants ? POLLIN : 0) | (out->is_full ? POLLOUT : 0));
}

/* Whether a stream has something that can be forwarded at once. */
static int can_go_on(const stream *s)
{
    return s->first != NULL && !s->is_full && !s->is_held;
}

/* Fills in what to wait for; returns how many descriptors, and the time. */
static size_t collect(proxy *p, struct pollfd *fds, int *timeout)
{
    size_t count = 0;

    fds[count++] = (struct pollfd){.fd = p->wake[0], .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    *timeout = -1;
    for (connection *c = p->connections; c < p->connections + MAX_CONNECTIONS; c++) {
        c->is_new = 0;
        c->poll_index = 0;
        if (!c->is_open || p->is_silent)
            continue;
        c->poll_index = count;
        fds[count++] = (struct pollfd){.fd = c->up.from, .events = events_of(&c->up, &c->down)};
        fds[count++] = (struct pollfd){.fd = c->down.from, .events = events_of(&c->down, &c->up)};
        if (can_go_on(&c->up) || can_go_on(&c->down))
            *timeout = 0;
    }
    return count;
}

static void serve_all(proxy *p, const struct pollfd *fds)
{
    char drained[64];

    if (fds[0].revents != 0)
        (void)!read(p->wake[0], drained, sizeof drained);
    if (fds[1].revents != 0)
        accept_client(p);
    for (connection *c = p->connections; c < p->connections + MAX_CONNECTIONS; c++) {
        if (c->is_open && !c->is_new && c->poll_index > 0 && !p->is_silent)
            serve(p, c, fds[c->poll_index].revents, fds[c->poll_index + 1].revents);
    }
}

static void *run(void *arg)
{
    proxy *p = arg;
    struct pollfd fds[2 + 2 * MAX_CONNECTIONS];

    pthread_mutex_lock(&p->mutex);
    while (!p->is_stopping) {
        int timeout;
        size_t count = collect(p, fds, &timeout);
        int found;
        pthread_mutex_unlock(&p->mutex);
        found = poll(fds, (nfds_t)count, timeout);
        pthread_mutex_lock(&p->mutex);
        if (found >= 0)
            serve_all(p, fds);
    }
    for (connection *c = p->connections; c < p->connections + MAX_CONNECTIONS; c++) {
        if (c->is_open)
            cut(c, 0);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ------------------------------------------------------------------------- opening and setting */

static int listen_somewhere(proxy *p)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof name;

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->listener < 0 || bind(p->listener, (const struct sockaddr *)&name, sizeof name) != 0 ||
        listen(p->listener, MAX_CONNECTIONS) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&name, &len) != 0)
        return 0;
    p->port = ntohs(name.sin_port);
    return 1;
}

static int set_up(proxy *p, const char *server_socket)
{
    p->listener = p->wake[0] = p->wake[1] = -1;
    p->server.sun_family = AF_UNIX;
    if (strlen(server_socket) >= sizeof p->server.sun_path)
        return 0;
    memcpy(p->server.sun_path, server_socket, strlen(server_socket) + 1);
    if (pipe(p->wake) != 0 || fcntl(p->wake[0], F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(p->wake[1], F_SETFD, FD_CLOEXEC) != 0 || !listen_somewhere(p))
        return 0;
    return pthread_mutex_init(&p->mutex, NULL) == 0 &&
           pthread_create(&p->thread, NULL, run, p) == 0;
}

static void release(proxy *p)
{
    if (p->wake[0] >= 0)
        close(p->wake[0]);
    if (p->wake[1] >= 0)
        close(p->wake[1]);
    if (p->listener >= 0)
        close(p->listener);
    free(p);
}

proxy *proxy_open(const char *server_socket)
{
    proxy *p = calloc(1, sizeof *p);

    if (p != NULL && set_up(p, server_socket))
        return p;
    fputs("the proxy can't be made\n", stderr);
    if (p != NULL)
        release(p);
    return NULL;
}

static void wake(proxy *p)
{
    (void)!write(p->wake[1], "", 1);
}

void proxy_close(proxy *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->mutex);
    p->is_stopping = 1;
    wake(p);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->mutex);
    release(p);
}

unsigned proxy_port(const proxy *p)
{
    return p->port;
}

void proxy_set_fault(proxy *p, proxy_fault fault)
{
    if (fault.bytes == 0)
        fault.bytes = 1;
    pthread_mutex_lock(&p->mutex);
    p->fault = fault;
    p->bytes_left = fault.bytes;
    pthread_mutex_unlock(&p->mutex);
}

uint32_t proxy_faults(proxy *p)
{
    uint32_t faults;

    pthread_mutex_lock(&p->mutex);
    faults = p->faults;
    pthread_mutex_unlock(&p->mutex);
    return faults;
}

/* The client's last bytes, or its end, may still be unread in the socket. */
static int is_busy(const connection *c)
{
    struct pollfd client = {.fd = c->up.from, .events = POLLIN};

    return c->is_open &&
           (c->is_mute || c->up.is_ended || c->up.first != NULL || poll(&client, 1, 0) != 0);
}

uint32_t proxy_busy_connections(proxy *p)
{
    uint32_t count = 0;

    pthread_mutex_lock(&p->mutex);
    for (const connection *c = p->connections; c < p->connections + MAX_CONNECTIONS; c++)
        count += is_busy(c) != 0;
    pthread_mutex_unlock(&p->mutex);
    return count;
}

void proxy_set_silent(proxy *p, int is_silent)
{
    pthread_mutex_lock(&p->mutex);
    p->is_silent = is_silent;
    wake(p);
    pthread_mutex_unlock(&p->mutex);
}

uint64_t proxy_answers(proxy *p)
{
    uint64_t count = 0;

    pthread_mutex_lock(&p->mutex);
    for (const connection *c = p->connections; c < p->connections + MAX_CONNECTIONS; c++)
        count += c->is_open ? c->down.messages.ready : 0;
    pthread_mutex_unlock(&p->mutex);
    return count;
}
