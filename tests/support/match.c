/*
 * match.c: compares a response with what a request file expects; see requests/README.md.
 */
#include "support/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 160 };

typedef struct matcher {
    match_memory *memory;
    char path[256];
    size_t path_len;
    char *problem;
    size_t problem_size;
} matcher;

static int match_value(matcher *m, const json *expected, const json *actual);

static int complain(matcher *m, const char *what, const json *expected, const json *actual)
{
    char wanted[SHOWN + 1] = "nothing", got[SHOWN + 1] = "nothing";
    size_t len;

    if (expected != NULL) {
        len = json_print(expected, wanted, SHOWN);
        wanted[len < SHOWN ? len : SHOWN] = '\0';
    }
    if (actual != NULL) {
        len = json_print(actual, got, SHOWN);
        got[len < SHOWN ? len : SHOWN] = '\0';
    }
    snprintf(m->problem, m->problem_size, "body%s: %s: expected %s, got %s", m->path, what, wanted,
             got);
    return 0;
}

/* Goes one step down, compares, and comes back. */
static int match_step(matcher *m, const char *name, size_t index, const json *expected,
                      const json *actual)
{
    size_t before = m->path_len;
    size_t room = sizeof m->path - before;
    int written = name != NULL ? snprintf(m->path + before, room, ".%s", name)
                               : snprintf(m->path + before, room, "[%zu]", index);
    int same;

    if (written > 0 && (size_t)written < room)
        m->path_len += (size_t)written;
    same = match_value(m, expected, actual);
    if (same) {
        m->path_len = before;
        m->path[before] = '\0';
    }
    return same;
}

/* ----------------------------------------------------------------------------------- wildcards */

void match_memory_free(match_memory *memory)
{
    for (size_t i = 0; i < memory->count; i++)
        free(memory->values[i]);
    memory->count = 0;
}

static char *printed(const json *value)
{
    size_t size = json_print(value, NULL, 0) + 1;
    char *text = malloc(size);

    if (text != NULL) {
        json_print(value, text, size - 1);
        text[size - 1] = '\0';
    }
    return text;
}

static int remember(match_memory *memory, const char *name, const json *actual)
{
    char *text = memory->count < MATCH_NAMES ? printed(actual) : NULL;

    if (text == NULL)
        return 0;
    memory->names[memory->count] = name;
    memory->values[memory->count++] = text;
    return 1;
}

/* Where a name is, or MATCH_NAMES. */
static size_t find_name(const match_memory *memory, const char *name)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (strcmp(memory->names[i], name) == 0)
            return i;
    }
    return MATCH_NAMES;
}

/* {"$new": NAME}: a value that none of the names so far has. */
static int match_new(matcher *m, const json *expected, const json *actual)
{
    char *text = printed(actual);
    int is_new = text != NULL && find_name(m->memory, expected->child->text) == MATCH_NAMES;

    for (size_t i = 0; text != NULL && i < m->memory->count; i++)
        is_new = is_new && strcmp(m->memory->values[i], text) != 0;
    free(text);
    if (!is_new || !remember(m->memory, expected->child->text, actual))
        return complain(m, "not a new value", expected, actual);
    return 1;
}

/* {"$same": NAME}: the value that this name has. */
static int match_same(matcher *m, const json *expected, const json *actual)
{
    size_t known = find_name(m->memory, expected->child->text);
    char *text = printed(actual);
    int same = text != NULL && known != MATCH_NAMES && strcmp(text, m->memory->values[known]) == 0;

    free(text);
    if (known == MATCH_NAMES)
        return complain(m, "no value has this name yet", expected, actual);
    return same ? 1 : complain(m, m->memory->values[known], expected, actual);
}

static int is_contact_id(const json *value)
{
    static const char prefix[] = "contact_";
    const char *digits;

    if (value->kind != JSON_STRING || strncmp(value->text, prefix, sizeof prefix - 1) != 0)
        return 0;
    digits = value->text + sizeof prefix - 1;
    return *digits >= '1' && *digits <= '9' && strlen(digits) == strspn(digits, "0123456789");
}

/* {"$any": KIND}: a value of a kind. */
static int match_any(matcher *m, const json *expected, const json *actual)
{
    const json *kind = expected->child;
    int ok = 0;

    if (json_is_text(kind, "string"))
        ok = actual->kind == JSON_STRING && actual->len > 0;
    else if (json_is_text(kind, "integer"))
        ok = actual->kind == JSON_NUMBER && strpbrk(actual->text, ".eE") == NULL;
    else if (json_is_text(kind, "contact_id"))
        ok = is_contact_id(actual);
    return ok ? 1 : complain(m, "not of this kind", expected, actual);
}

/* {"$each": PATTERN, "$count": N}: an array of so many elements, all alike. */
static int match_each(matcher *m, const json *expected, const json *actual)
{
    size_t index = 0;

    if (actual->kind != JSON_ARRAY ||
        json_count(actual) != (size_t)json_integer(expected, "$count", -1))
        return complain(m, "not an array of this length", expected, actual);
    for (const json *at = actual->child; at != NULL; at = at->next) {
        if (!match_step(m, NULL, index++, expected->child, at))
            return 0;
    }
    return 1;
}

/* ------------------------------------------------------------------------------------ contacts */

/* {"$contact": {...}}: E3's nine members in E3's order; members that are not named must have the
 * value of a contact of which nothing was said, if there is one. */
static int match_contact(matcher *m, const json *expected, const json *actual)
{
    static const struct {
        const char *name;
        const char *otherwise;
    } members[] = {{"id", "{\"$any\":\"contact_id\"}"},
                   {"external_id", "{\"$any\":\"string\"}"},
                   {"name", "null"},
                   {"email", "null"},
                   {"phonenumber", "null"},
                   {"stripe_accounts", "[]"},
                   {"custom_attributes", "{}"},
                   {"created_at", "{\"$any\":\"integer\"}"},
                   {"updated_at", "{\"$any\":\"integer\"}"}};
    enum { COUNT = sizeof members / sizeof members[0] };

    if (actual->kind != JSON_OBJECT || json_count(actual) != COUNT)
        return complain(m, "not a contact's nine members", expected, actual);
    for (size_t i = 0; i < COUNT; i++) {
        const json *member = json_at(actual, i);
        const json *wanted = json_member(expected->child, members[i].name);
        json *otherwise = NULL;
        int same;
        if (strcmp(member->name, members[i].name) != 0)
            return complain(m, "a member out of its order", expected, member);
        if (wanted == NULL)
            wanted = otherwise =
                json_parse(members[i].otherwise, strlen(members[i].otherwise), NULL);
        same = match_step(m, members[i].name, 0, wanted, member);
        json_free(otherwise);
        if (!same)
            return 0;
    }
    return 1;
}

/* -------------------------------------------------------------------------------------- values */

static int match_members(matcher *m, const json *expected, const json *actual)
{
    const json *right = actual->child;
    size_t index = 0;

    if (json_count(expected) != json_count(actual))
        return complain(m, "another number of members", expected, actual);
    for (const json *left = expected->child; left != NULL; left = left->next) {
        if (left->name != NULL && strcmp(left->name, right->name) != 0)
            return complain(m, "another member here", left, right);
        if (!match_step(m, left->name, index++, left, right))
            return 0;
        right = right->next;
    }
    return 1;
}

/* Whether the path ends in one of the two fields that hold the client's own JSON. */
static int is_stored_json(const matcher *m)
{
    static const char *const fields[] = {".stripe_accounts", ".custom_attributes"};

    for (int i = 0; i < 2; i++) {
        size_t len = strlen(fields[i]);
        if (m->path_len >= len && strcmp(m->path + m->path_len - len, fields[i]) == 0)
            return 1;
    }
    return 0;
}

static int match_value(matcher *m, const json *expected, const json *actual)
{
    static const struct {
        const char *name;
        int (*match)(matcher *m, const json *expected, const json *actual);
    } wildcards[] = {{"$any", match_any},
                     {"$new", match_new},
                     {"$same", match_same},
                     {"$each", match_each},
                     {"$contact", match_contact}};

    if (expected->kind == JSON_OBJECT && expected->child != NULL) {
        for (size_t i = 0; i < sizeof wildcards / sizeof wildcards[0]; i++) {
            if (strcmp(expected->child->name, wildcards[i].name) == 0)
                return wildcards[i].match(m, expected, actual);
        }
    }
    if (expected->kind != actual->kind)
        return complain(m, "another type", expected, actual);
    if (is_stored_json(m)) /* there a store may order members as it likes */
        return json_is_same(expected, actual) ? 1 : complain(m, "not the same", expected, actual);
    if (expected->kind == JSON_ARRAY || expected->kind == JSON_OBJECT)
        return match_members(m, expected, actual);
    return json_is_same(expected, actual) ? 1 : complain(m, "not the same", expected, actual);
}

int match(match_memory *memory, const json *expected, const json *actual, char *problem,
          size_t problem_size)
{
    matcher m = {.memory = memory, .problem = problem, .problem_size = problem_size};

    return match_value(&m, expected, actual);
}
