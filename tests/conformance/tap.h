/*
 * tap.h: the results as text in the Test Anything Protocol, version 13.
 */
#ifndef BB_CONFORMANCE_TAP_H
#define BB_CONFORMANCE_TAP_H

#include "bb_contacts/conformance.h"

/* Nothing is written if the options have no tap(). */
void tap_begin(const bb_conformance_options *options);

/* The result of the case with this number, from 1. */
void tap_result(const bb_conformance_options *options, uint32_t number, const char *name,
                int32_t outcome, const char *detail);

/* How many cases there were, which is known only now. */
void tap_end(const bb_conformance_options *options, uint32_t count);

#endif
