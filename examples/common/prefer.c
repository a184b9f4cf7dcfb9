/*
 * prefer.c: the Prefer header (RFC 7240), as far as it is about this endpoint.
 *
 * It is a list of `token`, `token=word` or `token="word"`, each with parameters after semicolons.
 */
#include "prefer.h"

#include "http.h"

/* The rest of a header's value. */
struct rest {
    const char *at;
    const char *end;
};

static int is_at(const struct rest *rest, char c)
{
    return rest->at < rest->end && *rest->at == c;
}

static void skip_blanks(struct rest *rest)
{
    while (is_at(rest, ' ') || is_at(rest, '\t'))
        rest->at++;
}

/* Moves past a quoted string. */
static void skip_quoted(struct rest *rest)
{
    for (rest->at++; rest->at < rest->end && *rest->at != '"'; rest->at++)
        if (*rest->at == '\\' && rest->at + 1 < rest->end)
            rest->at++;
    if (rest->at < rest->end)
        rest->at++;
}

/* Moves past the comma after a preference, and past all that is left of it. */
static void skip_preference(struct rest *rest)
{
    while (rest->at < rest->end && *rest->at != ',') {
        if (*rest->at == '"')
            skip_quoted(rest);
        else
            rest->at++;
    }
    if (rest->at < rest->end)
        rest->at++;
}

/* A token, or what a quoted string holds; no escape stands for a letter of the words that count. */
static size_t take_word(struct rest *rest, const char **word)
{
    const char *begin = rest->at;

    if (is_at(rest, '"')) {
        skip_quoted(rest);
        *word = begin + 1;
        return rest->at - begin < 2 ? 0 : (size_t)(rest->at - begin) - 2;
    }
    while (rest->at < rest->end && http_is_name(rest->at, 1))
        rest->at++;
    *word = begin;
    return (size_t)(rest->at - begin);
}

void prefer_read(struct prefer *prefer, const char *text, size_t len)
{
    struct rest rest = {text, text + len};

    while (rest.at < rest.end) {
        const char *name, *value = NULL;
        size_t name_len, value_len = 0;
        skip_blanks(&rest);
        name_len = take_word(&rest, &name);
        skip_blanks(&rest);
        if (is_at(&rest, '=')) {
            rest.at++;
            skip_blanks(&rest);
            value_len = take_word(&rest, &value);
        }
        if (!prefer->has_return && http_is(name, name_len, "return")) {
            prefer->has_return = 1;
            prefer->is_minimal = value != NULL && http_is(value, value_len, "minimal");
        }
        skip_preference(&rest);
    }
}
