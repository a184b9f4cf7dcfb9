/*
 * request_id.c: what counts of the id that a host gives to a request (A5).
 */
#include "bb_contacts/bb_contacts.h"

size_t bb_request_id_clean(const char *given, size_t len, char *out, size_t out_size)
{
    size_t kept = 0;

    if (out == NULL || out_size == 0)
        return 0;
    for (size_t i = 0; given != NULL && i < len && kept < BB_MAX_REQUEST_ID; i++) {
        if (given[i] >= ' ' && given[i] <= '~' && kept < out_size - 1)
            out[kept++] = given[i];
    }
    out[kept] = '\0';
    return kept;
}
