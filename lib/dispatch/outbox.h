/*
 * outbox.h: the answers of submitted requests, and log lines, until the host takes them.
 *
 * Nothing here takes memory once the outbox is open: an answer's entry lies in its request's block,
 * and log lines have a fixed number of places.
 */
#ifndef BB_OUTBOX_H
#define BB_OUTBOX_H

#include "bb_contacts/bb_contacts.h"
#include "util/ready_fd.h"

/* Lives until it is closed and the last answer that it expects has come. */
typedef struct bb_outbox bb_outbox;

/* A place in an outbox. */
typedef struct bb_outbox_entry {
    struct bb_outbox_entry *next;
    void *block;  /* what the entry lies in, allocated; freed once the answer is taken. NULL: a log
                     line's place */
    uint64_t tag; /* the host's */
    bb_result *result; /* its answer */
} bb_outbox_entry;

/* Opens one that keeps at most `max_lines` log lines. BB_OK, BB_ERR_NOMEM, or BB_ERR_INTERNAL if
 * there is no file descriptor. */
int32_t bb_outbox_open(const bb_allocator *allocator, uint32_t max_lines,
                       bb_ready_fd_open_fn open_fd, bb_outbox **out);

/* Tells those who take, now or later, that it is closed. Answers that are still expected are freed
 * when they come. */
void bb_outbox_stop(bb_outbox *box);

/* Stops it, returns when those inside have left, and frees what has not been taken. Nobody may
 * begin to take any more. */
void bb_outbox_close(bb_outbox *box);

/* For a child of fork(): frees what has not changed since bb_outbox_open(). */
void bb_outbox_abandon(bb_outbox *box);

/* One more answer will be put in, whatever happens to the outbox before. Returns 0 if it is
 * stopped: then none may be. */
int bb_outbox_expect(bb_outbox *box);

/* Puts in an answer that is expected. The entry, and the block that it names, are the outbox's from
 * now on. If it `is_followed` by another one at once, nobody is woken for this one. Any thread. */
void bb_outbox_put(bb_outbox *box, bb_outbox_entry *entry, bb_result *result, int is_followed);

/* Puts in a log line, cut to its place, if the outbox takes lines and has one left; otherwise the
 * line is counted. The outbox must be open. Any thread. */
void bb_outbox_put_line(bb_outbox *box, int32_t level, const char *line, size_t len);

/* Nothing more will come: those who find it empty are told so. Lines that come after this are
 * ignored. */
void bb_outbox_end(bb_outbox *box);

/* bb_completions_fd() and bb_completions_take(). */
int32_t bb_outbox_fd(bb_outbox *box);
int32_t bb_outbox_take(bb_outbox *box, bb_completion *completions, size_t max, int64_t timeout_ms,
                       size_t *taken);

#endif
