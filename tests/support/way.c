/*
 * way.c: sends a request as BB_TEST_WAY says.
 */
#include "support/way.h"

#include <stdlib.h>
#include <string.h>

static int is_by_completions(void)
{
    const char *way = getenv("BB_TEST_WAY"); // NOLINT(concurrency-mt-unsafe): nobody sets it

    return way != NULL && strcmp(way, "completions") == 0;
}

#ifdef BB_LOG_LINE_SIZE /* the headers of version 0.1 have no completion queues */

typedef int32_t (*submit_fn)(bb_completions *completions, const bb_request *request, uint64_t tag,
                             uint64_t *ticket);

/* The one answer that comes; NULL, which is a 500, if it is not that of the request. */
static bb_result *wait_for_answer(bb_completions *completions, uint64_t tag)
{
    bb_completion completion;
    size_t taken = 0;

    bb_completion_init(&completion);
    if (bb_completions_take(completions, &completion, 1, -1, &taken) != BB_OK || taken != 1)
        return NULL;
    if (completion.tag == tag)
        return completion.result;
    bb_result_free(completion.result);
    return NULL;
}

static bb_result *send_by_completions(bb_contacts *contacts, const bb_request *request,
                                      submit_fn submit)
{
    uint64_t tag = (uintptr_t)request;
    bb_completions *completions = NULL;
    bb_result *result = NULL;

    if (bb_completions_open(contacts, NULL, &completions, NULL) != BB_OK)
        return NULL;
    if (submit(completions, request, tag, NULL) == BB_OK)
        result = wait_for_answer(completions, tag);
    bb_completions_close(completions);
    return result;
}

bb_result *test_upsert(bb_contacts *contacts, const bb_request *request)
{
    if (is_by_completions())
        return send_by_completions(contacts, request, bb_completions_submit);
    return bb_contacts_upsert(contacts, request);
}

bb_result *test_authorize(bb_contacts *contacts, const bb_request *request)
{
    if (is_by_completions())
        return send_by_completions(contacts, request, bb_completions_submit_authorize);
    return bb_contacts_authorize(contacts, request);
}

#else

bb_result *test_upsert(bb_contacts *contacts, const bb_request *request)
{
    return is_by_completions() ? NULL : bb_contacts_upsert(contacts, request);
}

bb_result *test_authorize(bb_contacts *contacts, const bb_request *request)
{
    return is_by_completions() ? NULL : bb_contacts_authorize(contacts, request);
}

#endif
