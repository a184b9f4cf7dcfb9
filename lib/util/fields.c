/*
 * fields.c: the fields of a contact besides its key, as a table.
 */
#include "util/fields.h"

#include <stddef.h>

#define INITIAL_TEXT \
    {                \
        NULL, 0      \
    }
#define INITIAL_ARRAY \
    {                 \
        "[]", 2       \
    }
#define INITIAL_OBJECT \
    {                  \
        "{}", 2        \
    }

const bb_field bb_fields[BB_FIELD_COUNT] = {
#define XX(member, NAME, KIND)                 \
    {.name = {#member, sizeof #member - 1},    \
     .kind = BB_FIELD_##KIND,                  \
     .bit = BB_FIELD_##NAME,                   \
     .initial = INITIAL_##KIND,                \
     .in_record = offsetof(bb_record, member), \
     .in_contact = offsetof(bb_contact, member)},
    BB_FIELD_MAP(XX)
#undef XX
};

/* No two fields share a bit: then the bits' sum is all of them. */
_Static_assert(0
#define XX(name, NAME, KIND) +BB_FIELD_##NAME // NOLINT(bugprone-macro-parentheses): a sum
                   BB_FIELD_MAP(XX)
#undef XX
                   == BB_FIELD_ALL,
               "two fields have the same bit");
