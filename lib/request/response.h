/*
 * response.h: the outcome of a request as status and JSON body: section A.
 */
#ifndef BB_RESPONSE_H
#define BB_RESPONSE_H

#include "request/batch.h"
#include "request/issues.h"
#include "request/status.h"

struct bb_result {
    bb_allocator allocator;
    int32_t status;
    int32_t fault;     /* the bb_code that explains a 500 or 503; otherwise BB_OK */
    int32_t is_static; /* one of the results below, which are never freed */
    const char *body;  /* with a NUL after it */
    char *owned;       /* the same, if it must be freed */
    size_t body_len;
    uint8_t *outcomes; /* one for each entry */
    size_t entry_count;
    size_t counts[3]; /* by bb_outcome */
};

/* The result with a status, its message and nothing else; never NULL. The status is as in status.h,
 * so it may be BB_FAULT(code); a code without a line there counts as BB_ERR_INTERNAL. It takes no
 * memory, so that it can say that memory ran out. */
bb_result *bb_response_plain(int32_t status);

/* A 400 with its issues (A3); `root` is the array's name. A plain 500 if memory runs out. */
bb_result *bb_response_issues(const bb_allocator *allocator, const bb_issues *issues,
                              const char *root);

/* The contacts that storage handed back, as JSON, until the response is put together. */
typedef struct bb_rendered {
    bb_buffer json;
    size_t *start; /* for each record, where it lies in json */
    size_t *len;
} bb_rendered;

/* The bytes of contacts that a 200 has room for if it may have `max` in all, with a comma after
 * each; at least 1, which is less than any contact has. */
size_t bb_response_room(size_t max);

/* The arrays live in the arena. BB_OK or BB_ERR_NOMEM. */
int32_t bb_rendered_init(bb_rendered *rendered, size_t record_count, size_t max_bytes,
                         bb_arena *arena);
void bb_rendered_free(bb_rendered *rendered);

/* Writes the contact (E3) of a record. BB_OK, BB_ERR_NOMEM, or BB_ERR_TOO_LARGE if all have more
 * than max_bytes. */
int32_t bb_rendered_put(bb_rendered *rendered, size_t record, const bb_contact *contact);

/* A 200 with one contact for each entry (A4, E2), or without any for a minimal answer. A plain 500
 * if memory runs out. */
bb_result *bb_response_success(const bb_allocator *allocator, const bb_batch *batch,
                               const bb_rendered *rendered);

#endif
