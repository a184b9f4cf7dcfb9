/*
 * options.h: the options as this version of the kit knows them.
 */
#ifndef BB_CONFORMANCE_OPTIONS_H
#define BB_CONFORMANCE_OPTIONS_H

#include "bb_contacts/conformance.h"

/* Copies what was given, of whatever version. 0: its size is of none, or it is NULL. */
int options_read(const bb_conformance_options *given, bb_conformance_options *options);

#endif
