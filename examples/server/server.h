/*
 * server.h: what all requests share.
 */
#ifndef BB_SERVER_SERVER_H
#define BB_SERVER_SERVER_H

#include "bb_contacts/bb_contacts.h"

#include <stdatomic.h>

struct server {
    bb_contacts *contacts;
    atomic_int in_flight; /* requests whose headers have arrived and whose answer is not sent */
    atomic_bool stopping; /* answers say `Connection: close` from now on */
};

#endif
