/*
 * contacts.h: the contacts that benchmarks store: made from a number, as values, as a body and as
 * what a backend is given.
 */
#ifndef BB_BENCH_CONTACTS_H
#define BB_BENCH_CONTACTS_H

#include "bb_contacts/storage.h"
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

/* The request's body for this many of them. */
void bench_contacts_body(test_text *body, const bench_contact *contacts, unsigned count);

/* The record of a request that sets all fields; it lasts as long as the contact. */
bb_record bench_contact_record(const bench_contact *contact);

/* A put() of bb_write that reads what it is given, as a client does, and adds up bytes in the
 * size_t at `ctx`. */
int32_t bench_put(void *ctx, size_t index, int32_t outcome, const bb_contact *contact,
                  const bb_contact *before);

#endif
