/*
 * body.c: the body's bytes become a list of entries, or a refusal with its issues: sections C, D.
 */
#include "request/body.h"

#include <stdio.h>
#include <string.h>

#include "json/check.h"

enum { MAX_EXTERNAL_ID = 255, FIRST_ENTRIES = 8 };

/* The names that the array may have (C2). */
enum { USERS, CONTACTS, ROOT_COUNT };

static const bb_slice root_names[ROOT_COUNT] = {{"users", 5}, {"contacts", 8}};

/* The names that an entry may have: the fields', in the order of their table, and the key's. */
enum { EXTERNAL_ID = BB_FIELD_COUNT, NAME_COUNT };

static const bb_slice entry_names[NAME_COUNT] = {
#define XX(name, NAME, KIND) {#name, sizeof #name - 1},
    BB_FIELD_MAP(XX)
#undef XX
        {"external_id", 11}};

/* The value that the body has under one of the array's names. */
typedef struct array {
    bb_slice value;    /* null if there is no such name */
    bb_entry *entries; /* if it is an array */
    size_t count;      /* all its elements; at most BB_MAX_CONTACTS are kept */
    size_t capacity;
} array;

/*
 * outline() goes over the body once: it checks it, and finds the entries and the texts of their
 * fields. These are judged after that, when it is known that the body is JSON (C1), which array
 * counts (C2), and which of several values of a name counts (C4).
 */
typedef struct reader {
    bb_json_checker checker;
    const bb_body_limits *limits;
    bb_arena *arena;
    bb_issues *issues;
    bb_json_members members; /* of the objects being compacted */
    size_t expanded;         /* see bb_json_find_faults() */
    int is_out_of_memory;
} reader;

/* Where the text under a name of an entry is kept until it is judged, and its value after that. */
static bb_slice *slot_of(bb_entry *entry, int name)
{
    return name == EXTERNAL_ID ? &entry->external_id : &entry->value[name];
}

/* ------------------------------------------------------------------------------------ outline */

/* Whether a member's name is one of `names`: its index, or -1. */
static int find_name(bb_slice name, const bb_slice *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (names[i].len == name.len && memcmp(name.data, names[i].data, name.len) == 0)
            return i;
    }
    return -1;
}

/* The same for a name with quotes, and perhaps with escapes. */
static int find_quoted(reader *r, bb_slice name, const bb_slice *names, int count)
{
    bb_slice decoded = {name.data + 1, name.len - 2};
    int found = find_name(decoded, names, count);

    if (found >= 0 || memchr(name.data, '\\', name.len) == NULL || bb_json_has_nul(name))
        return found;
    if (bb_json_decode(r->arena, name, &decoded) != BB_OK) {
        r->is_out_of_memory = 1;
        return -1;
    }
    found = find_name(decoded, names, count);
    /* the decoded name is the last allocation, with a NUL after it */
    bb_arena_trim(r->arena, r->arena->at - (decoded.len + 1));
    return found;
}

/* The functions from here to outline() return 0 if the body is not JSON, or memory ran out. */

/* The last of a repeated name counts (C4). */
static int outline_members(reader *r, bb_entry *entry)
{
    bb_json_checker *c = &r->checker;
    bb_json_step step;
    bb_slice name;
    bb_slice value;

    if (!bb_json_checker_enter(c))
        return 0;
    for (step = bb_json_checker_next(c, &name); step == BB_JSON_MORE;
         step = bb_json_checker_next(c, &name)) {
        int known = find_quoted(r, name, entry_names, NAME_COUNT);
        if (!bb_json_checker_value(c, &value))
            return 0;
        if (known >= 0)
            *slot_of(entry, known) = value;
    }
    return step == BB_JSON_END && !r->is_out_of_memory;
}

static int outline_entry(reader *r, bb_entry *entry)
{
    bb_json_checker *c = &r->checker;
    char first = bb_json_checker_peek(c);
    const char *start = c->at;

    memset(entry, 0, sizeof *entry);
    if (first != '{')
        return bb_json_checker_value(c, &entry->text);
    if (!outline_members(r, entry))
        return 0;
    entry->text.data = start;
    entry->text.len = (size_t)(c->at - start);
    return 1;
}

/* Where to put an entry; NULL if memory ran out. */
static bb_entry *entry_at(reader *r, array *a, size_t index)
{
    size_t larger = a->capacity == 0 ? FIRST_ENTRIES : a->capacity * 4;
    bb_entry *entries;

    if (index < a->capacity)
        return &a->entries[index];
    if (larger > BB_MAX_CONTACTS)
        larger = BB_MAX_CONTACTS;
    entries = bb_arena_alloc_array(r->arena, larger, sizeof *entries);
    if (entries == NULL) {
        r->is_out_of_memory = 1;
        return NULL;
    }
    if (index > 0)
        memcpy(entries, a->entries, index * sizeof *entries);
    a->entries = entries;
    a->capacity = larger;
    return &entries[index];
}

static int outline_array(reader *r, array *a)
{
    bb_json_checker *c = &r->checker;
    bb_json_step step;
    bb_entry *entry;
    bb_slice value;

    if (!bb_json_checker_enter(c))
        return 0;
    for (step = bb_json_checker_next(c, &value); step == BB_JSON_MORE;
         step = bb_json_checker_next(c, &value)) {
        if (a->count < BB_MAX_CONTACTS) {
            entry = entry_at(r, a, a->count);
            if (entry == NULL || !outline_entry(r, entry))
                return 0;
        } else if (!bb_json_checker_value(c, &value)) {
            return 0;
        }
        a->count++;
    }
    return step == BB_JSON_END;
}

/* The value under one of the array's names: an array or not. */
static int outline_root(reader *r, array *a)
{
    bb_json_checker *c = &r->checker;
    char first = bb_json_checker_peek(c);

    a->count = 0;
    a->value.data = c->at;
    return first == '[' ? outline_array(r, a) : bb_json_checker_value(c, &a->value);
}

static int outline(reader *r, array *arrays)
{
    bb_json_checker *c = &r->checker;
    bb_json_step step;
    bb_slice name;
    bb_slice value;

    if (bb_json_checker_peek(c) != '{')
        return 0;
    if (!bb_json_checker_enter(c))
        return 0;
    for (step = bb_json_checker_next(c, &name); step == BB_JSON_MORE;
         step = bb_json_checker_next(c, &name)) {
        int root = find_quoted(r, name, root_names, ROOT_COUNT);
        if (root >= 0 ? !outline_root(r, &arrays[root]) : !bb_json_checker_value(c, &value))
            return 0;
    }
    return step == BB_JSON_END && bb_json_checker_at_end(c);
}

/* ------------------------------------------------------------------------------------- fields */

static int is_null(bb_slice value)
{
    return value.data == NULL || bb_json_type_of(value.data[0]) == BB_JSON_NULL;
}

static void add_type_issue(reader *r, const bb_json_path *path, const char *expected,
                           bb_slice value)
{
    char message[64];

    snprintf(message, sizeof message, "Expected %s, received %s", expected,
             bb_json_type_name(bb_json_type_of(value.data[0])));
    bb_issues_add(r->issues, path, message);
}

/* A string or null (section D). Returns 0 if there is an issue. */
static int read_text(reader *r, bb_slice value, const bb_json_path *path, bb_slice *out)
{
    bb_json_type type = bb_json_type_of(value.data[0]);

    out->data = NULL;
    out->len = 0;
    if (type == BB_JSON_NULL)
        return 1;
    if (type != BB_JSON_STRING) {
        add_type_issue(r, path, "string", value);
        return 0;
    }
    if (r->checker.facts.has_nul && bb_json_has_nul(value)) { /* C5 */
        bb_issues_add(r->issues, path, "String must not contain U+0000");
        return 0;
    }
    if (bb_json_decode(r->arena, value, out) != BB_OK)
        r->is_out_of_memory = 1;
    return 1;
}

/* Characters, not bytes: every byte that does not continue a UTF-8 sequence begins a character. */
static size_t count_characters(bb_slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static void read_external_id(reader *r, bb_slice value, const bb_json_path *path, bb_slice *out)
{
    if (!read_text(r, value, path, out) || out->data == NULL)
        return;
    if (out->len == 0)
        bb_issues_add(r->issues, path, "String must contain at least 1 character(s)");
    else if (out->len > MAX_EXTERNAL_ID && count_characters(*out) > MAX_EXTERNAL_ID)
        bb_issues_add(r->issues, path, "String must contain at most 255 character(s)");
}

/* An array or object or null, which resets the field (section D). */
static void read_json(reader *r, bb_slice value, bb_json_type type, const bb_field *field,
                      const bb_json_path *path, bb_slice *out)
{
    bb_json_type actual = bb_json_type_of(value.data[0]);
    int is_suspect = 0;

    *out = field->initial;
    if (actual == BB_JSON_NULL)
        return;
    if (actual != type) {
        add_type_issue(r, path, bb_json_type_name(type), value);
        return;
    }
    if (bb_json_compact(&r->members, value, &r->limits->json, out, &is_suspect) != BB_OK)
        r->is_out_of_memory = 1;
    else if (is_suspect)
        bb_json_find_faults(*out, &r->limits->json, path, &r->expanded, bb_issues_report,
                            r->issues);
}

/* An array's elements are objects (section D). */
static void check_elements(reader *r, bb_slice value, const bb_json_path *path)
{
    bb_json_iterator it = bb_json_iterate(value);
    bb_slice element;

    if (bb_json_type_of(value.data[0]) != BB_JSON_ARRAY)
        return;
    for (size_t i = 0; bb_json_next_element(&it, &element); i++) {
        bb_json_path step = {path, {NULL, 0}, i};
        if (bb_json_type_of(element.data[0]) != BB_JSON_OBJECT)
            add_type_issue(r, &step, "object", element);
    }
}

static void read_field(reader *r, const bb_field *field, const bb_json_path *entry_path,
                       bb_entry *entry)
{
    bb_json_path path = {entry_path, field->name, 0};
    bb_slice *slot = &entry->value[field - bb_fields];
    bb_slice value = *slot;

    entry->fields |= field->bit;
    if (is_null(value))
        entry->nulls |= field->bit;
    switch (field->kind) {
    case BB_FIELD_TEXT:
        read_text(r, value, &path, slot);
        break;
    case BB_FIELD_ARRAY:
        check_elements(r, value, &path);
        read_json(r, value, BB_JSON_ARRAY, field, &path, slot);
        break;
    case BB_FIELD_OBJECT:
        read_json(r, value, BB_JSON_OBJECT, field, &path, slot);
        break;
    }
}

static void read_fields(reader *r, const bb_json_path *entry_path, bb_entry *entry)
{
    bb_json_path path = {entry_path, entry_names[EXTERNAL_ID], 0};

    if (entry->external_id.data != NULL)
        read_external_id(r, entry->external_id, &path, &entry->external_id);
    for (int i = 0; i < BB_FIELD_COUNT; i++) {
        if (entry->value[i].data != NULL)
            read_field(r, &bb_fields[i], entry_path, entry);
    }
}

/* ------------------------------------------------------------------------------------ entries */

static void read_entry(reader *r, const bb_json_path *path, bb_entry *entry)
{
    const bb_body_limits *limits = r->limits;
    bb_slice text = entry->text;
    char message[64];

    if (bb_json_type_of(text.data[0]) != BB_JSON_OBJECT) {
        add_type_issue(r, path, "object", text);
        return;
    }
    if (text.len > limits->max_entry_bytes) {
        snprintf(message, sizeof message, "Larger than %zu bytes", limits->max_entry_bytes);
        bb_issues_add(r->issues, path, message);
        return;
    }
    /* the entry's own braces are one level, which does not count */
    if (r->checker.facts.depth > limits->max_depth &&
        bb_json_depth(text) > (size_t)limits->max_depth + 1) {
        snprintf(message, sizeof message, "Nested deeper than %u levels",
                 (unsigned)limits->max_depth);
        bb_issues_add(r->issues, path, message);
        return;
    }
    read_fields(r, path, entry);
}

static int32_t read_entries(reader *r, bb_body *body)
{
    bb_json_path root = {NULL, {body->root, strlen(body->root)}, 0};

    for (size_t i = 0; i < body->count; i++) {
        bb_json_path path = {&root, {NULL, 0}, i};
        read_entry(r, &path, &body->entries[i]);
        if (r->is_out_of_memory)
            return BB_FAULT(BB_ERR_NOMEM);
    }
    return r->issues->count > 0 ? BB_STATUS_INVALID_DATA : BB_STATUS_SUCCESS;
}

/* --------------------------------------------------------------------------------------- body */

static int32_t read_body(reader *r, bb_body *body)
{
    array arrays[ROOT_COUNT] = {{{NULL, 0}, NULL, 0, 0}};
    int is_json = outline(r, arrays);
    int root;

    if (r->is_out_of_memory || r->checker.facts.is_out_of_memory)
        return BB_FAULT(BB_ERR_NOMEM);
    if (!is_json)
        return BB_STATUS_INVALID_DATA;
    root = is_null(arrays[USERS].value) ? CONTACTS : USERS;
    if (arrays[root].count == 0)
        return BB_STATUS_INVALID_DATA;
    if (arrays[root].count > BB_MAX_CONTACTS)
        return BB_STATUS_TOO_MANY_CONTACTS;
    body->root = root_names[root].data;
    body->entries = arrays[root].entries;
    body->count = arrays[root].count;
    return read_entries(r, body);
}

int32_t bb_body_read(bb_slice text, const bb_body_limits *limits, bb_arena *arena,
                     bb_issues *issues, bb_body *body)
{
    reader r = {.limits = limits, .arena = arena, .issues = issues};
    int32_t status;

    memset(body, 0, sizeof *body);
    body->root = root_names[USERS].data;
    if (text.len == 0)
        return BB_STATUS_INVALID_DATA;
    bb_json_checker_init(&r.checker, &arena->allocator, text);
    bb_json_members_init(&r.members, &arena->allocator, arena);
    status = read_body(&r, body);
    bb_json_members_free(&r.members);
    bb_json_checker_free(&r.checker);
    return status;
}
