/*
 * request_case.h: a file of requests and responses as a case.
 */
#ifndef BB_CONFORMANCE_REQUEST_CASE_H
#define BB_CONFORMANCE_REQUEST_CASE_H

#include "fixture.h"
#include "support/json.h"

/* Runs it through the whole library over the backend. */
void case_request_file(bb_case *c, const json *file);

#endif
