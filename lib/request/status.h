/*
 * status.h: what the stages say of a request: a bb_status; or, for what is not the client's fault,
 * BB_FAULT() of the bb_code that says why, from which the status follows.
 */
#ifndef BB_REQUEST_STATUS_H
#define BB_REQUEST_STATUS_H

#include "bb_contacts/bb_contacts.h"

/* Negative, so that it is no bb_status. */
#define BB_FAULT(code) (-(int32_t)(code))

/* Why a request fails whoever sent it, and its status then (E11): XX(code, status). */
#define BB_FAULT_MAP(XX)                \
    XX(ERR_ARGUMENT, INTERNAL_ERROR)    \
    XX(ERR_NOMEM, INTERNAL_ERROR)       \
    XX(ERR_UNAVAILABLE, UNAVAILABLE)    \
    XX(ERR_SCHEMA, INTERNAL_ERROR)      \
    XX(ERR_UNSUPPORTED, INTERNAL_ERROR) \
    XX(ERR_INTERNAL, INTERNAL_ERROR)    \
    XX(ERR_DEADLINE, UNAVAILABLE)       \
    XX(ERR_CANCELLED, UNAVAILABLE)      \
    XX(ERR_QUEUE_FULL, UNAVAILABLE)     \
    XX(ERR_CLOSED, UNAVAILABLE)         \
    XX(ERR_OTHER_PROCESS, INTERNAL_ERROR)

#endif
