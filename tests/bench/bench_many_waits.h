/*
 * bench_many_waits.h: how long a single contact waits: in a queue that is half full, and alone.
 */
#ifndef BB_BENCH_MANY_WAITS_H
#define BB_BENCH_MANY_WAITS_H

#include "contacts.h"

/* Chatbots 123 and so on: enough that none has more than its share of a half full queue. */
enum { MANY_CHATBOTS = 4, MANY_DEFAULT_GROUP = 128 };

typedef struct many_bench {
    test_endpoint endpoint; /* whose handle has no workers */
    bb_contacts *with_workers;
    char header[7 + BB_KEY_SIZE];
    char script[64];
    unsigned threads;
    unsigned workers;
    unsigned group;
    unsigned seconds;
    unsigned rounds;
    unsigned keys;
} many_bench;

/* Adds the chatbots, and a key for them to the header. */
void many_add_key(many_bench *bench);

/* A body of one contact with a random key and values. */
void many_fill(const many_bench *bench, uint64_t *random, test_text *body);

/* A request with such a body. */
bb_request many_request(const many_bench *bench, const char *chatbot, const test_text *body);

/* Sends it and waits; anything but a 200 ends the program. */
void many_send(const many_bench *bench, bb_contacts *contacts, const test_text *body);

/* Measures and prints. */
void many_run_waits(const many_bench *bench);

#endif
