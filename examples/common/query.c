/*
 * query.c: what the query of a request's target asks for.
 */
#include "query.h"

#include "route.h"

#include <string.h>

/* A value that the library refuses. */
enum { REFUSED = -1 };

/* More than the escapes of any name or value that counts. */
enum { LONGEST = 64 };

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

/* A part without its escapes, which do not change what it says (RFC 3986, 6.2.2.2): whoever asks
 * for a dry run in such a way must not get a real one. What is longer is cut, and is no known word.
 */
static size_t decode(const char *part, size_t len, char decoded[LONGEST])
{
    if (len > LONGEST)
        len = LONGEST;
    memcpy(decoded, part, len);
    return route_decode(decoded, len);
}

/* name=value */
static void read_pair(struct query *query, const char *pair, size_t len)
{
    const char *equals = memchr(pair, '=', len);
    const char *rest = equals == NULL ? pair + len : equals + 1;
    char name[LONGEST], value[LONGEST];
    size_t name_len = decode(pair, equals == NULL ? len : (size_t)(equals - pair), name);
    size_t value_len = decode(rest, len - (size_t)(rest - pair), value);

    if (is(name, name_len, "custom_attributes"))
        set(&query->custom_attributes, query_attributes(value, value_len));
    else if (is(name, name_len, "dry_run"))
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
