/*
 * fields.h: the fields of a contact besides its key, one line each.
 *
 * All code that goes over them uses this list: it reads, folds, compares and answers entries, and
 * has the columns of every backend. Written by hand are the public structs and bits (storage.h),
 * the steps of the backends' schemas, and the contract; lib/README.md has the recipe.
 */
#ifndef BB_UTIL_FIELDS_H
#define BB_UTIL_FIELDS_H

#include <string.h>

#include "bb_contacts/storage.h"

/*
 * XX(name, NAME, KIND), in the order of an answer's members (E3) and of every list of columns. KIND
 * is what an entry may send and what a new contact gets (section D):
 *
 *     TEXT     a string or null; null
 *     ARRAY    an array of objects; []
 *     OBJECT   an object; {}
 */
#define BB_FIELD_MAP(XX)                        \
    XX(name, NAME, TEXT)                        \
    XX(email, EMAIL, TEXT)                      \
    XX(phonenumber, PHONENUMBER, TEXT)          \
    XX(stripe_accounts, STRIPE_ACCOUNTS, ARRAY) \
    XX(custom_attributes, CUSTOM_ATTRIBUTES, OBJECT)

typedef enum bb_field_kind { BB_FIELD_TEXT, BB_FIELD_ARRAY, BB_FIELD_OBJECT } bb_field_kind;

/* A field's place in the list. */
enum {
#define XX(name, NAME, KIND) BB_FIELD_INDEX_##NAME,
    BB_FIELD_MAP(XX)
#undef XX
        BB_FIELD_COUNT
};

/* All bits of bb_record.fields. */
enum {
    BB_FIELD_ALL = 0
#define XX(name, NAME, KIND) | (int)BB_FIELD_##NAME
    BB_FIELD_MAP(XX)
#undef XX
};

typedef struct bb_field {
    bb_slice name;
    bb_field_kind kind;
    uint32_t bit;      /* in bb_record.fields */
    bb_slice initial;  /* what a new contact gets if the request says nothing */
    size_t in_record;  /* where a bb_record has it */
    size_t in_contact; /* where a bb_contact has it */
} bb_field;

extern const bb_field bb_fields[BB_FIELD_COUNT];

static inline bb_slice bb_record_value(const bb_record *record, const bb_field *field)
{
    bb_slice value;

    memcpy(&value, (const char *)record + field->in_record, sizeof value);
    return value;
}

static inline void bb_record_set_value(bb_record *record, const bb_field *field, bb_slice value)
{
    memcpy((char *)record + field->in_record, &value, sizeof value);
}

static inline bb_slice bb_contact_value(const bb_contact *contact, const bb_field *field)
{
    bb_slice value;

    memcpy(&value, (const char *)contact + field->in_contact, sizeof value);
    return value;
}

static inline void bb_contact_set_value(bb_contact *contact, const bb_field *field, bb_slice value)
{
    memcpy((char *)contact + field->in_contact, &value, sizeof value);
}

#endif
