/*
 * model_batch.c: a batch of fuzz_model, as the body of a request and as the refusal of one.
 */
#include "model_batch.h"

#include <string.h>

#include "fuzz.h"

enum { MAX_ISSUES = 100 /* that are listed */ };

/* ------------------------------------------------------------------------------- the request */

static char *append(char *to, model_text text)
{
    memcpy(to, text.data, text.len);
    return to + text.len;
}

#define APPEND(to, literal) append(to, (model_text){(literal), sizeof(literal) - 1})

static char *write_entry(const model_entry *e, int style, char *to)
{
    int spaces = (style & STYLE_SPACES) != 0;
    int earlier = (style & STYLE_EARLIER_VALUES) != 0;

    if (e->odd != NULL && e->odd->instead.len > 0)
        return append(to, e->odd->instead);
    to = APPEND(to, "{\"ignored\":\"\\u0000\"");
    for (int f = 0; f < MODEL_FIELDS; f++) {
        if (e->fields[f] != NULL)
            to = append(to, e->fields[f]->members[spaces][earlier]);
    }
    if (e->odd != NULL)
        to = append(to, e->odd->members);
    return APPEND(to, "}");
}

static char *write_root(int style, char *to)
{
    return style & STYLE_ALIAS ? APPEND(to, "\"contacts\":[") : APPEND(to, "\"us\\u0065rs\":[");
}

static char *write_space(int style, char *to)
{
    return style & STYLE_SPACES ? APPEND(to, " \n") : to;
}

static char *write_head(int style, char *to)
{
    to = write_space(style, to);
    to = APPEND(to, "{\"x\":[{}],");
    to = write_space(style, to);
    if (style & STYLE_EARLIER_ARRAY) {
        to = write_root(style, to);
        to = APPEND(to, "{\"name\":1}],");
    }
    if (style & STYLE_NULL_USERS && style & STYLE_ALIAS)
        to = APPEND(to, "\"users\":null,");
    return write_root(style, to);
}

size_t model_batch_write(const model_batch *batch, char *out)
{
    char *to = write_head(batch->style, out);

    for (int i = 0; i < batch->count; i++) {
        if (i > 0)
            *to++ = ',';
        to = write_entry(&batch->entries[i], batch->style, to);
        to = write_space(batch->style, to);
        CHECK(to - out < MODEL_BODY * 3 / 4);
    }
    to = APPEND(to, "]}");
    return (size_t)(write_space(batch->style, to) - out);
}

/* ------------------------------------------------------------------------ the expected issues */

static size_t issues_of(const model_entry *e)
{
    size_t count = 0;

    if (e->odd != NULL && e->odd->issue.len > 0)
        return 1;
    for (int f = 0; f < MODEL_FIELDS; f++)
        count += e->fields[f] != NULL ? e->fields[f]->issue_count : 0;
    return count;
}

int model_batch_issues(const model_batch *batch)
{
    size_t count = 0;

    for (int i = 0; i < batch->count; i++)
        count += issues_of(&batch->entries[i]);
    return (int)count;
}

/* Checks an issue by its number, its place and what follows that. */
typedef struct issue_check {
    model_answer *answer;
    const char *root;
    int count;
} issue_check;

static void check_issue(issue_check *check, int i, model_text rest)
{
    static const char digits[MODEL_ENTRIES + 1] = "01234567";
    model_answer *answer = check->answer;

    if (check->count++ >= MAX_ISSUES)
        return;
    if (check->count > 1)
        MODEL_EXPECT(answer, ",");
    MODEL_EXPECT(answer, "{\"field\":\"");
    model_answer_expect(answer, check->root, strlen(check->root));
    MODEL_EXPECT(answer, "[");
    model_answer_expect(answer, &digits[i], 1);
    MODEL_EXPECT(answer, "]");
    model_answer_expect(answer, rest.data, rest.len);
}

static void check_issues_of(issue_check *check, int i, const model_entry *e)
{
    if (e->odd != NULL && e->odd->issue.len > 0) {
        check_issue(check, i, e->odd->issue);
        return;
    }
    for (int f = 0; f < MODEL_FIELDS; f++) {
        const model_choice *choice = e->fields[f];
        for (size_t k = 0; choice != NULL && k < choice->issue_count; k++)
            check_issue(check, i, choice->issues[k]);
    }
}

void model_batch_check_refusal(const model_batch *batch, int issues, model_answer *answer)
{
    issue_check check = {answer, batch->style & STYLE_ALIAS ? "contacts" : "users", 0};
    int left_out = issues - MAX_ISSUES;

    MODEL_EXPECT(answer, "{\"message\":\"Invalid request data\",\"issues\":[");
    for (int i = 0; i < batch->count; i++)
        check_issues_of(&check, i, &batch->entries[i]);
    CHECK(check.count == issues);
    if (left_out > 0) {
        MODEL_EXPECT(answer, ",{\"field\":\"");
        model_answer_expect(answer, check.root, strlen(check.root));
        MODEL_EXPECT(answer, "\",\"message\":\"");
        model_answer_expect_integer(answer, left_out);
        if (left_out == 1)
            MODEL_EXPECT(answer, " more issue was left out\"}");
        else
            MODEL_EXPECT(answer, " more issues were left out\"}");
    }
    MODEL_EXPECT(answer, "]}");
    model_answer_expect_end(answer);
}
