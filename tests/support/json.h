/*
 * json.h: the tests' own reader of JSON, which keeps every number's text and members' order.
 *
 * It shares nothing with the library, so that the one can check the other.
 */
#ifndef BB_TEST_JSON_H
#define BB_TEST_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER, /* text is as it was written */
    JSON_STRING, /* text is decoded */
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

typedef struct json {
    json_kind kind;
    char *name; /* of a member of an object, otherwise NULL */
    size_t name_len;
    char *text;
    size_t len;
    struct json *child; /* the first element or member */
    struct json *next;  /* the next one of the same parent */
} json;

/* Reads one value, with nothing after it. NULL if it is not JSON; `*error_at` says where. */
json *json_parse(const char *text, size_t len, size_t *error_at);
void json_free(json *value);

/* A member by its name; NULL if there is none, or `object` is NULL or no object. */
const json *json_member(const json *object, const char *name);

/* The number of elements or members; the one at `index`, or NULL. */
size_t json_count(const json *value);
const json *json_at(const json *value, size_t index);

/* Whether a value, which may be NULL, is this string. */
int json_is_text(const json *value, const char *text);

/* A member that is a string or an integer; `otherwise` if it is absent. */
const char *json_text(const json *object, const char *name, const char *otherwise);
int64_t json_integer(const json *object, const char *name, int64_t otherwise);

/* Whether two numbers' texts have exactly the same value. */
int json_is_same_number(const char *a, const char *b);

/* Whether two values are the same: numbers by value, members in any order. */
int json_is_same(const json *a, const json *b);

/* Writes a value without white space into `to`, which has room for `size` bytes; returns its whole
 * length. */
size_t json_print(const json *value, char *to, size_t size);

#endif
