/*
 * query.h: what the query of a request's target asks for.
 */
#ifndef BB_EXAMPLE_QUERY_H
#define BB_EXAMPLE_QUERY_H

#include "bb_contacts/bb_contacts.h"

struct query {
    int32_t custom_attributes; /* as in bb_request */
    int32_t dry_run;           /* likewise */
    int says_dry_run;          /* the query has a dry_run, whatever its value */
};

/* Reads the query of a target. Names that are not known are passed over. A value that does not
 * exist, or that contradicts an earlier one, becomes one that the library refuses. */
void query_read(struct query *query, const char *target, size_t len);

/* "replace" or "merge" as a bb_attributes; -1 for any other word. */
int32_t query_attributes(const char *word, size_t len);

/* Sets in a request what the query asks for. */
void query_set(const struct query *query, bb_request *request);

#endif
