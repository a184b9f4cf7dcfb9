/*
 * listen.c: a listening socket from the text HOST:PORT.
 */
#include "listen.h"

#include "command_line.h"
#include "log.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Splits "name:80" or "[::1]:80"; returns whether it is one of them. `host` loses the brackets. */
static int split(const char *address, char *host, size_t host_size, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - address);

    if (len > 1 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return 0;
    }
    if (len == 0 || len >= host_size)
        return 0;
    memcpy(host, address, len);
    host[len] = '\0';
    *port = colon + 1;
    return parse_number(*port, 0) >= 0 && parse_number(*port, 0) <= 65535;
}

static int listen_on(const struct addrinfo *where)
{
    int fd = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC, where->ai_protocol);
    int on = 1;
    int saved;

    if (fd < 0)
        return -1;
    /* A restart must not wait for the old server's closed connections to time out. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* The port that a socket has, as text. */
static int port_of(int fd, char *port, size_t size)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;

    return getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
           getnameinfo((struct sockaddr *)&name, len, NULL, 0, port, (socklen_t)size,
                       NI_NUMERICSERV) == 0;
}

int listen_open(const char *address, char *out, size_t out_size)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char host[256], port[8];
    const char *wanted;
    int fd = -1, status;

    if (!split(address, host, sizeof host, &wanted)) {
        log_say("--listen %s: not HOST:PORT", address);
        return -EXIT_USAGE;
    }
    status = getaddrinfo(host, wanted, &hints, &found);
    if (status != 0) {
        log_say("--listen %s: %s", address, gai_strerror(status));
        return -EXIT_FAILURE;
    }
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = listen_on(at);
    freeaddrinfo(found);
    if (fd < 0 || !port_of(fd, port, sizeof port)) {
        log_say("--listen %s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -EXIT_FAILURE;
    }
    snprintf(out, out_size, "%.*s:%s", (int)(strrchr(address, ':') - address), address, port);
    return fd;
}
