/*
 * http.c: what RFC 9110 and 9112 say about the parts of a request's head.
 */
#include "http.h"

#include <string.h>
#include <strings.h>

static int is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Whether all are letters, digits, or among `others`. */
static int consists_of(const char *text, size_t len, const char *others)
{
    for (size_t i = 0; i < len; i++)
        if (!is_letter_or_digit(text[i]) && (text[i] == '\0' || strchr(others, text[i]) == NULL))
            return 0;
    return 1;
}

/* Whether all bytes are above `below`, and none is DEL. Bytes past ASCII do not matter to
 * framing. */
static int is_above(const char *text, size_t len, unsigned char below)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= below || text[i] == 0x7f)
            return 0;
    return 1;
}

int http_is_name(const char *text, size_t len)
{
    return len > 0 && consists_of(text, len, "!#$%&'*+-.^_`|~");
}

int http_is_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != '\t' && !is_above(text + i, 1, 0x1f))
            return 0;
    return 1;
}

int http_is_target(const char *text, size_t len)
{
    return len > 0 && is_above(text, len, ' ');
}

int http_is_host(const char *text, size_t len)
{
    return consists_of(text, len, "-._~%!$&'()*+,;=:[]");
}

int http_is_length(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return 0;
    return len > 0;
}

int http_is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

size_t http_trim(const char **text, size_t len)
{
    while (len > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        len--;
    }
    while (len > 0 && ((*text)[len - 1] == ' ' || (*text)[len - 1] == '\t'))
        len--;
    return len;
}

int http_is_identity(const char *text, size_t len)
{
    len = http_trim(&text, len);
    return len == 0 || http_is(text, len, "identity");
}

const char *http_path(const char *target, size_t len, size_t *path_len)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *query = memchr(target, '?', len);
    const char *end = query == NULL ? target + len : query;

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t skip = strlen(schemes[i]);
        if (len >= skip && strncasecmp(target, schemes[i], skip) == 0) {
            const char *path = memchr(target + skip, '/', (size_t)(end - target) - skip);
            *path_len = path == NULL ? 0 : (size_t)(end - path);
            return path == NULL ? end : path;
        }
    }
    *path_len = (size_t)(end - target);
    return target;
}
