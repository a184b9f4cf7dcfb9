/*
 * way.h: sends a request as BB_TEST_WAY says, so that a test can be run by each way through the
 * API.
 */
#ifndef BB_TEST_WAY_H
#define BB_TEST_WAY_H

#include "bb_contacts/bb_contacts.h"

/* bb_contacts_upsert() and bb_contacts_authorize(); or, if BB_TEST_WAY is "completions", through a
 * completion queue that is opened for it, for which the handle must have workers. Any thread. */
bb_result *test_upsert(bb_contacts *contacts, const bb_request *request);
bb_result *test_authorize(bb_contacts *contacts, const bb_request *request);

#endif
