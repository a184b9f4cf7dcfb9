/*
 * model_answer.c: compares the body of an answer, from its beginning on, with what it must be.
 */
#include "model_answer.h"

#include "fuzz.h"
#include "model_values.h"

static size_t left_of(const model_answer *answer)
{
    return (size_t)(answer->end - answer->at);
}

static void stop(const model_answer *answer, const char *text, size_t len)
{
    CHECK_MSG(0, "expected: %.*s\nthe answer goes on: %.*s", (int)len, text, (int)left_of(answer),
              answer->at);
}

void model_answer_expect(model_answer *answer, const char *text, size_t len)
{
    if (!model_begins_with(answer->at, left_of(answer), text, len))
        stop(answer, text, len);
    answer->at += len;
}

void model_answer_expect_integer(model_answer *answer, int64_t value)
{
    char digits[20];
    size_t first = sizeof digits;

    CHECK(value >= 0);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    model_answer_expect(answer, digits + first, sizeof digits - first);
}

void model_answer_expect_end(const model_answer *answer)
{
    if (answer->at != answer->end || *answer->end != '\0')
        stop(answer, "", 0);
}

void model_answer_expect_value(model_answer *answer, int field, int class)
{
    static const char what[] = "a value that is equal to its class's";
    size_t len = model_value_length(field, class, answer->at, left_of(answer));

    if (len == 0)
        stop(answer, what, sizeof what - 1);
    answer->at += len;
}

int64_t model_answer_read_integer(model_answer *answer)
{
    static const char what[] = "a positive integer";
    int64_t value = 0;

    while (answer->at < answer->end && *answer->at >= '0' && *answer->at <= '9') {
        if (value == 0 && *answer->at == '0')
            stop(answer, what, sizeof what - 1);
        CHECK(value < INT64_MAX / 10);
        value = value * 10 + (*answer->at++ - '0');
    }
    if (value == 0)
        stop(answer, what, sizeof what - 1);
    return value;
}

const char *model_answer_read_uuid(model_answer *answer)
{
    static const char what[] = "a UUID";
    const char *start = answer->at;
    int is_uuid = left_of(answer) >= MODEL_UUID;

    for (int i = 0; i < MODEL_UUID && is_uuid; i++) {
        char c = start[i];
        if (i == 8 || i == 13 || i == 18 || i == 23)
            is_uuid = c == '-';
        else
            is_uuid = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    if (!is_uuid)
        stop(answer, what, sizeof what - 1);
    answer->at += MODEL_UUID;
    return start;
}
