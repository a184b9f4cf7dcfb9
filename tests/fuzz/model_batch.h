/*
 * model_batch.h: a batch of fuzz_model, as the body of a request and as the refusal of one.
 */
#ifndef BB_FUZZ_MODEL_BATCH_H
#define BB_FUZZ_MODEL_BATCH_H

#include "model_answer.h"
#include "model_values.h"

enum { MODEL_ENTRIES = 8, MODEL_BODY = 64 * 1024 };

/* How a request is made, by the bits of its style. */
enum {
    STYLE_SPACES = 1,
    STYLE_ALIAS = 2,
    STYLE_EARLIER_VALUES = 4,
    STYLE_A_SECOND_LATER = 8,
    STYLE_OTHER_CHATBOT = 16,
    STYLE_NULL_USERS = 32, /* with STYLE_ALIAS */
    STYLE_IDEMPOTENCY_KEY = 64,
    STYLE_EARLIER_ARRAY = 128
};

typedef struct model_entry {
    const model_choice *fields[MODEL_FIELDS]; /* NULL: left out */
    const model_oddity *odd;                  /* or NULL */
} model_entry;

typedef struct model_batch {
    model_entry entries[MODEL_ENTRIES];
    int count;
    int style;
    int chatbot; /* 0 or 1 */
} model_batch;

/* Writes the body into `out`, which has room for MODEL_BODY bytes; returns its length. */
size_t model_batch_write(const model_batch *batch, char *out);

/* How many issues the batch has, listed or not. */
int model_batch_issues(const model_batch *batch);

/* Checks that the answer is the refusal of the batch, which has this many issues. */
void model_batch_check_refusal(const model_batch *batch, int issues, model_answer *answer);

#endif
