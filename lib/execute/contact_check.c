/*
 * contact_check.c: whether an answer can hold a contact that a backend hands back (A3).
 */
#include "execute/contact_check.h"

#include <string.h>

#include "json/check.h"
#include "json/scan.h"

/* Whether a value is one that the record has. */
static int is_own(bb_slice stored, bb_slice own)
{
    return stored.data == own.data ||
           (stored.data != NULL && own.data != NULL && stored.len == own.len &&
            memcmp(stored.data, own.data, own.len) == 0);
}

/* Whether a column's JSON is that, and of the kind that begins with this bracket. */
static int32_t check_json(const bb_allocator *allocator, bb_slice stored, bb_slice own,
                          char bracket)
{
    const char *start;
    bb_json_facts facts;

    if (is_own(stored, own))
        return BB_OK;
    if (stored.len == 0)
        return BB_ERR_INTERNAL;
    start = bb_json_skip_space(stored.data, stored.data + stored.len);
    if (start == stored.data + stored.len || *start != bracket)
        return BB_ERR_INTERNAL;
    if (bb_json_check(allocator, stored.data, stored.len, &facts))
        return BB_OK;
    return facts.is_out_of_memory ? BB_ERR_NOMEM : BB_ERR_INTERNAL;
}

static int is_text(bb_slice stored, bb_slice own)
{
    return stored.data == NULL || is_own(stored, own) || bb_json_check_text(stored);
}

int32_t bb_contact_check(const bb_allocator *allocator, const bb_record *record,
                         const bb_contact *contact)
{
    int32_t code = check_json(allocator, contact->stripe_accounts, record->stripe_accounts, '[');

    if (code == BB_OK)
        code = check_json(allocator, contact->custom_attributes, record->custom_attributes, '{');
    if (code == BB_OK &&
        !(is_text(contact->external_id, record->external_id) &&
          is_text(contact->name, record->name) && is_text(contact->email, record->email) &&
          is_text(contact->phonenumber, record->phonenumber)))
        code = BB_ERR_INTERNAL;
    return code;
}
