/*
 * access.h: whether a caller may write to a chatbot (B1 to B3).
 */
#ifndef BB_POSTGRES_ACCESS_H
#define BB_POSTGRES_ACCESS_H

#include "backends/postgres/wire/pipeline.h"

/* The parameters $1 to $5 of the access statement. */
void bb_pg_params_add_access(bb_pg_params *params, const bb_access *access);

/* What the first column of a result says: BB_OK, a refusal, or BB_ERR_INTERNAL if there is no
 * decision. */
int32_t bb_pg_decision(const PGresult *result, bb_error *error);

/* bb_storage_vtable.authorize */
int32_t bb_pg_authorize(void *session, const bb_access *access, bb_error *error);

#endif
