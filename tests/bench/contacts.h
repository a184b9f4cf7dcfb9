/*
 * contacts.h: the contacts that benchmarks store: made from a number, as values and as a body.
 */
#ifndef BB_BENCH_CONTACTS_H
#define BB_BENCH_CONTACTS_H

#include "support/endpoint.h"

typedef struct bench_contact {
    char external_id[40];
    char name[48];
    char email[48];
    char phonenumber[16];
    char stripe_accounts[64];
    char custom_attributes[160];
} bench_contact;

/* Contact `number`, about 255 bytes as JSON; `version` changes its values but not its key. */
void bench_contact_make(bench_contact *contact, unsigned number, unsigned version);

/* The request's body for so many of them. */
void bench_contacts_body(test_text *body, const bench_contact *contacts, unsigned count);

#endif
