/*
 * upsert.h: submitting a request whose answer goes into an outbox.
 */
#ifndef BB_UPSERT_H
#define BB_UPSERT_H

#include "api/handle.h"
#include "dispatch/outbox.h"

/* bb_completions_submit() or bb_completions_submit_authorize() on a handle that has workers and is
 * usable. `ticket` may be NULL; it stays as it is if the answer is known at once. */
int32_t bb_contacts_submit_to(bb_contacts *contacts, const bb_request *request, int only_authorizes,
                              bb_outbox *outbox, uint64_t tag, uint64_t *ticket);

#endif
