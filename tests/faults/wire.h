/*
 * wire.h: follows the messages of PostgreSQL's protocol in one direction of a connection (chapter
 * 55 of PostgreSQL's manual), to know where a COMMIT is.
 */
#ifndef BB_TEST_WIRE_H
#define BB_TEST_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum { WIRE_HEAD = 128, WIRE_NAME = 64 };

#define WIRE_NOWHERE UINT64_MAX

/* Offsets count the bytes of this direction from the connection's beginning. */
typedef struct wire {
    int is_client;    /* what the client sends; otherwise what the server sends */
    int is_started;   /* client: the startup message is over; later messages have a type */
    uint64_t offset;  /* bytes seen */
    uint64_t message; /* where the incomplete message began; otherwise `offset` */
    uint64_t length;  /* of that message, or 0: not known yet */
    unsigned char head[WIRE_HEAD];
    size_t head_len;
    unsigned encryption_requests; /* client: each is answered by one byte without a message */
    unsigned lone_bytes;          /* server: such bytes to come */
    char commit_name[WIRE_NAME];  /* client: the prepared statement that is a COMMIT */
    int has_commit_name;
    uint64_t commit;     /* where the last COMMIT, or the server's answer to it, began */
    uint64_t commit_end; /* client: where the Sync after it ended */
    uint64_t ready;      /* server: ReadyForQuery messages seen */
} wire;

void wire_init(wire *w, int is_client);

/* Takes the next bytes. */
void wire_feed(wire *w, const unsigned char *data, size_t len);

/* Up to where bytes may be forwarded, so that a COMMIT is recognized before its first byte is
 * forwarded: small messages are held back until they are whole. */
uint64_t wire_limit(const wire *w);

#endif
