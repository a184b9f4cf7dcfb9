/*
 * issues.h: the list of faults in a request's entries, each with its place (A3).
 */
#ifndef BB_ISSUES_H
#define BB_ISSUES_H

#include "util/buffer.h"
#include "json/path.h"

/* The most issues that are listed; the others are only counted. */
enum { BB_MAX_ISSUES = 100 };

typedef struct bb_issues {
    bb_buffer json; /* the listed ones as JSON objects, with commas between */
    uint64_t count; /* all of them */
} bb_issues;

void bb_issues_init(bb_issues *issues, const bb_allocator *allocator);
void bb_issues_free(bb_issues *issues);

/* Adds a fault. json.failed remembers that an allocation failed. */
void bb_issues_add(bb_issues *issues, const bb_json_path *path, const char *message);

/* The same, as a bb_json_report_fn. */
void bb_issues_report(void *issues, const bb_json_path *path, const char *message);

/* Writes the response body of a 400 with these issues to `body`. `root` is the array's name. */
void bb_issues_write(const bb_issues *issues, const char *message, const char *root,
                     bb_buffer *body);

#endif
