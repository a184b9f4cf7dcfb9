/*
 * proxy.h: a TCP port of this machine's own that leads to a PostgreSQL server's socket, and breaks
 * connections when it is told to.
 */
#ifndef BB_TEST_PROXY_H
#define BB_TEST_PROXY_H

#include <stdint.h>

typedef struct proxy proxy;

typedef enum proxy_fault_kind {
    PROXY_NO_FAULT,
    PROXY_CUT_TO_SERVER,     /* after `bytes` more bytes from clients were forwarded */
    PROXY_CUT_TO_CLIENT,     /* after `bytes` more bytes from the server were forwarded */
    PROXY_CUT_BEFORE_COMMIT, /* everything before a COMMIT was forwarded, the COMMIT is not */
    PROXY_CUT_IN_COMMIT,     /* the COMMIT was forwarded; nobody waits for the answer */
    PROXY_CUT_BEFORE_ANSWER, /* all answers but that to the COMMIT were forwarded */
    PROXY_CUT_AFTER_COMMIT   /* the server has answered the COMMIT; no answer is forwarded */
} proxy_fault_kind;

typedef struct proxy_fault {
    proxy_fault_kind kind;
    uint64_t bytes;
    int is_reset;   /* by a TCP reset, otherwise by an ordinary end */
    int is_lasting; /* again and again, otherwise once */
} proxy_fault;

/* Makes a proxy to a server's Unix socket, in a thread of its own; NULL after a message on standard
 * error. */
proxy *proxy_open(const char *server_socket);
void proxy_close(proxy *p);

/* Where it listens on 127.0.0.1. */
unsigned proxy_port(const proxy *p);

/* Sets the next fault, in place of one that has not come. */
void proxy_set_fault(proxy *p, proxy_fault fault);

/* How many faults there have been. */
uint32_t proxy_faults(proxy *p);

/* How many connections have something on its way to the server, or are about to be closed. A client
 * that only keeps its connection does not count. */
uint32_t proxy_busy_connections(proxy *p);

/* While it is silent, it accepts connections and forwards nothing either way. */
void proxy_set_silent(proxy *p, int is_silent);

/* How often the server has told the connections that are open that it waits for the client
 * (ReadyForQuery): once for each query or pipeline. */
uint64_t proxy_answers(proxy *p);

#endif
