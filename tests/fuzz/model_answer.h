/*
 * model_answer.h: compares the body of an answer, from its beginning on, with what it must be.
 *
 * Anything unexpected ends the program.
 */
#ifndef BB_FUZZ_MODEL_ANSWER_H
#define BB_FUZZ_MODEL_ANSWER_H

#include <stddef.h>
#include <stdint.h>

typedef struct model_answer {
    const char *at; /* what is next */
    const char *end;
} model_answer;

/* Each of these moves past what it has checked. */
void model_answer_expect(model_answer *answer, const char *text, size_t len);
void model_answer_expect_integer(model_answer *answer, int64_t value);
void model_answer_expect_end(const model_answer *answer); /* and a NUL there */

/* Any value that is equal to the class's. */
void model_answer_expect_value(model_answer *answer, int field, int class);

/* A positive integer. */
int64_t model_answer_read_integer(model_answer *answer);

/* A UUID in lower case, MODEL_UUID bytes of the answer. */
enum { MODEL_UUID = 36 };
const char *model_answer_read_uuid(model_answer *answer);

#define MODEL_EXPECT(answer, literal) model_answer_expect(answer, literal, sizeof(literal) - 1)

#endif
