/*
 * contacts.c: the contacts that benchmarks store: made from a number, as values, as a body and as
 * what a backend is given.
 */
#include "contacts.h"

#include <stdio.h>
#include <string.h>

void bench_contact_make(bench_contact *c, unsigned number, unsigned version)
{
    snprintf(c->external_id, sizeof c->external_id, "user_%09u", number);
    snprintf(c->name, sizeof c->name, "Person Number %u v%u", number % 1000, version);
    snprintf(c->email, sizeof c->email, "person%u@example.com", number);
    snprintf(c->phonenumber, sizeof c->phonenumber, "+49301234567");
    snprintf(c->stripe_accounts, sizeof c->stripe_accounts, "%s",
             number % 4 != 0 ? "[]" : "[{\"label\":\"Main\",\"stripe_id\":\"cus_Abc123\"}]");
    snprintf(c->custom_attributes, sizeof c->custom_attributes,
             "{\"plan\":\"pro\",\"score\":%u,\"city\":\"Berlin\",\"tags\":[\"a\",\"b\"],"
             "\"since\":\"2024-01-0%u\",\"active\":true}",
             number % 1000 + version, 1 + number % 9);
}

void bench_contacts_body(test_text *body, const bench_contact *contacts, unsigned count)
{
    body->len = 0;
    test_append(body, "{\"users\":[");
    for (unsigned i = 0; i < count; i++)
        test_append(body,
                    "%s{\"external_id\":\"%s\",\"name\":\"%s\",\"email\":\"%s\","
                    "\"phonenumber\":\"%s\",\"stripe_accounts\":%s,\"custom_attributes\":%s}",
                    i > 0 ? "," : "", contacts[i].external_id, contacts[i].name, contacts[i].email,
                    contacts[i].phonenumber, contacts[i].stripe_accounts,
                    contacts[i].custom_attributes);
    test_append(body, "]}");
}

static bb_slice text(const char *string)
{
    bb_slice slice = {string, strlen(string)};
    return slice;
}

bb_record bench_contact_record(const bench_contact *c)
{
    bb_record record = {.size = sizeof record,
                        .fields = 31,
                        .external_id = text(c->external_id),
                        .name = text(c->name),
                        .email = text(c->email),
                        .phonenumber = text(c->phonenumber),
                        .stripe_accounts = text(c->stripe_accounts),
                        .custom_attributes = text(c->custom_attributes)};
    return record;
}

int32_t bench_put(void *ctx, size_t index, int32_t outcome, const bb_contact *c,
                  const bb_contact *before)
{
    size_t *sum = ctx;

    (void)index;
    (void)outcome;
    (void)before;
    *sum += c->name.len + c->email.len + c->custom_attributes.len + (size_t)c->id;
    return BB_OK;
}
