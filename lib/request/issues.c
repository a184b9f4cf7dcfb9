/*
 * issues.c: the list of faults in a request's entries, each with its place (A3).
 */
#include "request/issues.h"

#include <string.h>

#include "json/quote.h"

enum {
    MAX_NAME = 64,  /* bytes of a name that a path shows */
    MAX_PATH = 512, /* a path is cut after the step that passes this */
    MAX_JSON = 1024 * 1024
};

void bb_issues_init(bb_issues *issues, const bb_allocator *allocator)
{
    bb_buffer_init(&issues->json, allocator, MAX_JSON);
    issues->count = 0;
}

void bb_issues_free(bb_issues *issues)
{
    bb_buffer_free(&issues->json);
}

/* The length of the escape at `at`; a surrogate pair counts as one. */
static size_t escape_length(bb_slice name, size_t at)
{
    if (at + 3 >= name.len || name.data[at + 1] != 'u')
        return 2;
    if ((name.data[at + 2] | 0x20) == 'd' && strchr("89abAB", name.data[at + 3]) != NULL)
        return 12;
    return 6;
}

/* Where to cut a name in JSON's spelling: not inside an escape, nor inside a UTF-8 sequence. */
static size_t cut(bb_slice name)
{
    size_t at = 0;

    while (at < name.len) {
        size_t step = 1;
        if (name.data[at] == '\\')
            step = escape_length(name, at);
        else
            while (at + step < name.len && ((unsigned char)name.data[at + step] & 0xC0) == 0x80)
                step++;
        if (step > name.len - at || at + step > MAX_NAME)
            break;
        at += step;
    }
    return at;
}

static void append_step(bb_buffer *json, const bb_json_path *step)
{
    size_t len;

    if (step->name.data == NULL) {
        bb_buffer_append_char(json, '[');
        bb_buffer_append_i64(json, (int64_t)step->index);
        bb_buffer_append_char(json, ']');
        return;
    }
    if (step->outer != NULL)
        bb_buffer_append_char(json, '.');
    len = cut(step->name);
    bb_buffer_append(json, step->name.data, len);
    if (len < step->name.len)
        bb_buffer_append_text(json, "...");
}

/* Appends a path from its outermost step on. Returns 0 once it has cut it. The recursion is as deep
 * as the path, and so as an entry may be. */
static int append_path(bb_buffer *json, const bb_json_path *path, size_t start)
{
    if (path->outer != NULL && !append_path(json, path->outer, start))
        return 0;
    append_step(json, path);
    if (json->len - start <= MAX_PATH)
        return 1;
    bb_buffer_append_text(json, "...");
    return 0;
}

void bb_issues_add(bb_issues *issues, const bb_json_path *path, const char *message)
{
    bb_buffer *json = &issues->json;

    issues->count++;
    if (issues->count > BB_MAX_ISSUES)
        return;
    if (issues->count > 1)
        bb_buffer_append_char(json, ',');
    bb_buffer_append_text(json, "{\"field\":\"");
    append_path(json, path, json->len);
    bb_buffer_append_text(json, "\",\"message\":");
    bb_json_append_string(json, message, strlen(message));
    bb_buffer_append_char(json, '}');
}

void bb_issues_report(void *issues, const bb_json_path *path, const char *message)
{
    bb_issues_add(issues, path, message);
}

void bb_issues_write(const bb_issues *issues, const char *message, const char *root,
                     bb_buffer *body)
{
    bb_buffer_append_text(body, "{\"message\":");
    bb_json_append_string(body, message, strlen(message));
    bb_buffer_append_text(body, ",\"issues\":[");
    bb_buffer_append(body, issues->json.data, issues->json.len);
    if (issues->count > BB_MAX_ISSUES) {
        uint64_t more = issues->count - BB_MAX_ISSUES;
        bb_buffer_append_text(body, ",{\"field\":\"");
        bb_buffer_append_text(body, root);
        bb_buffer_append_text(body, "\",\"message\":\"");
        bb_buffer_append_i64(body, (int64_t)more);
        bb_buffer_append_text(body, more == 1 ? " more issue was left out"
                                              : " more issues were left out");
        bb_buffer_append_text(body, "\"}");
    }
    bb_buffer_append_text(body, "]}");
}
