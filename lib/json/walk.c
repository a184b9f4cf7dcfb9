/*
 * walk.c: steps through JSON text that bb_json_check() has passed, without building a tree.
 */
#include "json/walk.h"

#include <cjson/cJSON.h>
#include <string.h>

bb_json_type bb_json_type_of(char first)
{
    switch (first) {
    case '{':
        return BB_JSON_OBJECT;
    case '[':
        return BB_JSON_ARRAY;
    case '"':
        return BB_JSON_STRING;
    case 't':
    case 'f':
        return BB_JSON_BOOLEAN;
    case 'n':
        return BB_JSON_NULL;
    default:
        return BB_JSON_NUMBER;
    }
}

const char *bb_json_type_name(bb_json_type type)
{
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};

    return names[type];
}

const char *bb_json_skip_string(const char *at, const char *end)
{
    int is_escaped;

    return bb_json_string_end(at, end, &is_escaped);
}

static const char *skip_scalar(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != ']' && *at != '}' && (unsigned char)*at > ' ')
        at++;
    return at;
}

/* The byte after an array or object; also tells its depth if asked. */
static const char *skip_container(const char *at, const char *end, size_t *deepest)
{
    size_t depth = 0;

    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = bb_json_skip_string(at, end);
            continue;
        }
        at++;
        if (c == '{' || c == '[') {
            depth++;
            if (deepest != NULL && depth > *deepest)
                *deepest = depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            break;
        }
    }
    return at;
}

const char *bb_json_skip_value(const char *at, const char *end)
{
    if (at >= end)
        return end;
    if (*at == '"')
        return bb_json_skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_container(at, end, NULL);
    return skip_scalar(at, end);
}

size_t bb_json_depth(bb_slice value)
{
    size_t depth = 0;

    if (value.len > 0 && (value.data[0] == '{' || value.data[0] == '['))
        skip_container(value.data, value.data + value.len, &depth);
    return depth;
}

/* -------------------------------------------------------------------- ends that are remembered */

/* Offsets in the text. While a span is open, its `end` is the number, from 1 on, of the span around
 * it; 0: none. */
typedef struct bb_json_span {
    uint32_t start;
    uint32_t end;
} bb_json_span;

/* Shorter arrays and objects are skipped byte by byte; most are shorter. */
enum { SHORT_SPAN = 32, FIRST_SPANS = 64 };

void bb_json_ends_init(bb_json_ends *ends, const bb_allocator *allocator)
{
    memset(ends, 0, sizeof *ends);
    ends->allocator = *allocator;
}

void bb_json_ends_free(bb_json_ends *ends)
{
    bb_free(&ends->allocator, ends->spans);
}

static int32_t add_span(bb_json_ends *ends, bb_json_span span)
{
    size_t capacity = ends->capacity == 0 ? FIRST_SPANS : ends->capacity * 2;
    bb_json_span *spans;

    if (ends->count == ends->capacity) {
        spans = bb_realloc(&ends->allocator, ends->spans, ends->capacity * sizeof *spans,
                           capacity * sizeof *spans);
        if (spans == NULL)
            return BB_ERR_NOMEM;
        ends->spans = spans;
        ends->capacity = capacity;
    }
    ends->spans[ends->count++] = span;
    return BB_OK;
}

/* Closes a span, and forgets it if it is short: the spans in it are shorter and forgotten
 * already. */
static uint32_t close_span(bb_json_ends *ends, uint32_t number, uint32_t end)
{
    bb_json_span *span = &ends->spans[number - 1];
    uint32_t outer = span->end;

    span->end = end;
    if (end - span->start < SHORT_SPAN)
        ends->count--;
    return outer;
}

int32_t bb_json_ends_find(bb_json_ends *ends, bb_slice text)
{
    const char *end = text.data + text.len;
    uint32_t innermost = 0;

    ends->text = text;
    if (text.len > UINT32_MAX)
        return BB_OK;
    for (const char *at = text.data; at < end;) {
        bb_json_span span = {(uint32_t)(at - text.data), innermost};
        if (*at == '"') {
            at = bb_json_skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[') {
            if (add_span(ends, span) != BB_OK)
                return BB_ERR_NOMEM;
            innermost = (uint32_t)ends->count;
        } else if ((*at == '}' || *at == ']') && innermost > 0) {
            innermost = close_span(ends, innermost, span.start + 1);
        }
        at++;
    }
    return BB_OK;
}

const char *bb_json_ends_skip(const bb_json_ends *ends, const char *at, const char *end)
{
    size_t low = 0;
    size_t high = ends != NULL ? ends->count : 0;

    if (at >= end || (*at != '{' && *at != '['))
        high = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *start = ends->text.data + ends->spans[middle].start;
        if (start == at)
            return ends->text.data + ends->spans[middle].end;
        if (start < at)
            low = middle + 1;
        else
            high = middle;
    }
    return bb_json_skip_value(at, end);
}

/* --------------------------------------------------------------------------------- iterators */

bb_json_iterator bb_json_iterate(bb_slice container)
{
    bb_json_iterator iterator = {container.data, container.data + container.len, NULL};

    if (iterator.at < iterator.end)
        iterator.at++;
    return iterator;
}

/* Moves past a comma, if there is one, to the next thing; 0 if the container ends instead. */
static int advance(bb_json_iterator *it)
{
    it->at = bb_json_skip_space(it->at, it->end);
    if (it->at < it->end && *it->at == ',')
        it->at = bb_json_skip_space(it->at + 1, it->end);
    return it->at < it->end && *it->at != ']' && *it->at != '}';
}

static bb_slice slice_between(const char *from, const char *to)
{
    bb_slice slice = {from, (size_t)(to - from)};

    return slice;
}

int bb_json_next_element(bb_json_iterator *iterator, bb_slice *value)
{
    const char *start;

    if (!advance(iterator))
        return 0;
    start = iterator->at;
    iterator->at = bb_json_ends_skip(iterator->ends, start, iterator->end);
    *value = slice_between(start, iterator->at);
    return 1;
}

int bb_json_next_member(bb_json_iterator *iterator, bb_slice *name, bb_slice *value)
{
    const char *start;

    if (!advance(iterator))
        return 0;
    start = iterator->at;
    iterator->at = bb_json_skip_string(start, iterator->end);
    *name = slice_between(start, iterator->at);
    iterator->at = bb_json_skip_space(iterator->at, iterator->end);
    if (iterator->at < iterator->end) /* the colon */
        iterator->at = bb_json_skip_space(iterator->at + 1, iterator->end);
    start = iterator->at;
    iterator->at = bb_json_ends_skip(iterator->ends, start, iterator->end);
    *value = slice_between(start, iterator->at);
    return 1;
}

/* The backslash of the first escape in a string from `at` on, or NULL. */
static const char *find_escape(const char *at, const char *end)
{
    return memchr(at, '\\', (size_t)(end - at));
}

int bb_json_has_nul(bb_slice string)
{
    const char *end = string.data + string.len;
    const char *at = find_escape(string.data, end);

    while (at != NULL && end - at >= 6) {
        if (memcmp(at + 1, "u0000", 5) == 0)
            return 1;
        at = find_escape(at + 2, end);
    }
    return 0;
}

int32_t bb_json_decode(bb_arena *arena, bb_slice string, bb_slice *out)
{
    cJSON *node;
    size_t len;
    char *copy;

    out->data = string.data + 1;
    out->len = string.len - 2;
    if (find_escape(string.data, string.data + string.len) == NULL)
        return BB_OK;
    /* the text is valid, so only memory can fail */
    node = cJSON_ParseWithLength(string.data, string.len);
    if (node == NULL || node->valuestring == NULL) {
        cJSON_Delete(node);
        return BB_ERR_NOMEM;
    }
    len = strlen(node->valuestring);
    copy = bb_arena_alloc_bytes(arena, len + 1);
    if (copy != NULL)
        memcpy(copy, node->valuestring, len + 1);
    cJSON_Delete(node);
    if (copy == NULL)
        return BB_ERR_NOMEM;
    out->data = copy;
    out->len = len;
    return BB_OK;
}
