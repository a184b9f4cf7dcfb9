/*
 * model_values.h: the values that fuzz_model sends, and what requests, issues and answers make of
 * each.
 *
 * A value has a class: values of a field are equal if their classes are. All texts about a value
 * are made once, and then only copied or compared: printing them for each request took longer than
 * what is tested.
 */
#ifndef BB_FUZZ_MODEL_VALUES_H
#define BB_FUZZ_MODEL_VALUES_H

#include <stddef.h>

enum {
    MODEL_FIELDS = 6,
    MODEL_ODDITIES = 7,
    MODEL_FAULTY = -2, /* the class of what is refused */
    MODEL_NULL = 0     /* that of null, and of what null resets to */
};

typedef struct model_text {
    const char *data;
    size_t len;
} model_text;

/* One way to give one field a value. */
typedef struct model_choice {
    int class;
    model_text members[2][2]; /* as an entry's member, from its comma on: [1] with white space;
                                 [][1] after an earlier value of the field */
    const model_text *issues; /* each from what follows the entry's place on */
    size_t issue_count;
} model_choice;

/* What may stand in place of an entry, or in it beside its fields. */
typedef struct model_oddity {
    model_text instead;
    model_text members; /* if there is nothing instead */
    model_text issue;   /* from what follows the entry's place on; empty: there is none */
} model_oddity;

/* Makes them, at the first call. */
void model_values_prepare(void);

size_t model_choice_count(int field);
const model_choice *model_choice_at(int field, size_t index);
const model_oddity *model_oddity_at(size_t index);

/* The length of the JSON value at the beginning of `at`, if it is one of the class; otherwise 0. */
size_t model_value_length(int field, int class, const char *at, size_t left);

/* Whether `at` begins with this text. */
int model_begins_with(const char *at, size_t left, const char *text, size_t len);

#endif
