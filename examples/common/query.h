/*
 * query.h: what the query of a request's target asks for.
 */
#ifndef BB_EXAMPLE_QUERY_H
#define BB_EXAMPLE_QUERY_H

#include "bb_contacts/bb_contacts.h"

struct query {
    int32_t custom_attributes; /* these are as bb_request has them */
    int32_t dry_run;
    int says_dry_run; /* or that it is none */
};

/* Reads it. Names that are not known are passed over. A value that does not exist, or one that
 * contradicts an earlier one, becomes one that the library refuses. */
void query_read(struct query *query, const char *target, size_t len);

/* "replace" or "merge" as a bb_attributes; -1 for any other word. */
int32_t query_attributes(const char *word, size_t len);

/* Sets what it asks for. */
void query_set(const struct query *query, bb_request *request);

#endif
