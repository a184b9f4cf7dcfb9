/*
 * query.c: what the query of a request's target asks for.
 */
#include "query.h"

#include <string.h>

/* A value that the library refuses. */
enum { REFUSED = -1 };

static int is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

int32_t query_attributes(const char *word, size_t len)
{
    if (is(word, len, "merge"))
        return BB_ATTRIBUTES_MERGE;
    return is(word, len, "replace") ? (int32_t)BB_ATTRIBUTES_REPLACE : (int32_t)REFUSED;
}

/* One that comes twice must say the same. */
static void set(int32_t *member, int32_t value)
{
    *member = *member == 0 || *member == value ? value : (int32_t)REFUSED;
}

static void set_dry_run(struct query *query, const char *value, size_t len)
{
    int32_t dry_run = is(value, len, "true") ? 1 : is(value, len, "false") ? 0 : REFUSED;

    if (query->says_dry_run && query->dry_run != dry_run)
        dry_run = REFUSED;
    query->says_dry_run = 1;
    query->dry_run = dry_run;
}

/* name=value */
static void read_pair(struct query *query, const char *pair, size_t len)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - pair);
    const char *value = equals == NULL ? pair + len : equals + 1;
    size_t value_len = len - (size_t)(value - pair);

    if (is(pair, name_len, "custom_attributes"))
        set(&query->custom_attributes, query_attributes(value, value_len));
    else if (is(pair, name_len, "dry_run"))
        set_dry_run(query, value, value_len);
}

void query_read(struct query *query, const char *target, size_t len)
{
    const char *end = target + len;
    const char *at = memchr(target, '?', len);

    memset(query, 0, sizeof *query);
    while (at != NULL) {
        const char *pair = at + 1; /* after the mark, or after an ampersand */
        at = memchr(pair, '&', (size_t)(end - pair));
        read_pair(query, pair, (size_t)((at == NULL ? end : at) - pair));
    }
}

void query_set(const struct query *query, bb_request *request)
{
    request->custom_attributes = query->custom_attributes;
    request->dry_run = query->dry_run;
}
